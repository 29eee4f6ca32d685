"""A raw data set preprocessed by samssl, beside nnU-Net's own preprocessing, with two workers each.

Both commands are run as a user would, each in a process of its own, on the same training images and
labels: `samssl preprocess`, and nnU-Net's fingerprint, plan and preprocessing of its configuration
`3d_fullres`. Both read everything, find out the voxel size, resample, standardise and write
compressed arrays. nnU-Net wants a label for each image: where there is none it gets an empty one,
made beforehand.

The data set is a phantom, or the folder in nnU-Net's layout that SAMSSL_BENCH_DATASET names.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks.suite import Entry, Pair

NUM_CASES = 8
SHAPE = (120, 110, 60)
WORKERS = "2"

_EQUAL = 0.05
_QUANTILES = np.linspace(0.01, 0.99, 99)

Seen = dict[str, tuple[NDArray[np.float64], int]]
"""Quantiles of the standardised intensities of each labeled case, and its foreground voxels."""


def pairs() -> Iterator[Pair]:
    """One: the whole data set."""
    named = os.environ.get("SAMSSL_BENCH_DATASET")
    with TemporaryDirectory() as name:
        folder = Path(name)
        raw = Path(named) if named else _phantom(folder)
        ours, theirs = _linked(raw, folder / "ours"), _linked(raw, _nnunet(folder, "raw"))
        names = {path.name for path in (ours / "labelsTr").iterdir()}
        num = _fill_in(theirs)
        yield Pair(
            f"{num} cases" + ("" if named else ", phantom"),
            partial(_by_samssl, ours, folder),
            partial(_by_nnunet, folder, names),
            differing,
            _EQUAL,
        )


def differing(ours: Seen, theirs: Seen) -> float:
    """Largest difference of a quantile, in standard deviations, or relative one of the foreground.

    Axes and signs are in another order, so voxels are not compared one by one.
    """
    if ours.keys() != theirs.keys() or not ours:
        return float("inf")
    quantiles = [np.abs(ours[name][0] - theirs[name][0]).max() for name in ours]
    voxels = [abs(ours[name][1] / theirs[name][1] - 1) for name in ours]
    return float(max(*quantiles, *voxels))


def _phantom(folder: Path) -> Path:
    from samssl_cli.volumes.phantom import make_phantom_dataset

    root = folder / "phantom"
    make_phantom_dataset(root, num_train=NUM_CASES, num_labeled=NUM_CASES, num_test=0, shape=SHAPE)
    return root


def _linked(raw: Path, target: Path) -> Path:
    """The training half of a data set, as links."""
    target.mkdir(parents=True)
    shutil.copy(raw / "dataset.json", target)
    for part in ("imagesTr", "labelsTr"):
        (target / part).mkdir()
        for path in (raw / part).iterdir():
            (target / part / path.name).symlink_to(path.resolve())
    return target


def _nnunet(folder: Path, what: str) -> Path:
    return folder / "nnunet" / what / "Dataset001_Benchmark"


def _fill_in(root: Path) -> int:
    """Give images without a label an empty one; returns how many images there are."""
    import nibabel

    described = json.loads((root / "dataset.json").read_text(encoding="utf-8"))
    images = sorted((root / "imagesTr").glob("*_0000.nii.gz"))
    for path in images:
        label = root / "labelsTr" / path.name.replace("_0000.nii.gz", ".nii.gz")
        if not label.exists():
            image = nibabel.load(path)
            nibabel.save(nibabel.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine), label)
    described["numTraining"] = len(images)
    (root / "dataset.json").write_text(json.dumps(described), encoding="utf-8")
    return len(images)


def _by_samssl(raw: Path, folder: Path) -> Seen:
    from samssl_cli.artifacts.cases import Cases

    output = folder / "cases.zarr"
    shutil.rmtree(output, ignore_errors=True)
    _run("-m", "samssl_cli", "preprocess", raw, "-o", output, "--workers", WORKERS)
    cases = Cases(output)
    labeled = {name: cases.read_labeled(name) for name in cases.labeled}
    return {
        name: _seen(np.asarray(case.image[0], np.float64), case.label)
        for name, case in labeled.items()
    }


def _by_nnunet(folder: Path, labeled: set[str]) -> Seen:
    from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

    root = folder / "nnunet"
    shutil.rmtree(root / "preprocessed", ignore_errors=True)
    here = {f"nnUNet_{what}": str(root / what) for what in ("raw", "preprocessed", "results")}
    begin = "from nnunetv2.experiment_planning import plan_and_preprocess_entrypoints as e; e."
    for command, options in (
        ("extract_fingerprint_entry()", ["-np", WORKERS]),
        ("plan_experiment_entry()", []),
        ("preprocess_entry()", ["-c", "3d_fullres", "-np", WORKERS]),
    ):
        _run("-c", begin + command, "-d", "1", *options, **here)
    written = nnUNetDatasetBlosc2(str(_nnunet(folder, "preprocessed") / "nnUNetPlans_3d_fullres"))
    found: Seen = {}
    for name in written.identifiers:
        if f"{name}.nii.gz" in labeled:
            image, label, *_ = written.load_case(name)
            found[name] = _seen(np.asarray(image[0], np.float64), np.asarray(label[0]))
    return found


def _seen(
    image: NDArray[np.float64], label: NDArray[np.integer]
) -> tuple[NDArray[np.float64], int]:
    standardised = (image - image.mean()) / image.std()
    return np.quantile(standardised, _QUANTILES), int((label > 0).sum())


def _run(*arguments: object, **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stdout + done.stderr


ENTRY = Entry(
    name="preprocess",
    summary="a raw data set, beside nnU-Net's fingerprint, plan and preprocessing",
    pairs=pairs,
    needs={"nnunetv2": "nnunetv2"},
    repeats=2,
)
