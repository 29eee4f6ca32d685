import numpy as np
import pytest

from samssl_cli.generalists.combine import Answer, combine, dice, judge
from samssl_cli.generalists.fuse import Fused
from samssl_cli.prompts.types import ObjectPrompts, Prompt
from samssl_cli.recipe import SamLabel

SHAPE = (30, 1, 1)  # a row of voxels is enough to tell what goes where
HALF = SamLabel(specialist_weight=0.5)


def row(*spans: tuple[int, int, float]) -> np.ndarray:
    """(30, 1, 1) float32: a value from `low` to `high`, 0 elsewhere."""
    values = np.zeros(SHAPE, np.float32)
    for low, high, value in spans:
        values[low:high] = value
    return values


def specialist(*foreground: np.ndarray) -> np.ndarray:
    """(classes, 30, 1, 1) summing to 1."""
    return np.stack([1 - sum(foreground), *foreground]).astype(np.float32)


def prompts(low: int, high: int, *, class_index=1, component=1) -> ObjectPrompts:
    return ObjectPrompts(class_index, component, row((low, high, 1)) > 0, (Prompt(),))


def fused(probability: np.ndarray, iou=float("nan")) -> Fused:
    return Fused(probability, np.zeros_like(probability), iou)


def answer(asked: ObjectPrompts, probability: np.ndarray, *, is_accepted=True) -> Answer:
    return Answer(asked, fused(probability), agreement=1.0, is_accepted=is_accepted)


# judge


@pytest.mark.parametrize(
    ("overlap", "iou", "expected"),
    [
        # The object is 0 ... 9 and the answer as large: Dice is the overlap / 10.
        pytest.param(10, 0.9, True, id="agrees-and-promises"),
        pytest.param(6, 0.9, True, id="agrees-just-enough"),
        pytest.param(5, 0.9, False, id="disagrees"),
        pytest.param(10, 0.8, True, id="promises-just-enough"),
        pytest.param(10, 0.7, False, id="promises-too-little"),
        pytest.param(10, float("nan"), True, id="cannot-promise"),
        pytest.param(5, float("nan"), False, id="cannot-promise-and-disagrees"),
    ],
)
def test_an_answer_has_to_agree_and_to_promise(overlap, iou, expected):
    options = SamLabel(min_agreement=0.6, min_predicted_iou=0.8)
    said = row((10 - overlap, 20 - overlap, 0.9))

    judged = judge(prompts(0, 10), fused(said, iou), options)

    assert judged.agreement == pytest.approx(overlap / 10)
    assert judged.is_accepted is expected


def test_an_empty_answer_is_rejected():
    assert not judge(prompts(0, 10), fused(row()), HALF).is_accepted


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        pytest.param((0, 4), (0, 4), 1.0, id="equal"),
        pytest.param((0, 4), (3, 7), 0.25, id="overlap"),  # 2 * 1 / 8
        pytest.param((0, 4), (4, 8), 0.0, id="apart"),
        pytest.param((0, 0), (0, 0), 1.0, id="both-empty"),
        pytest.param((0, 1), (0, 0), 0.0, id="one-empty"),
    ],
)
def test_dice(a, b, expected):
    assert dice(row((*a, 1)) > 0, row((*b, 1)) > 0) == expected


# combine


def test_an_accepted_answer_is_mixed_with_the_specialist():
    # Inside the object 0.75 * 0.8 + 0.25 * 0.4 = 0.7; where only the answer reaches, 0.25 * 0.4.
    said = specialist(row((0, 10, 0.8)))
    options = SamLabel(specialist_weight=0.75)

    combined = combine(said, [answer(prompts(0, 10), row((0, 15, 0.4)))], options)

    np.testing.assert_allclose(combined.probability[1], row((0, 10, 0.7), (10, 15, 0.1)), rtol=1e-5)
    np.testing.assert_allclose(combined.probability.sum(axis=0), 1, rtol=1e-6)
    assert combined.acceptance.all()
    assert combined.probability.dtype == np.float32
    assert combined.acceptance.dtype == bool


def test_around_a_rejected_answer_the_specialist_stays_and_nobody_is_to_learn():
    # The object is 10 ... 14, the wrong answer 13 ... 19: together 10 ... 19, and 5 voxels more.
    said = specialist(row((0, 30, 0.25), (10, 15, 0.75)))
    wrong = answer(prompts(10, 15), row((13, 20, 1.0)), is_accepted=False)

    combined = combine(said, [wrong], HALF)

    assert np.flatnonzero(~combined.acceptance).tolist() == list(range(5, 25))
    # Within 5 voxels of the object the specialist stands in for the answer ...
    np.testing.assert_allclose(combined.probability[1, 5:20], said[1, 5:20])
    # ... and farther out there is no answer: half of 0.25.
    np.testing.assert_allclose(combined.probability[1, 20:], 0.125)


