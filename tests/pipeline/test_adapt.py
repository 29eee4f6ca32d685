"""`samssl adapt`: scout learns from the labeled cases, and only as far as left-out labels say."""

import shutil

import nibabel as nib
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.generalist import GeneralistWeights
from samssl_cli.artifacts.labels import PseudoLabels
from samssl_cli.errors import UsageError
from samssl_cli.generalists.scout_network import ScoutNetwork
from samssl_cli.stages.adapt import adapt
from samssl_cli.stages.sam_label import sam_label
from samssl_cli.training import lessons

OVERRIDES = (
    "sam_label.generalist=scout",
    "sam_label.options.scout.num_flips=1",
    "sam_label.options.scout.budget=14000",
    "adapt.steps=3",
    "adapt.check_every=2",
    "adapt.checkpoint_every=1",
    "adapt.batch_size=1",
    "adapt.prompts_per_case=2",
    "adapt.learning_rate=0.001",
    "adapt.min_component_voxels=20",
)


@pytest.fixture(autouse=True)
def _small_views(monkeypatch):
    monkeypatch.setattr(lessons, "SHAPES", ((24, 24, 24),))
    monkeypatch.setattr(lessons, "_SCENE_SIZE", (32, 32, 32))


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("scout") / "random.safetensors"
    save_file(ScoutNetwork().state_dict(), path)
    return path


def run(loop, output, weights, *more, seed=0):
    of = loop.beside(overrides=(*OVERRIDES, *more))
    path = adapt(
        of.path("cases"), output, weights=weights, seed=seed, device="cpu", **of._common(False)
    )
    return path, of.notes


@pytest.fixture(scope="session")
def two_labeled(loop, tmp_path_factory):
    """The same data with two labeled cases."""
    out = tmp_path_factory.mktemp("two")
    two = loop.beside(out=out, labeled=2)
    two.preprocess()
    return two


def test_of_a_single_case_each_half_is_left_out_once(loop, weights, tmp_path):
    path, notes = run(loop, tmp_path / "g.zarr", weights)

    found = GeneralistWeights(path)
    validation = found.about["cross_validation"]
    assert validation["checks"] == [0, 2, 3]
    assert [name.split(": ")[1].split(" half")[0] for name in validation["left_out"]] == [
        "high",
        "low",
    ]
    assert {len(dice) for dice in validation["units"].values()} == {3}
    assert found.about["label_budget"]["training"] == 1
    assert "left-out labels" in notes[-1]
