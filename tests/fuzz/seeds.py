"""A sound data set and a sound artifact of every kind, as small as can be: what inputs distort."""

import atexit
import gzip
import json
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from samssl_cli.progress import Silent
from samssl_cli.recipe import read_recipe
from samssl_cli.volumes.phantom import make_phantom_dataset
from tests.fuzz import edits

FOLDER_VARIABLE = "SAMSSL_FUZZ_SEEDS"
"""Names what `sound` gave to another process."""

_RECIPE = """\
network.channels = [2, 4]
prompt.strategies = ["mask", "box", "points"]
prompt.num_sets = 2
prompt.min_component_voxels = 1
sam_label.generalist = "region-growing"
[train_ssl]
steps = 2
patch_size = [8, 8, 8]
[retrain]
steps = 1
patch_size = [8, 8, 8]
"""


@cache
def sound() -> Path:
    """A folder with `data` and, of one run of the stages on it, `cases.zarr` to `scores.zarr`."""
    if made := os.environ.get(FOLDER_VARIABLE):
        return Path(made)
    root = Path(tempfile.mkdtemp(prefix="samssl-fuzz-seeds-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    (root / "recipe.toml").write_text(_RECIPE)
    make_phantom_dataset(root / "data", num_train=2, num_labeled=1, num_test=1, shape=(12, 12, 12))
    _unpack(root / "data")
    _run_stages(root)
    _write_generalist(root)
    return root


@cache
def tree(name: str) -> edits.Tree:
    """The files of `data`, or of the artifact of this name."""
    return edits.read(sound() / name)


def _unpack(data: Path) -> None:
    """Store volumes as .nii: a change to what is compressed would not get past the checksum."""
    for path in data.rglob("*.nii.gz"):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    described = json.loads((data / "dataset.json").read_text())
    (data / "dataset.json").write_text(json.dumps({**described, "file_ending": ".nii"}))


def _run_stages(root: Path) -> None:
    from samssl_cli.stages.evaluate import evaluate
    from samssl_cli.stages.preprocess import preprocess
    from samssl_cli.stages.prompt import prompt
    from samssl_cli.stages.sam_label import sam_label
    from samssl_cli.stages.train_ssl import train_ssl

    cases, specialist, prompts, pseudo, scores = (
        root / f"{name}.zarr" for name in ("cases", "specialist", "prompts", "pseudo", "scores")
    )
    common: dict[str, Any] = {
        "recipe": read_recipe(str(root / "recipe.toml")),
        "force": False,
        "progress": Silent(),
    }
    preprocess(root / "data", cases, labeled=1, split_path=None, num_workers=1, **common)
    train_ssl(cases, specialist, seed=0, device="cpu", volumes_gb=1.0, **common)
    prompt(cases, specialist, prompts, seed=0, device="cpu", **common)
    sam_label(cases, prompts, pseudo, weights=None, device="cpu", **common)
    evaluate(cases, specialist, scores, largest_component=(), device="cpu", **common)
    shutil.copytree(root / "data" / "imagesTs", root / "predicted" / "images")
    predict_sound(root, root / "predicted" / "there", images=root / "predicted" / "images")


def predict_sound(root: Path, output: Path, *, images: Path, force: bool = False) -> None:
    """Predict images with the sound specialist."""
    from samssl_cli.stages.predict import predict

    predict(
        root / "specialist.zarr",
        [images],
        output,
        recipe=read_recipe(str(root / "recipe.toml")),
        only_largest=False,
        with_probabilities=False,
        refine=False,
        weights=None,
        device="cpu",
        force=force,
        progress=Silent(),
        embeddings=None,
    )


def _write_generalist(root: Path) -> None:
    from samssl_cli.artifacts.draft import open_draft
    from samssl_cli.artifacts.generalist import write_fold_weights, write_generalist
    from samssl_cli.artifacts.manifest import Plan

    plan = Plan("generalist", "adapt", {"adapt": {"steps": 1}}, seed=0, inputs={"cases": "c" * 64})
    tensors = {"decoder.weight": np.ones((2, 3), np.float32)}
    adapted = {"steps": 1, "cases_fingerprint": "c" * 64, "dataset": "phantom", "num_labeled": 1}
    with open_draft(root / "generalist.zarr", plan) as draft:
        assert draft is not None
        write_generalist(draft.root, tensors, {"dice": np.zeros(1, np.float32)})
        write_fold_weights(draft.root, 0, tensors, cases=("a",), half=None)
        draft.seal({"generalist": "scout", "options": {}, "base_needed": None, "adapted": adapted})
