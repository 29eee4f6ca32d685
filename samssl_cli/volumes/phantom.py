"""A made-up anatomy to try the whole loop on without any patient's data.

A trunk in MRI-like contrast. `organ` is a lobed blob with an appendage; a `vessel` runs past it.
Neither is found by its intensity: fat, a second chamber that touches the organ and a twin of the
vessel on the other side are as bright, the coil's sensitivity drifts, and every case has its own
scale. What tells them apart is place and shape, which one or two labeled cases show.
"""

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import nibabel as nib
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from samssl_cli.volumes.grid import Affine, Index, NativeGrid
from samssl_cli.volumes.nifti import write_image, write_label
from samssl_cli.volumes.voxels import Image

CLASS_NAMES = ("background", "organ", "vessel")
SPACING_MM = (1.0, 1.0, 1.5)

_AXES = ("RAS", "LPS", "RAS", "PIR")  # of the files, in turn
_TISSUE, _WALL, _BLOOD, _FAT, _BONE = 0.42, 0.25, 0.78, 0.85, 0.18

Field = NDArray[np.float64]
Mask = NDArray[np.bool_]
Scalar = TypeVar("Scalar", bound=np.generic)


def make_phantom_dataset(
    root: Path,
    *,
    num_train: int = 8,
    num_labeled: int = 2,
    num_test: int = 3,
    shape: Index = (56, 56, 40),
    seed: int = 0,
) -> None:
    """Write a data set in the nnU-Net raw layout, with a splits.json; equal seeds, equal voxels.

    The first `num_labeled` training cases and all test cases have a label file. `shape` is in
    RAS+ order; some cases are stored along other axes, as scanners do.

    Raises:
        DataError: when a file cannot be written.
    """
    training = [f"phantom_{n:03d}" for n in range(num_train)]
    test = [f"phantom_{n:03d}" for n in range(num_train, num_train + num_test)]
    labeled, unlabeled = training[:num_labeled], training[num_labeled:]
    for folder in ("imagesTr", "labelsTr", "imagesTs", "labelsTs"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for number, name in enumerate([*training, *test]):
        suffix = "Ts" if name in test else "Tr"
        image, label = draw_case(np.random.default_rng([seed, number]), shape)
        grid, order = _stored_grid(shape, _AXES[number % len(_AXES)])
        stored = np.round(image)  # whole numbers, as scanners store, and small once compressed
        write_image(root / f"images{suffix}/{name}_0000.nii.gz", _along(stored, order)[None], grid)
        if name not in unlabeled:
            write_label(root / f"labels{suffix}/{name}.nii.gz", _along(label, order), grid)
    _write_json(root / "dataset.json", _description(num_train))
    split = {"labeled": labeled, "unlabeled": unlabeled, "test": test}
    _write_json(root / "splits.json", split)


def draw_case(rng: np.random.Generator, shape: Index) -> tuple[Image, NDArray[np.uint8]]:
    """Draw one patient in RAS+ on voxels of `SPACING_MM`.

    Returns:
        image (I, J, K) float32 from 0 to about 1000, in arbitrary units, and label (I, J, K):
        0 background, 1 organ, 2 vessel.
    """
    points = _warped_coordinates(rng, shape)  # (3, I, J, K)
    anatomy = _draw_anatomy(rng, points)
    return _acquire(rng, _tissue(rng, anatomy)), _label(anatomy)


def _warped_coordinates(rng: np.random.Generator, shape: Index) -> Field:
    """(3, I, J, K) smoothly bent position of each voxel, from about -1 to 1 along each axis."""
    axes = [(np.arange(n) + 0.5) / n * 2 - 1 for n in shape]
    straight = np.stack(np.meshgrid(*axes, indexing="ij"))
    bend = np.stack([_smooth_noise(rng, shape, knots=4) for _ in range(3)])
    size = rng.uniform(0.92, 1.08, size=(3, 1, 1, 1))
    shift = rng.uniform(-0.08, 0.08, size=(3, 1, 1, 1))
    return (straight - shift) / size + 0.06 * bend


def _draw_anatomy(rng: np.random.Generator, points: Field) -> dict[str, Mask]:
    """The structures as masks; where they overlap, the later one in this dict wins."""
    organ, appendage = _organ(rng, points)
    bulge = rng.uniform(-0.05, 0.05, size=3)
    return {
        "body": _ellipsoid(points, (0, 0, 0), (0.86, 0.74, 1.6)),
        "inside": _ellipsoid(points, (0, 0, 0), (0.77, 0.64, 1.5)),
        "bone": _tube(points, [(0, -0.45, -1.2), (0, -0.45, 1.2)], 0.16),
        "twin": _tube(points, [(-0.5, -0.1, -1.2), (-0.45, -0.2, 1.2)], rng.uniform(0.11, 0.14)),
        "chamber": _ellipsoid(points, np.add(bulge, (-0.18, 0.3, -0.28)), (0.3, 0.24, 0.36)),
        "wall": _ellipsoid(points, np.add(bulge, (0.02, 0.12, -0.02)), (0.36, 0.08, 0.3)),
        "vessel": _vessel(rng, points),
        "organ": organ | appendage,
    }


def _organ(rng: np.random.Generator, points: Field) -> tuple[Mask, Mask]:
    """Three overlapping lobes, and a tube that leaves them upwards."""
    centre = np.array([0.08, 0.05, 0.12]) + rng.uniform(-0.05, 0.05, size=3)
    lobes = [(0.0, 0.0, 0.0), (0.16, 0.1, 0.08), (-0.12, 0.02, 0.16)]
    masks = [
        _ellipsoid(points, centre + lobe, rng.uniform(0.8, 1.2, size=3) * (0.24, 0.2, 0.28))
        for lobe in lobes
    ]
    tip = np.add(centre, (0.28, 0.3, 0.5)) + rng.uniform(-0.06, 0.06, size=3)
    path = [centre, np.add(centre, (0.1, 0.22, 0.25)), tip]
    return np.logical_or.reduce(masks), _tube(points, path, rng.uniform(0.09, 0.12))


def _vessel(rng: np.random.Generator, points: Field) -> Mask:
    """A bent tube from bottom to top on the right, past the organ."""
    sway = rng.uniform(-0.06, 0.06, size=4)
    path = [
        (0.45 + sway[0], -0.2, -1.2),
        (0.5 + sway[1], -0.12 + sway[2], 0.0),
        (0.4, -0.2 + sway[3], 1.2),
    ]
    return _tube(points, path, rng.uniform(0.11, 0.14))


def _label(anatomy: dict[str, Mask]) -> NDArray[np.uint8]:
    label = np.zeros(anatomy["organ"].shape, np.uint8)
    label[anatomy["vessel"]] = 2
    label[anatomy["organ"]] = 1
    return label


def _tissue(rng: np.random.Generator, anatomy: dict[str, Mask]) -> Field:
    """The signal of each structure, with texture, before it is measured."""
    signals = {
        "body": _FAT,
        "inside": _TISSUE,
        "bone": _BONE,
        "twin": _BLOOD,
        "chamber": _BLOOD,
        "wall": _WALL,
        "vessel": _BLOOD,
        "organ": _BLOOD,
    }
    image = np.zeros(anatomy["body"].shape)
    for name, mask in anatomy.items():
        image[mask & anatomy["body"]] = signals[name] * rng.uniform(0.92, 1.08)
    texture = ndimage.gaussian_filter(rng.normal(size=image.shape), 1.2)
    return image * (1 + 0.45 * texture)


def _acquire(rng: np.random.Generator, signal: Field) -> Image:
    """Blur, coil sensitivity, Rician noise and an arbitrary scale."""
    blurred = ndimage.gaussian_filter(signal, rng.uniform(0.5, 0.8))
    bias = np.exp(0.22 * _smooth_noise(rng, signal.shape, knots=3))
    noise = 0.05 * rng.normal(size=(2, *signal.shape))
    magnitude = np.hypot(blurred * bias + noise[0], noise[1])
    return np.asarray(magnitude * rng.uniform(300, 700), np.float32)


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], *, knots: int) -> Field:
    """A random field from -1 to 1 that varies over about 1 / `knots` of the volume."""
    coarse = rng.uniform(-1, 1, size=(knots,) * 3)
    factors = [n / knots for n in shape]
    return np.asarray(ndimage.zoom(coarse, factors, order=2, mode="nearest", grid_mode=True))


