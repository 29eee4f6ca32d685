"""Everything that samssl reads from outside, as a table: what to write, and who reads it."""

import gzip
import io
import random
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from samssl_cli.errors import SamsslError
from samssl_cli.progress import Silent
from tests.fuzz import edits, forging, guard, noise, seeds

MB = 1_000_000
_MAX_BYTES = 100 * MB
"""Of a volume, in place of the 4 GB that a recipe allows."""

Reader = Callable[[Path, Path], object]
"""Reads what is in the first folder; may write in the second."""


@dataclass(frozen=True)
class Target:
    """One way in."""

    summary: str
    examples: Callable[[], list[bytes]]
    """Inputs to begin with, sound ones among them."""
    write: Callable[[bytes, Path], None]
    """Turns an input into files in a folder."""
    readers: tuple[Reader, ...]
    mutated: Callable[[bytes, random.Random], bytes]
    """Another input like this one."""
    named: tuple[str, ...] = ()
    """What a refusal names where it does not name a file."""


def judge(target: Target, data: bytes) -> guard.Verdict:
    """Let all readers of a target read an input: the first broken promise, or the last refusal."""
    verdict = guard.Verdict(is_fine=True, told="")
    for number, reader in enumerate(target.readers):
        with tempfile.TemporaryDirectory(prefix="samssl-fuzz-") as scratch:
            inside, output = Path(scratch) / "in", Path(scratch) / "out"
            inside.mkdir()
            output.mkdir()
            target.write(data, inside)

            def action(reader: Reader = reader, paths: Any = (inside, output)) -> object:
                return reader(*paths)

            named = (str(inside), str(output), *target.named)
            verdict = guard.judge(action, named=named, writable=output)
            strangers = {path.name for path in Path(scratch).iterdir()} - {"in", "out"}
            if strangers:
                verdict = guard.Verdict(False, f"wrote {strangers}", "forbidden write")
        if not verdict.is_fine:
            return guard.Verdict(False, verdict.told, f"{verdict.place} (reader {number})")
    return verdict


def warm_up(target: Target) -> None:
    """Read the examples unwatched: what is imported late is imported now."""
    from samssl_cli.inference import sliding_window
    from samssl_cli.metrics import postprocess
    from samssl_cli.stages import preparation, specialist

    assert all((sliding_window, postprocess, preparation, specialist))
    for data in target.examples():
        for reader in target.readers:
            with tempfile.TemporaryDirectory(prefix="samssl-fuzz-") as scratch:
                inside, output = Path(scratch) / "in", Path(scratch) / "out"
                inside.mkdir()
                output.mkdir()
                target.write(data, inside)
                with suppress(SamsslError):
                    reader(inside, output)


# ---- volumes ------------------------------------------------------------------------------------


def _nifti_examples() -> list[bytes]:
    import nibabel as nib

    image = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    plain = nib.Nifti1Image(image, np.eye(4)).to_bytes()
    second = nib.Nifti2Image(image, np.eye(4)).to_bytes()
    scaled = nib.Nifti1Image(image.astype(np.float32)[..., None], np.diag([2, -1, 3, 1]))
    scaled.header["scl_slope"], scaled.header["qform_code"] = 2, 1
    return [plain, second, scaled.to_bytes(), gzip.compress(plain)]


def _write_nifti(data: bytes, folder: Path) -> None:
    is_packed = data[:2] == b"\x1f\x8b"
    (folder / "x.nii.gz").write_bytes(data if is_packed else gzip.compress(data, 1))
    (folder / "x.nii").write_bytes(data)


def _nifti_reader(name: str, file: str) -> Reader:
    def read(folder: Path, _: Path) -> object:
        from samssl_cli.volumes import nifti

        return getattr(nifti, name)(folder / file, max_bytes=_MAX_BYTES)

    return read


def _labeled_pair(folder: Path, output: Path) -> None:
    """A volume that is read is also brought to another grid, and written."""
    from samssl_cli.stages.preparation import prepare_image
    from samssl_cli.volumes import nifti

    image, grid = nifti.read_volume(folder / "x.nii", max_bytes=_MAX_BYTES)
    facts = {"crop": "nonzero", "spacing_mm": None, "ct_windows": [None] * len(image)}
    _, geometry = prepare_image(image, grid, facts, where=folder / "x.nii", max_bytes=_MAX_BYTES)
    assert np.isfinite(geometry.affine).all()
    nifti.write_image(output / "again.nii", image, grid)


def _h5_examples() -> list[bytes]:
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["image"] = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
        file.create_dataset("label", data=np.ones((2, 3, 4), np.uint8), compression="gzip")
    return [stream.getvalue()]


def _read_h5(folder: Path, _: Path) -> None:
    from samssl_cli.volumes import h5

    path = folder / "x.h5"
    if h5.holds_label(path):
        h5.read_label(path, max_bytes=_MAX_BYTES)
    h5.read_volume(path, max_bytes=_MAX_BYTES)
    h5.digest(path, "image")


def _file(name: str) -> Callable[[bytes, Path], None]:
    return lambda data, folder: (folder / name).write_bytes(data) and None


