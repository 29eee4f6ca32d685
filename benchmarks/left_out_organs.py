"""Write made-up data sets whose organ is a ring or a shell, which the scenes of `scout` leave out.

    python benchmarks/left_out_organs.py ring -o ring --seed 0
    samssl preprocess ring -o ring.zarr --split ring/splits.json --recipe quick
    samssl train-ssl ring.zarr -o specialist.zarr --recipe quick --set train_ssl.steps=400
    python benchmarks/refinement.py ring.zarr specialist.zarr --recipe quick

One labeled case, eleven unlabeled ones, twelve to test on. `ring` is a bent torus of uneven
thickness, `shell` a wall around a cavity with an opening at one end, as a heart muscle. Balls,
rods and fat about them are as bright; the shell's cavity is not. The figures are in docs/scout.md.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from samssl_cli.volumes.grid import NativeGrid
from samssl_cli.volumes.nifti import write_image, write_label

SHAPE = (72, 72, 48)
SPACING_MM = (1.25, 1.25, 1.25)
NUM_TRAIN, NUM_TEST = 12, 12

_TISSUE, _BRIGHT, _CAVITY, _AIR = 0.45, 0.75, 0.3, 0.0

Field = NDArray[np.float64]
Mask = NDArray[np.bool_]


def main() -> None:
    """Write the data set in the nnU-Net raw layout."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("organ", choices=sorted(ORGANS))
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    write_dataset(arguments.organ, arguments.output, seed=arguments.seed)


def write_dataset(organ: str, root: Path, *, seed: int) -> None:
    """Write images, all references, `dataset.json` and `splits.json`; equal seeds, equal voxels."""
    grid = NativeGrid.from_affine(SHAPE, np.diag([*SPACING_MM, 1.0]))
    names = [f"{organ}_{number:03d}" for number in range(NUM_TRAIN + NUM_TEST)]
    for number, name in enumerate(names):
        folder = "Tr" if number < NUM_TRAIN else "Ts"
        image, label = draw_case(organ, np.random.default_rng([seed, number]))
        for kind in ("images", "labels"):
            (root / f"{kind}{folder}").mkdir(parents=True, exist_ok=True)
        write_image(root / f"images{folder}/{name}_0000.nii.gz", image[None], grid)
        write_label(root / f"labels{folder}/{name}.nii.gz", label.astype(np.uint8), grid)
    split = {
        "labeled": names[:1],
        "unlabeled": names[1:NUM_TRAIN],
        "test": names[NUM_TRAIN:],
    }
    description = {
        "channel_names": {"0": "MRI"},
        "labels": {"background": 0, organ: 1},
        "numTraining": NUM_TRAIN,
        "file_ending": ".nii.gz",
    }
    (root / "splits.json").write_text(json.dumps(split, indent=2) + "\n", encoding="utf-8")
    (root / "dataset.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


def draw_case(organ: str, rng: np.random.Generator) -> tuple[NDArray[np.float32], Mask]:
    """Draw one patient: image (I, J, K) from 0 to about 1000, and the organ's mask."""
    points = _bent(rng)
    tissue = np.where(_ellipsoid(points, np.zeros(3), (0.92, 0.88, 1.4)), _TISSUE, _AIR)
    for _ in range(10):  # as bright as the organ, some of them against it
        centre = rng.uniform(-0.75, 0.75, 3)
        blob = _ellipsoid(points, centre, rng.uniform(0.08, 0.28, 3))
        tissue[blob] = _BRIGHT if rng.random() < 0.6 else _CAVITY
    mask, cavity = ORGANS[organ](points, rng)
    near = ndimage.binary_dilation(mask, iterations=2) & ~mask
    tissue[near & (_noise(rng, 5) > -0.1)] = _TISSUE * 0.75
    tissue[cavity], tissue[mask] = _CAVITY, _BRIGHT
    return _measured(tissue, rng), mask


def _ring(points: Field, rng: np.random.Generator) -> tuple[Mask, Mask]:
    """A torus of uneven thickness; its hole holds what lies there."""
    x, y, z = points - rng.uniform(-0.1, 0.1, (3, 1, 1, 1))
    tilt = rng.uniform(-0.4, 0.4)
    y, z = np.cos(tilt) * y - np.sin(tilt) * z, np.sin(tilt) * y + np.cos(tilt) * z
    thickness = rng.uniform(0.14, 0.19) * (1 + 0.25 * np.sin(np.arctan2(y, x) + rng.uniform(0, 6)))
    radius = rng.uniform(0.42, 0.5)
    inside = (np.hypot(x, y * rng.uniform(0.9, 1.15)) - radius) ** 2 + (z * 0.8) ** 2
    return inside < thickness**2, np.zeros(x.shape, bool)


def _shell(points: Field, rng: np.random.Generator) -> tuple[Mask, Mask]:
    """A wall of uneven thickness, open at the top, and the cavity in it."""
    centre = rng.uniform(-0.1, 0.1, 3)
    radii = rng.uniform(0.9, 1.1, 3) * (0.48, 0.46, 0.7)
    wall = rng.uniform(0.13, 0.17) * (1 + 0.25 * points[0])
    outer = _ellipsoid(points, centre, radii)
    offset = (points - centre.reshape(3, 1, 1, 1)) / (radii.reshape(3, 1, 1, 1) - wall)
    inner = (offset**2).sum(axis=0) <= 1
    below = points[2] < centre[2] + rng.uniform(0.25, 0.4)
    return outer & ~inner & below, inner


ORGANS = {"ring": _ring, "shell": _shell}


def _bent(rng: np.random.Generator) -> Field:
    """(3, I, J, K) smoothly bent position of each voxel, from about -1 to 1 along each axis."""
    axes = [(np.arange(n) + 0.5) / n * 2 - 1 for n in SHAPE]
    straight = np.stack(np.meshgrid(*axes, indexing="ij"))
    bend = np.stack([_noise(rng, 4) for _ in range(3)])
    return straight / rng.uniform(0.88, 1.12, (3, 1, 1, 1)) + 0.09 * bend


def _noise(rng: np.random.Generator, knots: int) -> Field:
    """A random field from about -1 to 1 that varies over about 1 / `knots` of the volume."""
    coarse = rng.uniform(-1, 1, (knots,) * 3)
    factors = [n / knots for n in SHAPE]
    return np.asarray(ndimage.zoom(coarse, factors, order=2, mode="nearest", grid_mode=True))


def _ellipsoid(points: Field, centre: NDArray[np.float64], radii: object) -> Mask:
    scaled = (points - centre.reshape(3, 1, 1, 1)) / np.reshape(np.asarray(radii), (3, 1, 1, 1))
    return np.asarray((scaled**2).sum(axis=0) <= 1)


def _measured(tissue: Field, rng: np.random.Generator) -> NDArray[np.float32]:
    """Texture, blur, coil sensitivity, Rician noise and an arbitrary scale."""
    textured = tissue * (1 + 0.35 * ndimage.gaussian_filter(rng.normal(size=SHAPE), 1.2))
    blurred = ndimage.gaussian_filter(textured, rng.uniform(0.6, 0.9))
    bias = np.exp(0.25 * _noise(rng, 3))
    noise = 0.06 * rng.normal(size=(2, *SHAPE))
    magnitude = np.hypot(blurred * bias + noise[0], noise[1])
    return np.asarray(np.round(magnitude * rng.uniform(300, 700)), np.float32)


if __name__ == "__main__":
    main()
