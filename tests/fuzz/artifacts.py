"""Artifacts of every kind, signed as an attacker would."""

from pathlib import Path

import numpy as np

from samssl_cli.progress import Silent
from tests.fuzz.target import (
    Reader,
    Target,
    edited,
    no_edits,
    write_tree,
)


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
    from samssl_cli.report.diagnosis import quality_tables, reliabilities
    from samssl_cli.report.score_documents import csv_text, json_text
    from samssl_cli.stages.compare import compare

    scores = Scores(folder)
    for name in scores.names:
        scores.read(name)
    assert len(quality_tables(scores)) <= 2
    assert len(reliabilities(scores)) < len(scores.about["class_names"])
    assert csv_text(scores)
    assert json_text(scores)
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
    which_generalist(read_recipe("default", ["sam_label.generalist=scout"]), folder)
    convert_weights(folder, output / "x.safetensors", force=False, progress=Silent())


def _artifact(summary: str, name: str, *readers: Reader) -> Target:
    return Target(
        summary,
        no_edits,
        write_tree(name, is_signed=True),
        (_inspect, *readers),
        edited(name),
    )


ARTIFACTS: dict[str, Target] = {
    "cases": _artifact("cases.zarr", "cases.zarr", _read_cases, _export),
    "checkpoint": _artifact("specialist.zarr", "specialist.zarr", _read_checkpoint),
    "prompts": _artifact("prompts.zarr", "prompts.zarr", _read_prompts, _export),
    "labels": _artifact("pseudo.zarr", "pseudo.zarr", _export),
    "scores": _artifact("scores.zarr", "scores.zarr", _read_scores, _export),
    "generalist": _artifact("generalist.zarr", "generalist.zarr", _read_generalist),
}
