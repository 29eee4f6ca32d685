import numpy as np
import pytest

from samssl_cli.artifacts.labels import PseudoLabel
from samssl_cli.recipe import Retrain, read_recipe
from samssl_cli.stages.fitting import targets
from samssl_cli.stages.retrain import pseudo_term


@pytest.fixture
def pseudo():
    """Three voxels: likely background, likely organ, and an answer that was rejected."""
    confidence = np.array([[0.75, 0.125, 0.5], [0.25, 0.875, 0.5]], np.float16)
    return PseudoLabel(
        label=np.array([0, 1, 0], np.uint8).reshape(3, 1, 1),
        confidence=confidence.reshape(2, 3, 1, 1),
        acceptance=np.array([1, 1, 0], np.uint8).reshape(3, 1, 1),
        objects=[],
        geometry=None,
    )


@pytest.mark.parametrize(
    ("voxel_weight", "weights"), [("confidence", [0.75, 0.875, 0]), ("accepted", [1, 1, 0])]
)
def test_a_voxel_counts_as_much_as_the_recipe_says(pseudo, voxel_weight, weights):
    found = targets(pseudo, Retrain(sam_voxel_weight=voxel_weight))  # (classes - 1 + 1, I, J, K)
    assert found.dtype == np.float16
    assert found[0].ravel().tolist() == [0.25, 0.875, 0.5]
    assert found[1].ravel().tolist() == weights


@pytest.mark.parametrize(
    ("voxel_weight", "least", "weights"),
    [
        ("confidence", 0.75, [0.75, 0.875, 0]),  # not below it
        ("confidence", 0.8, [0, 0.875, 0]),
        ("accepted", 0.8, [0, 1, 0]),
        ("accepted", 1.0, [0, 0, 0]),
        ("accepted", 0.0, [1, 1, 0]),
    ],
)
def test_an_unsure_voxel_is_not_learned_from(pseudo, voxel_weight, least, weights):
    options = Retrain(sam_voxel_weight=voxel_weight, min_confidence=least)
    found = targets(pseudo, options)
    assert found[0].ravel().tolist() == [0.25, 0.875, 0.5]
    assert found[1].ravel().tolist() == weights


def test_the_least_confidence_is_compared_as_it_is_stored(pseudo):
    pseudo.confidence[:, 0, 0, 0] = [0.9, 0.1]  # 0.89990234375 in half precision
    found = targets(pseudo, Retrain(sam_voxel_weight="accepted", min_confidence=0.9))
    assert found[1, 0, 0, 0] == 1


def test_the_steps_of_the_term_are_fractions_of_the_training():
    words = ["steps=100", "sam_warmup_fraction=0.2", "sam_ramp_fraction=0.5"]
    term = pseudo_term(read_recipe("default", [f"retrain.{word}" for word in words]).retrain)
    assert (term.first_step, term.ramp_steps) == (20, 40)  # half of the 80 that are left


def test_without_a_warm_up_the_term_is_there_from_the_start():
    term = pseudo_term(read_recipe("default").retrain)
    assert (term.first_step, term.ramp_steps) == (0, 6000)
    assert term.weight_at(0) == term.weight_at(5999) == 1.0
