"""A generalist with weights, asked by its stage; a tiny SAM-Med3D stands in for the published."""

import numpy as np
import pytest
import torch

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.labels import PseudoLabels
from samssl_cli.artifacts.manifest import read_manifest
from samssl_cli.artifacts.prompt_set import PromptSet
from samssl_cli.errors import UsageError
from samssl_cli.generalists import sam_med3d
from samssl_cli.generalists.med3d_architecture import Architecture, Med3d
from samssl_cli.progress import Silent
from samssl_cli.stages.first_guess import first_guess
from samssl_cli.stages.sam_label import sam_label


@pytest.fixture
def spacings_mm(monkeypatch) -> list[tuple[float, float, float]]:
    """Put a tiny model in place of the loaded one; gives what `embed` is told, call by call."""
    torch.manual_seed(0)
    shape = Architecture(
        window=32, patch=8, encoder_width=24, num_heads=2, encoder_hidden=48, is_global=(False,)
    )
    model = Med3d(shape).requires_grad_(False).eval()
    monkeypatch.setattr(sam_med3d, "load_med3d", lambda path, device: model)
    told = []
    embed = sam_med3d.SamMed3d.embed

    def noting(self, image, spacing_mm):
        told.append(spacing_mm)
        return embed(self, image, spacing_mm)

    monkeypatch.setattr(sam_med3d.SamMed3d, "embed", noting)
    return told


def _label(loop, weights):
    paths = (loop.path(name) for name in ("cases", "prompts", "pseudo"))
    return sam_label(
        *paths,
        weights=weights,
        recipe=loop.recipe,
        device="cpu",
        force=False,
        progress=Silent(),
    )


def test_sam_med3d_labels_cases_and_is_told_their_voxel_sizes(loop, tmp_path, spacings_mm):
    weights = tmp_path / "sam_med3d_turbo.pth"
    weights.write_bytes(b"any")
    copy = loop.linked(tmp_path, "cases", "prompts", overrides=("sam_label.generalist=sam-med3d",))

    pseudo = PseudoLabels(_label(copy, weights))

    cases = Cases(loop.path("cases"))
    expected = [cases.read_unlabeled(name).geometry.spacing_mm for name in pseudo.names]
    np.testing.assert_allclose(sorted(spacings_mm), sorted(expected))
    (record,) = pseudo.generalists
    assert (record["name"], record["register"]) == ("sam-med3d", "sam-med3d-turbo")


def test_sam_med3d_without_weights_says_which_files_there_are(loop, tmp_path):
    copy = loop.linked(tmp_path, "cases", "prompts", overrides=("sam_label.generalist=sam-med3d",))

    with pytest.raises(UsageError, match=r"--checkpoint sam_med3d_turbo\.pth or sam_med3d\.pth"):
        _label(copy, None)


def _guess(loop, weights):
    return first_guess(
        loop.path("cases"),
        "prototype",
        loop.path("prompts"),
        weights=weights,
        recipe=loop.recipe,
        seed=0,
        device="cpu",
        force=False,
        progress=Silent(),
    )


def test_a_first_guess_looks_through_its_encoder_and_says_so(loop, tmp_path, spacings_mm, hashes):
    weights = tmp_path / "sam_med3d.pth"
    weights.write_bytes(b"any")
    overrides = ("sam_label.options.sam-med3d.variant=original",)
    copy = loop.linked(tmp_path, "cases", overrides=overrides)

    prompts = PromptSet(_guess(copy, weights))

    cases = Cases(loop.path("cases"))
    assert len(spacings_mm) == len(cases.labeled) + len(cases.unlabeled)
    assert [record["register"] for record in prompts.generalists] == ["sam-med3d"]
    plan = read_manifest(prompts.path, "prompts").plan
    asked = plan["options"]["first_guess"]["generalist"]
    assert asked == {"name": "sam-med3d", "options": {"variant": "original"}}
    assert set(plan["inputs"]) == {"cases", "labeled", "weights"}
    for name in prompts.names:
        np.testing.assert_allclose(prompts.probability(name).sum(axis=0), 1, atol=2e-3)
    other = tmp_path / "other"
    other.mkdir()
    again = _guess(loop.linked(other, "cases", overrides=overrides), weights)
    assert hashes(again) == hashes(prompts.path)


def test_a_first_guess_needs_a_generalist_with_features(loop, tmp_path):
    copy = loop.linked(tmp_path, "cases", overrides=("first_guess.generalist=scout",))

    with pytest.raises(UsageError, match=r"scout, which gives no features .*: sam-med3d"):
        _guess(copy, None)


def test_a_first_guess_without_weights_says_which_files_there_are(loop, tmp_path):
    with pytest.raises(UsageError, match=r"--checkpoint sam_med3d_turbo\.pth or sam_med3d\.pth"):
        _guess(loop.linked(tmp_path, "cases"), None)
