"""`samssl prompt --first-guess`: prompts of unlabeled cases without a trained network."""

import numpy as np
import pytest

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.labels import PseudoLabels
from samssl_cli.artifacts.manifest import read_manifest
from samssl_cli.artifacts.prompt_set import PromptSet
from samssl_cli.artifacts.scores import Scores
from samssl_cli.artifacts.shard import Shard
from samssl_cli.errors import Interrupted, StaleArtifactError, UsageError
from samssl_cli.progress import Silent
from samssl_cli.stages.first_guess import first_guess

FEW = (
    "first_guess.options.template.affine_iterations=10",
    "first_guess.options.template.deformable_iterations=5",
)


def guess(loop, to="prompts", *, name="template", progress=None, **changes):
    return first_guess(
        loop.path("cases"),
        name,
        loop.path(to),
        recipe=loop.recipe,
        seed=0,
        device="cpu",
        force=False,
        progress=progress or Silent(),
        **changes,
    )


@pytest.fixture(scope="module")
def guessed(loop, tmp_path_factory):
    """A loop whose prompts come from a first guess; read only."""
    folder = tmp_path_factory.mktemp("guessed")
    copy = loop.linked(folder, "cases", overrides=FEW)
    guess(copy)
    return copy


def test_every_unlabeled_case_gets_a_probability_and_prompts(guessed):
    prompts, cases = PromptSet(guessed.path("prompts")), Cases(guessed.path("cases"))

    assert sorted(prompts.names) == sorted(cases.unlabeled)
    for name in prompts.names:
        probability = prompts.probability(name)
        assert probability.shape == (3, *cases.read_unlabeled(name).image.shape[1:])
        np.testing.assert_allclose(probability.sum(axis=0), 1, atol=2e-3)
        assert prompts.objects(name)


def test_the_plan_names_the_guess_its_options_and_the_labeled_cases(guessed):
    manifest = read_manifest(guessed.path("prompts"), "prompts")
    cases = Cases(guessed.path("cases"))

    assert manifest.plan["inputs"] == {
        "cases": cases.fingerprint,
        "labeled": cases.labeled_fingerprint,
    }
    chosen = manifest.plan["options"]["first_guess"]
    assert (chosen["name"], chosen["options"]["affine_iterations"]) == ("template", 10)
    assert chosen["options"]["window_mm"] == 5  # a default
    assert manifest.about["generalists"] == []
    assert manifest.about["first_guess"]["name"] == "template"


def test_shards_guess_the_same(guessed, tmp_path, hashes):
    shared = guessed.linked(tmp_path, "cases")
    assert guess(shared, shard=Shard(1, 2)) is None
    assert guess(shared, shard=Shard(2, 2)) == shared.path("prompts")
    assert hashes(shared.path("prompts")) == hashes(guessed.path("prompts"))


def test_label_and_evaluate_go_on_from_there(guessed):
    scores = Scores(guessed.evaluate("prompts"))
    assert scores.about["scored"] == "prompts"
    assert scores.names
    assert PseudoLabels(guessed.label()).names


def test_twice_does_nothing_and_a_stopped_run_ends_with_the_same_bytes(guessed, tmp_path, hashes):
    class Stopping(Silent):
        def advance(self, facts):
            raise Interrupted(15)

    copy = guessed.linked(tmp_path, "cases")
    with pytest.raises(Interrupted):
        guess(copy, progress=Stopping())
    assert copy.path("prompts").with_name("prompts.zarr.part").is_dir()

    guess(copy)

    assert hashes(copy.path("prompts")) == hashes(guessed.path("prompts"))
    before = copy.path("prompts").stat().st_mtime_ns
    guess(copy)
    assert copy.path("prompts").stat().st_mtime_ns == before


def test_other_options_are_stale(guessed):
    other = guessed.beside(overrides=("first_guess.options.template.window_mm=9",))
    with pytest.raises(StaleArtifactError, match="window_mm"):
        guess(other)


def test_weights_are_of_no_use_to_a_template(guessed, tmp_path):
    with pytest.raises(UsageError, match="template asks no generalist; leave out --checkpoint"):
        guess(guessed, weights=tmp_path / "any.pth")


def test_an_unknown_guess_lists_the_known_ones(guessed):
    with pytest.raises(UsageError, match=r"unknown first guess 'oracle'; known: .*template"):
        guess(guessed, name="oracle")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nobody is to predict"),
        (("specialist.zarr", "--first-guess", "template"), "would both predict; leave out one"),
        (("specialist.zarr", "--checkpoint", "a.pth"), "a specialist asks no generalist here"),
    ],
    ids=["neither", "both", "weights"],
)
def test_exactly_one_predicts(samssl, words, message):
    finished = samssl("prompt", "cases.zarr", *words, "-o", "prompts.zarr")
    assert finished.code == 2
    assert message in " ".join(finished.stderr.split())


def test_the_command_writes_the_same(samssl, guessed, tmp_path, recipe_path, hashes):
    sets = [word for value in FEW for word in ("--set", value)]
    out = tmp_path / "prompts.zarr"
    finished = samssl(
        "prompt", guessed.path("cases"), "-o", out, "--first-guess", "template",
        "--recipe", recipe_path, "--device", "cpu", *sets,
    )  # fmt: skip
    assert finished.code == 0, finished.stderr
    assert hashes(out) == hashes(guessed.path("prompts"))
