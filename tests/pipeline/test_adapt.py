"""`samssl adapt`: scout learns from the labeled cases, and only as far as left-out labels say."""

import shutil

import nibabel as nib
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.draft import open_draft
from samssl_cli.artifacts.generalist import GeneralistWeights, write_generalist
from samssl_cli.artifacts.manifest import Plan, read_manifest
from samssl_cli.artifacts.store import find_all_damage
from samssl_cli.errors import UsageError
from samssl_cli.generalists import scout_network
from samssl_cli.generalists.scout_network import ScoutNetwork
from samssl_cli.recipe import read_recipe
from samssl_cli.stages import adapting, checks
from samssl_cli.stages.adapt import adapt
from samssl_cli.stages.sam_label import sam_label
from samssl_cli.training import lessons

OVERRIDES = (
    "sam_label.generalist=scout",
    "sam_label.options.scout.num_flips=1",
    "sam_label.options.scout.budget=14000",
    "adapt.steps=3",
    "adapt.check_every=2",
    "adapt.batch_size=1",
    "adapt.prompts_per_case=2",
    "adapt.learning_rate=0.001",
    "adapt.average_decay=0.5",
    "adapt.min_component_voxels=20",
)


@pytest.fixture(scope="module", autouse=True)
def _small():
    """A thinner network that looks at smaller views."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scout_network, "_FINEST", 4)
        patch.setattr(scout_network, "_BLOCKS", (1, 1, 1, 1))
        patch.setattr(lessons, "SHAPES", ((24, 24, 24),))
        patch.setattr(lessons, "_SCENE_SIZE", (32, 32, 32))
        yield


@pytest.fixture(scope="module")
def weights(_small, tmp_path_factory):
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp("scout") / "random.safetensors"
    save_file(ScoutNetwork().state_dict(), path)
    return path


def run(loop, output, weights, *more):
    """Adapt; gives the artifact's path and what a person was told."""
    of = loop.beside(overrides=(*OVERRIDES, *more))
    path = adapt(
        of.path("cases"), output, weights=weights, seed=0, device="cpu", **of._common(False)
    )
    return path, of.notes


@pytest.fixture
def helps(monkeypatch, weights):
    """Let answers be the better, the farther the weights have moved."""
    monkeypatch.setattr(adapting.Exam, "dice", better_when_moved(weights))


def better_when_moved(weights):
    before = load_file(weights)

    def dice(exam, generalist):
        parts = generalist.training_parts(lora_rank=1).state_dict()
        moved = [(parts[name] - old).abs().mean() for name, old in before.items()]
        return np.full(len(exam.questions), 0.1 + 100 * float(torch.stack(moved).mean()))

    return dice


@pytest.fixture(scope="module")
def two_labeled(loop, tmp_path_factory):
    """The same data with two labeled cases."""
    two = loop.beside(out=tmp_path_factory.mktemp("two"), labeled=2)
    two.preprocess()
    return two


def test_of_a_single_case_each_half_is_left_out_once(loop, weights, tmp_path):
    path, notes = run(loop, tmp_path / "g.zarr", weights)

    found = GeneralistWeights(path)
    validation = found.about["cross_validation"]
    assert validation["checks"] == [0, 2, 3]
    assert [name.split(" half")[0] for name in validation["left_out"]] == [
        "phantom_000: high",
        "phantom_000: low",
    ]
    assert [len(dice) for dice in validation["units"].values()] == [3, 3]
    assert found.about["label_budget"] == {"training": 1, "selection": 1, "calibration": 0}
    assert "left-out labels" in notes[-1]


def test_each_of_two_cases_is_left_out_once(two_labeled, weights, tmp_path):
    path, _ = run(two_labeled, tmp_path / "g.zarr", weights)

    found = GeneralistWeights(path)
    assert found.about["cross_validation"]["left_out"] == ["phantom_000", "phantom_001"]
    assert found.about["adapted"]["num_labeled"] == 2
    assert found.about["label_budget"]["training"] == 2