# ---- data sets ----------------------------------------------------------------------------------


def _no_edits() -> list[bytes]:
    return [b"[]"]


def _write_tree(name: str, *, is_signed: bool = False) -> Callable[[bytes, Path], None]:
    def write(data: bytes, folder: Path) -> None:
        edits.write(edits.applied(seeds.tree(name), edits.parse(data)), folder)
        if is_signed:
            forging.sign(folder)

    return write


def _edited(name: str) -> Callable[[bytes, random.Random], bytes]:
    return lambda data, rng: edits.changed(data, seeds.tree(name), rng)


def _preprocess(folder: Path, output: Path) -> None:
    from samssl_cli.recipe import read_recipe
    from samssl_cli.stages.preprocess import preprocess

    split = folder / "split.json"
    preprocess(
        folder,
        output / "cases.zarr",
        labeled=None if split.exists() else 1,
        split_path=split if split.exists() else None,
        recipe=read_recipe("default", ["preprocess.max_volume_gb=0.1"]),
        num_workers=1,
        force=False,
        progress=Silent(),
    )


def _read_names(folder: Path, _: Path) -> object:
    from samssl_cli.volumes.datasets.roles import read_names

    return read_names(folder / "names.txt")


def _write_predicted(data: bytes, folder: Path) -> None:
    tree = edits.applied(seeds.tree("predicted"), edits.parse(data))
    for name, place in (("images", folder), ("there", folder.parent / "out")):
        edits.write({path: tree[path] for path in tree if path.startswith(name)}, place)


def _predict(folder: Path, output: Path) -> None:
    seeds.predict_sound(seeds.sound(), output / "there", images=folder / "images")


# ---- recipes ------------------------------------------------------------------------------------


def _recipe_examples() -> list[bytes]:
    from samssl_cli.recipe import Recipe
    from samssl_cli.recipe.shipped import SHIPPED
    from samssl_cli.recipe.writing import as_toml

    return [
        *(path.read_bytes() for path in sorted(SHIPPED.glob("*.toml"))),
        as_toml(Recipe()).encode(),
    ]


_TOML = tuple(
    b'1979-05-27|07:32:00|1979-05-27T07:32:00Z|nan|inf|-inf|[]|{}|"\\u0000"|"\\uD800"|0x7fffffffffff'
    b"ffffffff|1e400|true|\n[a.b.c]\n|\n[[train_ssl]]\n|.|=|\n|''|[1,2,3]|{ a = 1 }|-1|999999999"
    b"|[[[[[[|train_ssl.|preprocess.|=[1,1,1]|sam_label.options.sam.x = 1979-05-27\n".split(b"|")
)


def _noisy(*words: bytes) -> Callable[[bytes, random.Random], bytes]:
    return lambda data, rng: noise.noisy(data, rng, words)


def _read_recipe(folder: Path, output: Path) -> None:
    from samssl_cli.recipe import read_recipe

    _use_recipe(read_recipe(str(folder / "recipe.toml")), output)


def _describe_recipe(folder: Path, _: Path) -> None:
    from samssl_cli.recipe.shipped import opening, source_of

    opening(folder / "recipe.toml")
    source_of(folder / "recipe.toml")


def _use_recipe(recipe: Any, output: Path) -> None:
    """What every stage does with a recipe before any work."""
    from samssl_cli.artifacts.manifest import Plan
    from samssl_cli.recipe import read_recipe
    from samssl_cli.recipe.writing import as_toml
    from samssl_cli.stages.inputs import check_option_tables

    check_option_tables(recipe)
    names = ("preprocess", "network", "train_ssl", "prompt", "sam_label", "gate", "retrain")
    options = recipe.narrowed().options(*names)
    assert Plan("checkpoint", "train-ssl", options, 0, {}).fingerprint
    (output / "again.toml").write_bytes(as_toml(recipe).encode())
    assert repr(read_recipe(str(output / "again.toml"))) == repr(recipe)  # a NaN is not itself


def _apply_overrides(folder: Path, output: Path) -> None:
    from samssl_cli.recipe import read_recipe

    text = (folder / "set.txt").read_text(encoding="utf-8", errors="surrogateescape")
    _use_recipe(read_recipe("default", text.split("\n")), output)


def _override_examples() -> list[bytes]:
    return [
        b"train_ssl.steps=5\npreprocess.spacing_mm=[1,1,1]",
        b'prompt.strategies=["box"]\nsam_label.options.sam.x=1',
        b"retrain.method=uamt\ntrain_ssl.method_options.uamt.a=true",
        b"network.channels=[2,4]\naugmentation.flip_axes=[0,1]",
    ]


# ---- artifacts ----------------------------------------------------------------------------------


def _inspect(folder: Path, _: Path) -> None:
    from samssl_cli.stages.inspect import describe, verify

    describe(folder)
    verify(folder, Silent())


def _export(folder: Path, output: Path) -> None:
    from samssl_cli.stages.export import export

    export(folder, output / "nifti", force=False, progress=Silent())


