"""`sam-label` with a calibrated gate, on phantoms, with generalists made for the purpose."""

import shutil
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.draft import open_draft
from samssl_cli.artifacts.generalist import write_fold_weights, write_generalist
from samssl_cli.artifacts.labels import PseudoLabels
from samssl_cli.artifacts.manifest import Plan, read_manifest
from samssl_cli.artifacts.prompt_set import PromptSet, write_prompts
from samssl_cli.artifacts.shard import Shard
from samssl_cli.errors import DataError, Interrupted, RecipeError, UsageError
from samssl_cli.gate.gate import without_islands
from samssl_cli.gate.simulate import simulate
from samssl_cli.generalists import GENERALISTS, GeneralistEntry
from samssl_cli.generalists.combine import dice
from samssl_cli.generalists.types import Proposal
from samssl_cli.inference.uncertainty import normalised_entropy
from samssl_cli.progress import Silent
from samssl_cli.prompts.components import find_objects
from samssl_cli.recipe import Recipe, Section, read_recipe
from samssl_cli.stages import gating
from samssl_cli.stages.asking import place_prompts
from samssl_cli.stages.preprocess import preprocess
from samssl_cli.stages.sam_label import sam_label
from samssl_cli.volumes.phantom import draw_case, make_phantom_dataset

SHAPE = (28, 28, 20)
RECIPE = (
    "sam_label.gate=calibrated",
    "gate.num_draws=4",
    "gate.voxels_per_object=600",
    "prompt.num_sets=2",
    "prompt.min_component_voxels=20",
)
TRUTHS: dict[int, np.ndarray] = {}
"""The true label of each image, by the image."""


class Fake:
    """A generalist that is handed the image and the prompted mask, and answers a probability."""

    needs_checkpoint = False

    class Options(Section):
        """None."""

    @classmethod
    def build(cls, _options, *, checkpoint, device):
        assert checkpoint is None
        assert device == "cpu"
        return cls()

    def embed(self, image, spacing_mm):
        assert len(spacing_mm) == 3
        return TRUTHS.get(key(image))

    def segment(self, truth, prompts):
        logits = np.stack([8 * self.answer(truth, prompt.mask) - 4 for prompt in prompts])
        return Proposal(logits.astype(np.float32), np.full(len(prompts), np.nan, np.float32))


class Truthful(Fake):
    """The true object, jagged a little, whatever the specialist made of it."""

    def answer(self, truth, mask):
        classes = np.bincount(truth[mask], minlength=3)[1:]
        smooth = ndimage.gaussian_filter((truth == 1 + classes.argmax()).astype(float), 0.8)
        return smooth.clip(0, 1)


class Noisy(Fake):
    def answer(self, _truth, mask):
        return np.random.default_rng(zlib.crc32(mask.tobytes())).random(mask.shape)


class Inverse(Fake):
    def answer(self, _truth, mask):
        return 1.0 - mask


class Memorising(Fake):
    """What was adapted to some cases: the true objects of these, and noise of all others."""

    learned = ()

    @classmethod
    def unfilled(cls, options, *, device):
        return cls.build(options, checkpoint=None, device=device)

    def take_weights(self, tensors, *, path):
        self.learned = tensors["learned"].tolist()

    def embed(self, image, spacing_mm):
        return super().embed(image, spacing_mm) if key(image) in self.learned else None

    def answer(self, truth, mask):
        return (Noisy() if truth is None else Truthful()).answer(truth, mask)


def key(image) -> int:
    return zlib.crc32(np.ascontiguousarray(image, np.float32).tobytes())


@pytest.fixture(autouse=True)
def _fakes(monkeypatch):
    for one in (Truthful, Noisy, Inverse, Memorising):
        row = GeneralistEntry(f"{__name__}:{one.__name__}", "fake", "ours", needs_checkpoint=False)
        monkeypatch.setitem(GENERALISTS, one.__name__.lower(), row)


@dataclass(frozen=True)
class Made:
    """Cases, and prompts of a specialist whose mistakes are drawn."""

    cases: Path
    prompts: Path

    def label(
        self, output: Path, generalist: str | list[str], *more: str, progress=None, shard=None
    ) -> Path | None:
        told = [f"sam_label.generalist={str(generalist).replace(chr(39), chr(34))}", *RECIPE]
        return sam_label(
            self.cases,
            self.prompts,
            output,
            weights=None,
            recipe=read_recipe("default", [*told, *more]),
            device="cpu",
            force=False,
            progress=progress or Silent(),
            shard=shard,
        )


def make(root: Path, num_labeled: int) -> Made:
    data, cases = root / "data", root / "cases.zarr"
    data.mkdir()
    make_phantom_dataset(data, num_train=4, num_labeled=num_labeled, num_test=1, shape=SHAPE)
    recipe = read_recipe("default", RECIPE)
    preprocess(
        data,
        cases,
        labeled=num_labeled,
        split_path=None,
        num_workers=1,
        recipe=recipe,
        force=False,
        progress=Silent(),
    )
    opened = Cases(cases)
    for name in opened.names:
        _, truth = draw_case(np.random.default_rng([0, int(name[-3:])]), SHAPE)
        TRUTHS[key(opened.read_unlabeled(name).image)] = truth
    return Made(cases, write_mistaken(opened, recipe, root / "prompts.zarr"))


