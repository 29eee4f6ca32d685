import numpy as np
import pytest

from samssl_cli.training.selection import foreground_confidence, mean_agreement, most_reliable


def confidence(*foreground: float) -> np.ndarray:
    """Two classes of so many voxels: (2, N, 1, 1)."""
    values = np.array(foreground)
    return np.stack([1 - values, values]).astype(np.float16).reshape(2, -1, 1, 1)


def voxels(*values: int) -> np.ndarray:
    return np.array(values, np.uint8).reshape(-1, 1, 1)


def test_only_the_foreground_that_is_learned_from_counts():
    # 0.75 and 0.5 of the three foreground voxels; the last one was rejected, the first is outside.
    sure = confidence(0.125, 0.75, 0.5, 1.0)
    found = foreground_confidence(voxels(0, 1, 1, 1), sure, voxels(1, 1, 1, 0))
    assert found == pytest.approx(0.625)


@pytest.mark.parametrize(
    ("label", "acceptance"), [((0, 0), (1, 1)), ((1, 1), (0, 0))], ids=["empty", "rejected"]
)
def test_a_case_that_teaches_no_object_is_the_least_reliable(label, acceptance):
    assert foreground_confidence(voxels(*label), confidence(0.9, 0.9), voxels(*acceptance)) == 0


def test_of_many_voxels_the_mean_is_not_one_of_half_precision():
    sure = confidence(*[0.75] * 100_000)
    ones = np.ones((100_000, 1, 1), np.uint8)
    assert foreground_confidence(ones, sure, ones) == 0.75


def test_agreement_is_that_of_accepted_objects():
    objects = [(0.8, True), (0.6, True), (0.1, False)]
    records = [{"agreement": dice, "is_accepted": accepted} for dice, accepted in objects]
    assert mean_agreement(records) == pytest.approx(0.7)
    assert mean_agreement(records[2:]) == mean_agreement([]) == 0


@pytest.mark.parametrize(
    ("fraction", "kept"),
    [(1.0, "bacd"), (0.75, "bac"), (0.5, "ba"), (0.4, "ba"), (0.01, "b")],
)
def test_the_best_are_kept_equal_ones_by_name_and_one_at_least(fraction, kept):
    scores = {"d": 0.1, "c": 0.5, "b": 0.9, "a": 0.5}
    assert most_reliable(scores, fraction) == list(kept)


def test_a_single_case_is_kept():
    assert most_reliable({"a": 0.0}, 0.001) == ["a"]