def test_weights_that_get_no_better_are_left_as_they_were(loop, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(adapting.Exam, "dice", lambda exam, _: np.full(2, 0.4, np.float32))

    path, notes = run(loop, tmp_path / "g.zarr", weights)

    assert notes[-1].startswith("adaptation does not help on the left-out labels: the weights are")
    assert GeneralistWeights(path).about["steps"] == 0
    before, tensors = load_file(weights), GeneralistWeights(path).tensors()
    assert tensors.keys() == before.keys()
    for name, tensor in before.items():
        np.testing.assert_array_equal(tensors[name], tensor)


def test_weights_that_get_better_are_trained_on_all_labels(loop, weights, tmp_path, helps):
    path, notes = run(loop, tmp_path / "g.zarr", weights)

    found = GeneralistWeights(path)
    assert notes[-1].startswith("adapting for 3 steps: Dice on left-out labels 0.10")
    assert found.about["steps"] == 3
    assert found.about["cross_validation"]["choice"]["best"] == 3
    assert found.curves()["dice"].shape == (3,)
    torch.manual_seed(5)
    untrained = ScoutNetwork().state_dict()
    assert any(
        (found.tensors()[name] != tensor.numpy()).any() for name, tensor in untrained.items()
    )


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@pytest.fixture(scope="module")
def adapted(loop, weights, tmp_path_factory):
    """An adapted scout; read only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(adapting.Exam, "dice", better_when_moved(weights))
        return run(loop, tmp_path_factory.mktemp("adapted") / "adapted.zarr", weights)[0]


@pytest.mark.parametrize(
    ("module", "function", "call"),
    [
        (adapting, "save_progress", 2),
        (checks, "write_member", 3),
        (adapting, "save_progress", 5),
        (adapting, "write_fold_weights", 2),
        (adapting, "save_progress", 8),
    ],
    ids=[
        "in a fold",
        "before a check is kept",
        "in the next fold",
        "before a fold's weights are kept",
        "in the last training",
    ],
)
def test_killed_and_resumed_equals_undisturbed(
    loop, adapted, weights, tmp_path, hashes, helps, monkeypatch, module, function, call
):
    original, calls = getattr(module, function), []

    def dying(*arguments, **named):
        calls.append(1)
        if len(calls) == call:
            raise Killed
        return original(*arguments, **named)

    output = tmp_path / "g.zarr"
    monkeypatch.setattr(module, function, dying)
    with pytest.raises(Killed):
        run(loop, output, weights, "adapt.checkpoint_every=1")
    monkeypatch.setattr(module, function, original)
    resumed, notes = run(loop, output, weights)

    assert f"resuming {output}" in notes
    assert hashes(resumed) == hashes(adapted)
    assert not list(tmp_path.glob("*.progress"))


def test_of_each_fold_the_weights_are_kept_that_did_not_see_its_labels(adapted, weights):
    found = GeneralistWeights(adapted)
    high, low = found.folds()

    assert high.cases == low.cases == ("phantom_000",)
    assert (high.half.side, low.half.side) == ("high", "low")
    assert high.half.voxel == low.half.voxel > 0
    kept = [found.of_fold(fold) for fold in (high, low)]
    assert len({found.content, *(one.content for one in kept)}) == 3
    before = load_file(weights)
    for one in kept:
        tensors = one.tensors()
        assert tensors.keys() == before.keys()
        assert any((tensors[name] != old.numpy()).any() for name, old in before.items())


def test_weights_that_were_left_as_they_were_have_no_folds(loop, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(adapting.Exam, "dice", lambda exam, _: np.full(2, 0.4, np.float32))

    path, _ = run(loop, tmp_path / "g.zarr", weights)

    assert not GeneralistWeights(path).is_adapted
    assert GeneralistWeights(path).folds() == ()


def test_lost_weights_of_a_fold_are_trained_again_to_the_same_bytes(
    loop, adapted, weights, tmp_path, hashes, helps
):
    copy = shutil.copytree(adapted, tmp_path / "g.zarr")
    next((copy / "weights.1" / "tensors").rglob("c/*")).write_bytes(b"lost")
    assert find_all_damage(copy)

    of = loop.beside(overrides=OVERRIDES)
    adapt(of.path("cases"), copy, weights=weights, seed=0, device="cpu", **of._common(True))

    assert hashes(copy) == hashes(adapted)


def test_run_twice_does_nothing(loop, adapted, weights, hashes):
    before = hashes(adapted)

    _, notes = run(loop, adapted, weights)

    assert notes[-1] == f"{adapted} is up to date"
    assert hashes(adapted) == before


def test_held_out_masks_change_nothing(loop, phantom, adapted, weights, tmp_path, hashes, helps):
    data = shutil.copytree(phantom, tmp_path / phantom.name)
    rng = np.random.default_rng(0)
    for path in (data / "labelsTr/phantom_001.nii.gz", *data.glob("labelsTs/*.nii.gz")):
        old = nib.load(path)
        mask = rng.integers(0, 3, old.shape).astype(np.uint8)
        nib.save(nib.Nifti1Image(mask, None, old.header), path)
    other = loop.beside(data=data, out=tmp_path / "out")
    other.preprocess()

    path, _ = run(other, tmp_path / "g.zarr", weights)

    assert hashes(path) == hashes(adapted)


def test_only_labeled_cases_are_opened(loop, weights, tmp_path, monkeypatch):
    opened = []
    read = Cases.read_labeled
    monkeypatch.setattr(
        Cases, "read_labeled", lambda self, name: opened.append(name) or read(self, name)
    )
    monkeypatch.setattr(Cases, "read_unlabeled", None)

    run(loop, tmp_path / "g.zarr", weights, "adapt.steps=1", "adapt.check_every=1")

    assert opened == ["phantom_000"]


def test_labels_made_with_it_name_it(loop, adapted, tmp_path):
    """By its path alone, or as the weights of its row."""
    labels = {}
    for name, generalist, checkpoint in (("a", adapted, None), ("b", "scout", adapted)):
        recipe = read_recipe(str(loop.recipe_path), [f"sam_label.generalist={generalist}"])
        labels[name] = sam_label(
            loop.path("cases"),
            loop.path("prompts"),
            tmp_path / f"{name}.zarr",
            weights=checkpoint,
            device="cpu",
            **{**loop._common(False), "recipe": recipe},
        )

    one, other = (read_manifest(path, "labels") for path in labels.values())
    found = GeneralistWeights(adapted)
    assert one.fingerprint == other.fingerprint  # no path is in it
    assert one.plan["options"]["sam_label"]["generalist"] == "scout"
    assert one.plan["options"]["sam_label"]["options"] == {
        "scout": {"num_flips": 1, "budget": 14000}
    }
    assert one.plan["inputs"]["weights"] == found.fingerprint
    (record,) = one.about["generalists"]
    assert record["name"] == record["register"] == "scout"
    assert record["weights_sha256"] == found.about["adapted"]["from_sha256"]
    assert record["adapted"]["fingerprint"] == found.fingerprint
    assert record["adapted"]["num_labeled"] == 1


def test_a_gate_asks_about_the_labeled_case_by_halves(loop, adapted, tmp_path):
    chosen = [f"sam_label.generalist={adapted}", "sam_label.gate=calibrated"]
    of = loop.beside()
    path = sam_label(
        loop.path("cases"),
        loop.path("prompts"),
        tmp_path / "p.zarr",
        weights=None,
        device="cpu",
        **{**of._common(False), "recipe": read_recipe(str(loop.recipe_path), chosen)},
    )

    assert read_manifest(path, "labels").about["gate"]["out_of_fold"] == ["scout"]
    assert "scout was adapted to the labeled cases" in "".join(of.notes)


def test_it_may_begin_with_what_pretrain_scout_wrote(loop, weights, tmp_path, monkeypatch):
    monkeypatch.setattr(adapting.Exam, "dice", lambda exam, _: np.full(2, 0.4, np.float32))
    plan = Plan("generalist", "pretrain-scout", {}, seed=0, inputs={})
    half = {name: tensor.half().numpy() for name, tensor in load_file(weights).items()}
    with open_draft(tmp_path / "scout.zarr", plan) as draft:
        write_generalist(draft.root, half, {})
        draft.seal({"generalist": "scout"})

    path, _ = run(loop, tmp_path / "g.zarr", tmp_path / "scout.zarr")

    found = GeneralistWeights(path)
    assert found.about["adapted"]["from_sha256"] == plan.fingerprint
    assert all((found.tensors()[name] == array).all() for name, array in half.items())


def test_what_cannot_be_adapted_is_refused(loop, adapted, tmp_path):
    with pytest.raises(UsageError, match="region-growing has no weights that could be adapted"):
        run(loop, tmp_path / "g.zarr", None, "sam_label.generalist=region-growing")
    with pytest.raises(UsageError, match=r"adapted\.zarr is adapted already"):
        run(loop, tmp_path / "g.zarr", adapted)
    assert list(tmp_path.iterdir()) == []