def _ellipsoid(points: Field, centre: ArrayLike, radii: ArrayLike) -> Mask:
    offset = points - np.reshape(np.asarray(centre, np.float64), (3, 1, 1, 1))
    scaled = offset / np.reshape(np.asarray(radii, np.float64), (3, 1, 1, 1))
    return np.asarray((scaled**2).sum(axis=0) <= 1)


def _tube(points: Field, path: Sequence[ArrayLike], radius: float) -> Mask:
    """All points within `radius` of the line through `path`."""
    inside = np.zeros(points.shape[1:], bool)
    for start, end in pairwise(path):
        along = np.subtract(end, start, dtype=np.float64)
        offset = points - np.reshape(np.asarray(start), (3, 1, 1, 1))
        part = np.clip(np.tensordot(along, offset, axes=1) / (along @ along), 0, 1)
        distance = offset - part * np.reshape(along, (3, 1, 1, 1))
        inside |= (distance**2).sum(axis=0) <= radius**2
    return inside


def _stored_grid(shape: Index, codes: str) -> tuple[NativeGrid, Affine]:
    """The grid of a file whose axes run along `codes`, and nibabel's orientation of it."""
    centred = np.diag([*SPACING_MM, 1.0])
    centred[:3, 3] = [-0.5 * n * size for n, size in zip(shape, SPACING_MM, strict=True)]
    order = nib.orientations.axcodes2ornt(codes)  # of the file, seen from RAS+
    from_ras = nib.orientations.ornt_transform([[0, 1], [1, 1], [2, 1]], order)
    affine = centred @ nib.orientations.inv_ornt_aff(from_ras, shape)
    i, j, k = (shape[int(axis)] for axis, _ in order)
    return NativeGrid.from_affine((i, j, k), affine), from_ras


def _along(array: NDArray[Scalar], order: Affine) -> NDArray[Scalar]:
    return np.ascontiguousarray(nib.orientations.apply_orientation(array, order))


def _description(num_train: int) -> dict[str, object]:
    return {
        "channel_names": {"0": "MRI"},
        "labels": {name: value for value, name in enumerate(CLASS_NAMES)},
        "numTraining": num_train,
        "file_ending": ".nii.gz",
    }


def _write_json(path: Path, values: object) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