def write_mistaken(cases: Cases, recipe: Recipe, output: Path) -> Path:
    """Prompts from a specialist that is about as mistaken as the worst of the simulated ones."""
    options = recipe.options("prompt", "inference")
    plan = Plan("prompts", "prompt", options, 0, {"cases": cases.fingerprint, "specialist": "x"})
    with open_draft(output, plan) as draft:
        assert draft is not None
        for number, name in enumerate(cases.unlabeled):
            case = cases.read_unlabeled(name)
            truth = TRUTHS[key(case.image)]
            one_hot = np.stack([truth == index for index in range(3)]).astype(np.float32)
            probability = simulate(
                case.image,
                find_objects(one_hot, recipe.prompt),
                case.geometry.spacing_mm,
                num_classes=3,
                severity=1.0,
                softnesses=[0.4],
                rng=np.random.default_rng([9, number]),
            )
            probability = probability.astype(np.float16).astype(np.float32)
            uncertainty = normalised_entropy(probability)
            write_prompts(
                draft.root,
                name,
                probability=probability,
                uncertainty=uncertainty,
                objects=place_prompts(probability, uncertainty, recipe.prompt, seed=0),
                geometry=case.geometry,
            )
        draft.seal({**cases.facts.to_json(), "generalists": []})
    return output


@pytest.fixture(scope="module")
def two(tmp_path_factory) -> Made:
    """Two labeled and two unlabeled cases."""
    return make(tmp_path_factory.mktemp("two"), 2)


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> Made:
    """One labeled and three unlabeled cases."""
    return make(tmp_path_factory.mktemp("one"), 1)


def told(pseudo: Path) -> dict:
    return read_manifest(pseudo, "labels").about["gate"]


def mean_dice(made: Made, label_of: Callable[[str], np.ndarray]) -> float:
    cases = Cases(made.cases)
    found = []
    for name in cases.unlabeled:
        truth = TRUTHS[key(cases.read_unlabeled(name).image)]
        found += [dice(label_of(name) == index, truth == index) for index in (1, 2)]
    return float(np.mean(found))


def is_the_specialists(made: Made, pseudo: Path) -> bool:
    prompts, labels = PromptSet(made.prompts), PseudoLabels(pseudo)
    return all(
        np.array_equal(
            labels.read(name).confidence,
            without_islands(prompts.probability(name), prompts.objects(name)).astype(np.float16),
        )
        and labels.read(name).acceptance.all()
        for name in prompts.names
    )


@pytest.mark.parametrize("generalist", ["noisy", "inverse"])
@pytest.mark.parametrize("cases", ["one", "two"])
def test_a_generalist_that_does_not_help_is_left_out(cases, generalist, request, tmp_path):
    made = request.getfixturevalue(cases)
    pseudo = made.label(tmp_path / "pseudo.zarr", generalist)

    assert told(pseudo)["is_open"] is False
    assert told(pseudo)["num_accepted"] == 0
    assert is_the_specialists(made, pseudo)
    assert [record["name"] for record in PseudoLabels(pseudo).generalists] == [generalist]


@pytest.mark.parametrize("cases", ["one", "two"])
def test_a_generalist_that_helps_is_let_in(cases, request, tmp_path):
    made = request.getfixturevalue(cases)
    pseudo = made.label(tmp_path / "pseudo.zarr", "truthful")

    summary, prompts = told(pseudo), PromptSet(made.prompts)
    assert summary["is_open"] is True
    assert summary["dice"]["gated"] > summary["dice"]["specialist"] + 0.05
    before = mean_dice(made, lambda name: prompts.probability(name).argmax(axis=0))
    after = mean_dice(made, lambda name: PseudoLabels(pseudo).read(name).label)
    assert after > before + 0.02, (before, after)


def test_of_two_generalists_the_good_one_is_followed(two, tmp_path):
    pseudo = two.label(tmp_path / "pseudo.zarr", ["noisy", "truthful"])

    summary = told(pseudo)
    weights = summary["weights"]
    assert summary["is_open"] is True
    assert summary["dice"]["gated"] > summary["dice"]["specialist"] + 0.05
    total = {
        name: sum(value for key, value in weights.items() if key.startswith(f"{name}: "))
        for name in ("noisy", "truthful")
    }
    assert total["truthful"] > 5 * total["noisy"]
    names = [record["name"] for record in PseudoLabels(pseudo).generalists]
    assert names == ["noisy", "truthful"]