def test_a_rejected_answer_does_not_reach_into_an_accepted_one():
    said = specialist(row((0, 5, 0.8), (20, 25, 0.8)))
    good = answer(prompts(0, 5), row((0, 5, 1.0)))
    bad = answer(prompts(20, 25, component=2), row((20, 21, 1.0)), is_accepted=False)

    combined = combine(said, [good, bad], HALF)

    np.testing.assert_allclose(combined.probability[1, :5], 0.9)  # (0.8 + 1) / 2
    np.testing.assert_allclose(combined.probability[1, 20:25], 0.8)
    assert combined.acceptance[:15].all()
    assert not combined.acceptance[15:].any()


def test_islands_that_were_not_prompted_are_removed():
    # The specialist sees two pieces and only the first was asked about.
    said = specialist(row((0, 10, 0.8), (20, 22, 0.9)))

    combined = combine(said, [answer(prompts(0, 10), row((0, 10, 0.8)))], HALF)

    np.testing.assert_allclose(combined.probability[1], row((0, 10, 0.8)))
    assert combined.acceptance.all()  # that there is nothing is what is to be learned


def test_what_the_specialist_only_suspects_is_no_island():
    said = specialist(row((0, 10, 0.8), (10, 15, 0.4)))

    combined = combine(said, [answer(prompts(0, 10), row((0, 10, 0.8)))], HALF)

    np.testing.assert_allclose(combined.probability[1], row((0, 10, 0.8), (10, 15, 0.2)), rtol=1e-6)


def test_of_two_objects_of_a_class_the_larger_answer_counts():
    said = specialist(row((0, 10, 0.8)))
    answers = [
        answer(prompts(0, 6), row((0, 8, 0.4))),
        answer(prompts(6, 10, component=2), row((5, 10, 0.6))),
    ]
    combined = combine(said, answers, HALF)
    # 0 ... 4 (0.8 + 0.4) / 2, from there on (0.8 + 0.6) / 2
    np.testing.assert_allclose(combined.probability[1], row((0, 10, 0.7), (0, 5, 0.6)), rtol=1e-6)


def test_two_classes_that_claim_a_voxel_share_it():
    # Voxels 5 ... 9: class 1 has (0.5 + 1) / 2 = 0.75, class 2 has (0.25 + 1) / 2 = 0.625; they are
    # divided by their sum 1.375, and nothing is left for the background.
    said = specialist(row((0, 10, 0.5)), row((5, 10, 0.25)))
    answers = [
        answer(prompts(0, 10), row((0, 10, 1.0))),
        answer(prompts(5, 10, class_index=2), row((5, 10, 1.0))),
    ]
    probability = combine(said, answers, HALF).probability

    np.testing.assert_allclose(probability[:, 0, 0, 0], [0.25, 0.75, 0.0], atol=1e-6)
    expected = [0.0, 0.75 / 1.375, 0.625 / 1.375]
    np.testing.assert_allclose(probability[:, 7, 0, 0], expected, atol=1e-6)
    np.testing.assert_allclose(probability.sum(axis=0), 1, rtol=1e-6)


def test_an_answer_about_one_class_says_nothing_about_another():
    said = specialist(row((0, 5, 0.8)), row((20, 25, 0.8)))
    probability = combine(said, [answer(prompts(0, 5), row((0, 5, 0.8)))], HALF).probability
    np.testing.assert_allclose(probability[1], row((0, 5, 0.8)), rtol=1e-6)
    np.testing.assert_allclose(probability[2], 0)  # an island, which nobody asked about


def test_in_a_case_without_answers_nobody_is_to_learn():
    combined = combine(specialist(row((0, 10, 0.8))), [], HALF)
    assert not combined.acceptance.any()
    np.testing.assert_allclose(combined.probability[0], 1)


@pytest.mark.parametrize("weight", [0.0, 1.0], ids=["generalist-alone", "specialist-alone"])
def test_the_ends_of_the_weight(weight):
    said, heard = row((0, 10, 0.75)), row((0, 8, 0.5))
    combined = combine(
        specialist(said), [answer(prompts(0, 10), heard)], SamLabel(specialist_weight=weight)
    )
    np.testing.assert_allclose(combined.probability[1], said if weight else heard)


def test_random_inputs_always_give_a_distribution():
    rng = np.random.default_rng(0)
    shape = (12, 11, 10)
    said = rng.dirichlet([1, 1, 1], shape).transpose(3, 0, 1, 2).astype(np.float32)
    answers = [
        Answer(
            ObjectPrompts(1 + n % 2, 1, rng.random(shape) < 0.01, (Prompt(),)),
            fused(rng.random(shape).astype(np.float32)),
            agreement=0.5,
            is_accepted=n > 1,
        )
        for n in range(4)
    ]
    probability = combine(said, answers, HALF).probability
    assert ((probability >= 0) & (probability <= 1)).all()
    np.testing.assert_allclose(probability.sum(axis=0), 1, atol=1e-5)
