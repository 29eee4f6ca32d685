import numpy as np
import pytest

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.artifacts.labels import PseudoLabels
from samssl_cli.errors import UsageError, WeightsError
from samssl_cli.generalists.types import Proposal
from samssl_cli.progress import Silent
from samssl_cli.recipe import Recipe, read_recipe
from samssl_cli.stages.asking import predict_with_uncertainty, seed_of_case
from samssl_cli.stages.device import pick_device
from samssl_cli.stages.refining import plan_refinement, refine
from samssl_cli.stages.specialist import load_specialist
from samssl_cli.volumes.voxels import likeliest


class Certain:
    """A generalist that says the same mask to everything, and counts how often it is shown."""

    def __init__(self, mask):
        self.mask, self.num_embedded = mask, 0

    def embed(self):
        self.num_embedded += 1

    def segment(self, _embedding, prompts):
        logits = np.where(self.mask, np.float32(50), np.float32(-50))
        return Proposal(np.stack([logits] * len(prompts)), np.ones(len(prompts), np.float32))


def recipe(**sam_label):
    given = {"min_agreement": 0.0, **sam_label}
    prompt = {"min_component_voxels": 1, "num_sets": 2}
    return Recipe.model_validate({"prompt": prompt, "sam_label": given})


@pytest.fixture
def predicted():
    """A prediction of 0.9 in a cube of 4 voxels, 0.1 elsewhere, and what would be a better mask."""
    inside = np.zeros((12, 12, 12), bool)
    inside[4:8, 4:8, 4:8] = True
    foreground = np.where(inside, np.float32(0.9), np.float32(0.1))
    better = np.zeros_like(inside)
    better[4:8, 4:8, 4:9] = True
    return np.stack([1 - foreground, foreground]), better


def refined(predicted, chosen):
    probability, better = predicted
    generalist = Certain(better)
    unsure = np.zeros((12, 12, 12), np.float32)

    def embed():
        return [generalist.embed()]

    found = refine([generalist], embed, probability, unsure, chosen, seed=0)
    return found, generalist


def test_a_refined_probability_is_the_mean_of_both(predicted):
    found, generalist = refined(predicted, recipe(specialist_weight=0.5))
    foreground = found.combined.probability[1]
    # (0.9 + 1) / 2 where both say so; (0.1 + 1) / 2 in the slice that the generalist adds.
    assert foreground[5, 5, 5] == pytest.approx(0.95, abs=1e-3)
    assert foreground[5, 5, 8] == pytest.approx(0.55, abs=1e-3)
    assert foreground[0, 0, 0] == pytest.approx(0.05, abs=1e-3)
    assert generalist.num_embedded == 1
    assert len(found.objects) == len(found.answers) == 1


def test_a_rejected_answer_changes_nothing(predicted):
    found, _ = refined(predicted, recipe(min_agreement=0.99))  # it is 2 * 64 / (64 + 80) = 0.89
    assert found.answers[0].agreement == pytest.approx(8 / 9, abs=1e-6)
    np.testing.assert_array_equal(likeliest(found.combined.probability), likeliest(predicted[0]))


def test_where_nothing_was_found_nobody_is_asked(predicted):
    empty = np.zeros_like(predicted[0])
    empty[0] = 1
    found, generalist = refined((empty, predicted[1]), recipe())
    assert generalist.num_embedded == 0
    assert found.objects == ()
    assert not likeliest(found.combined.probability).any()


def test_it_is_what_prompt_and_sam_label_make_of_the_specialist(loop):
    planned = plan_refinement(loop.recipe, None, Silent())
    (generalist,) = planned.load("cpu", None)
    cases, labels = Cases(loop.path("cases")), PseudoLabels(loop.path("pseudo"))
    specialist = load_specialist(
        Checkpoint(loop.path("specialist")), loop.recipe.inference, pick_device("cpu")
    )
    for name in labels.names:
        case, seed = cases.read_unlabeled(name), seed_of_case(0, name)
        seen = predict_with_uncertainty(specialist, case.image, loop.recipe.prompt, seed=seed)

        def embed(case=case):
            return [generalist.embed(case.image.astype(np.float32), case.geometry.spacing_mm)]

        found = refine([generalist], embed, *seen, planned.recipe, seed=seed).combined
        expected = labels.read(name)
        np.testing.assert_array_equal(likeliest(found.probability), expected.label)
        np.testing.assert_array_equal(found.probability.astype(np.float16), expected.confidence)
        np.testing.assert_array_equal(found.acceptance, expected.acceptance > 0)


def test_the_plan_names_generalist_options_and_weights():
    name = "scout"
    recipe = read_recipe("default", [f"sam_label.generalist={name}"])
    planned = plan_refinement(recipe, None, Silent())
    made_with = planned.made_with
    assert made_with["refined_by"][0]["name"] == name
    assert made_with["sam_label"]["options"] == {name: {}}
    assert made_with["prompt"]["num_sets"] == 3


@pytest.mark.parametrize(
    ("override", "error", "message"),
    [
        ("sam_label.generalist=sma", UsageError, "unknown generalist 'sma'"),
        ("sam_label.generalist=atlas", UsageError, "none; name another, such as --generalist sco"),
        ("sam_label.generalist=sam", UsageError, "sam needs its weights: --checkpoint"),
        ('prompt.strategies=["clicks"]', UsageError, "unknown strategy 'clicks'"),
    ],
)
def test_what_cannot_refine_is_told(override, error, message, monkeypatch, tmp_path):
    monkeypatch.setenv("SAMSSL_WEIGHTS", str(tmp_path))
    with pytest.raises(error, match=message):
        plan_refinement(read_recipe("default", [override]), None, Silent())
    with pytest.raises(WeightsError, match="there is no such file"):
        plan_refinement(
            read_recipe("default", ["sam_label.generalist=sam"]), tmp_path / "no.pth", Silent()
        )