def _read_cases(folder: Path, _: Path) -> None:
    from samssl_cli.artifacts.cases import Cases
    from samssl_cli.artifacts.heldout import HeldOutLabels

    cases = Cases(folder)
    assert len(cases.labeled_fingerprint) == 64
    for name in cases.names:
        case = cases.read_unlabeled(name)
        assert case.image.ndim == 4
        assert np.isfinite(case.geometry.affine).all()
    for name in cases.labeled:
        assert cases.read_labeled(name).label.ndim == 3
    held_out = HeldOutLabels(folder)
    for name in held_out.names:
        held_out.read(name)


def _read_checkpoint(folder: Path, _: Path) -> None:
    import torch

    from samssl_cli.artifacts.checkpoint import Checkpoint
    from samssl_cli.recipe import Inference
    from samssl_cli.stages.specialist import load_specialist, note_untrained_flips

    checkpoint = Checkpoint(folder)
    checkpoint.curves()
    options = Inference(flips=True)
    note_untrained_flips(checkpoint, options, Silent())
    specialist = load_specialist(checkpoint, options, torch.device("cpu"))
    channels = len(checkpoint.facts.channel_names)
    specialist.predict(np.zeros((channels, 8, 8, 8), np.float32))


def _read_prompts(folder: Path, _: Path) -> None:
    from samssl_cli.artifacts.prompt_set import PromptSet

    prompts = PromptSet(folder)
    for name in prompts.names:
        shape = prompts.probability(name).shape[1:]
        for found in prompts.objects(name):
            assert found.mask.shape == shape
            assert all(prompt.extent is not None or prompt for prompt in found.sets)


def _read_scores(folder: Path, _: Path) -> None:
    from samssl_cli.artifacts.scores import Scores
    from samssl_cli.stages.compare import compare

    scores = Scores(folder)
    for name in scores.names:
        scores.read(name)
    compare({"one": [folder], "other": [folder]}, progress=Silent())


def _read_generalist(folder: Path, output: Path) -> None:
    from samssl_cli.artifacts.generalist import GeneralistWeights
    from samssl_cli.recipe import read_recipe
    from samssl_cli.stages.weights import convert_weights
    from samssl_cli.stages.which_generalist import which_generalist

    own = GeneralistWeights(folder)
    assert own.is_adapted in (True, False)
    for fold in own.folds():
        own.of_fold(fold).tensors()
    which_generalist(read_recipe("default"), folder)
    convert_weights(folder, output / "x.safetensors", force=False, progress=Silent())


def _artifact(summary: str, name: str, *readers: Reader) -> Target:
    return Target(
        summary,
        _no_edits,
        _write_tree(name, is_signed=True),
        (_inspect, *readers),
        _edited(name),
    )


TARGETS: dict[str, Target] = {
    "nifti": Target(
        ".nii and .nii.gz",
        _nifti_examples,
        _write_nifti,
        (
            *(
                _nifti_reader(name, file)
                for name in ("read_volume", "read_label")
                for file in ("x.nii", "x.nii.gz")
            ),
            _labeled_pair,
        ),
        _noisy(b"n+1\0", b"ni1\0", b"\x1f\x8b"),
    ),
    "h5": Target("h5 volumes", _h5_examples, _file("x.h5"), (_read_h5,), _noisy()),
    "dataset": Target(
        "a folder in the nnU-Net layout, with a split.json",
        _no_edits,
        _write_tree("data"),
        (_preprocess,),
        _edited("data"),
    ),
    "names": Target(
        "a list of case names",
        lambda: [b"a\nb # c\n"],
        _file("names.txt"),
        (_read_names,),
        _noisy(b"#", b"\n", b"\xff", b"\0"),
    ),
    "predicted": Target(
        "images to predict, and a folder of earlier predictions",
        _no_edits,
        _write_predicted,
        (_predict,),
        _edited("predicted"),
    ),
    "recipe": Target(
        "a recipe",
        _recipe_examples,
        _file("recipe.toml"),
        (_read_recipe, _describe_recipe),
        _noisy(*_TOML),
        named=("unknown method", "unknown generalist", "unknown first guess"),
    ),
    "set": Target(
        "values of --set",
        _override_examples,
        _file("set.txt"),
        (_apply_overrides,),
        _noisy(b"NaN", b"Infinity", b"[" * 5000, b'{"a":' * 5000, b".", b"=", b"1" * 5000, *_TOML),
        named=("--set", "recipe default", "unknown method", "unknown generalist"),
    ),
    "cases": _artifact("cases.zarr", "cases.zarr", _read_cases, _export),
    "checkpoint": _artifact("specialist.zarr", "specialist.zarr", _read_checkpoint),
    "prompts": _artifact("prompts.zarr", "prompts.zarr", _read_prompts, _export),
    "labels": _artifact("pseudo.zarr", "pseudo.zarr", _export),
    "scores": _artifact("scores.zarr", "scores.zarr", _read_scores, _export),
    "generalist": _artifact("generalist.zarr", "generalist.zarr", _read_generalist),
}