def memorising(made: Made, path: Path, *, with_folds: bool = True) -> Path:
    """Adapted to the labeled cases, each of which one fold left out."""
    cases = Cases(made.cases)
    keys = {name: key(cases.read_labeled(name).image) for name in cases.labeled}
    with open_draft(path, Plan("generalist", "adapt", {}, 0, {})) as draft:
        write_generalist(draft.root, {"learned": np.array(list(keys.values()))}, {})
        for number, out in enumerate(cases.labeled if with_folds else ()):
            learned = np.array([one for name, one in keys.items() if name != out])
            write_fold_weights(draft.root, number, {"learned": learned}, cases=(out,), half=None)
        adapted = {"from_sha256": "x", "cases_fingerprint": cases.fingerprint, "steps": 1}
        draft.seal({"generalist": "memorising", "adapted": {**adapted, "num_labeled": len(keys)}})
    return path


def test_what_was_learned_by_heart_does_not_open_the_gate(two, tmp_path):
    generalist = memorising(two, tmp_path / "memorising.zarr")
    summary = told(two.label(tmp_path / "pseudo.zarr", str(generalist)))

    assert summary["out_of_fold"] == ["memorising"]
    assert summary["is_open"] is False
    assert summary["dice"]["generalists"]["memorising"] < 0.5


def test_adapted_weights_without_folds_cannot_be_calibrated(two, tmp_path):
    generalist = memorising(two, tmp_path / "memorising.zarr", with_folds=False)

    with pytest.raises(UsageError, match=r"memorising\.zarr: was adapted .* samssl adapt again"):
        two.label(tmp_path / "pseudo.zarr", str(generalist))
    pseudo = tmp_path / "plain.zarr"
    assert two.label(pseudo, str(generalist), "sam_label.gate=thresholds") == pseudo


class StopAfter(Silent):
    """Raise once a number of cases is done, as a kill would."""

    def __init__(self, number):
        self.left = number

    def advance(self, *_):
        self.left -= 1
        if not self.left:
            raise Interrupted(15)


@pytest.mark.parametrize("number", [1, 3, 5], ids=["asking", "calibrating", "labelling"])
def test_killed_and_resumed_is_the_same(two, tmp_path, hashes, number):
    whole = two.label(tmp_path / "whole.zarr", "truthful")
    killed = tmp_path / "killed.zarr"
    with pytest.raises(Interrupted):
        two.label(killed, "truthful", progress=StopAfter(number))
    assert not killed.exists()

    assert hashes(two.label(killed, "truthful")) == hashes(whole)
    assert [path.name for path in tmp_path.glob("killed.zarr*")] == ["killed.zarr"]


def test_shards_ask_and_the_last_one_calibrates(two, tmp_path, hashes):
    """Out of fold as well; one that was killed meanwhile is finished by any other."""
    generalist = str(memorising(two, tmp_path / "memorising.zarr"))
    whole, output = two.label(tmp_path / "whole.zarr", generalist), tmp_path / "shards.zarr"
    first, second = Shard(1, 2), Shard(2, 2)
    assert two.label(output, generalist, shard=first) is None
    answers = tmp_path / "shards.zarr.progress/answers"
    assert len([path for path in answers.iterdir() if path.is_dir()]) == 1
    with pytest.raises(Interrupted):  # its case is asked about, and one labeled case
        two.label(output, generalist, shard=second, progress=StopAfter(2))
    assert len(list((tmp_path / "shards.zarr.progress/simulated").glob("*/"))) == 1
    assert two.label(output, generalist, shard=first) == output
    assert hashes(output) == hashes(whole)
    assert [path.name for path in tmp_path.glob("shards.zarr*")] == ["shards.zarr"]


def test_no_held_out_mask_is_opened(two, tmp_path, hashes):
    copy = shutil.copytree(two.cases, tmp_path / "cases.zarr")
    shutil.rmtree(copy / "heldout")
    blind = Made(copy, two.prompts)

    assert hashes(blind.label(tmp_path / "a.zarr", "truthful")) == hashes(
        two.label(tmp_path / "b.zarr", "truthful")
    )


def test_a_gate_needs_a_labeled_case(two, tmp_path, monkeypatch):
    init = gating.Cases.__init__

    def without(self, path):
        init(self, path)
        self.labeled = ()

    monkeypatch.setattr(gating.Cases, "__init__", without)
    with pytest.raises(DataError, match="no labeled case"):
        two.label(tmp_path / "pseudo.zarr", "truthful")


def test_thresholds_mix_several_generalists_too(two, tmp_path):
    pseudo = two.label(tmp_path / "p.zarr", ["truthful", "noisy"], "sam_label.gate=thresholds")
    about = read_manifest(pseudo, "labels").about
    assert "gate" not in about
    assert [record["name"] for record in about["generalists"]] == ["truthful", "noisy"]


def test_a_generalist_is_named_once(two, tmp_path):
    with pytest.raises(RecipeError, match="twice"):
        two.label(tmp_path / "p.zarr", ["noisy", "noisy"])
    with pytest.raises(UsageError, match="unknown generalist"):
        two.label(tmp_path / "p.zarr", ["noisy", "nobody"])
