import numpy as np
import pytest

from samssl_cli.training.folds import choose_steps, make_folds
from samssl_cli.training.labeled_objects import LabeledObject
from samssl_cli.volumes.half import Half

IMAGE = np.zeros((1, 6, 20, 6), np.float32)


def an_object(case, mask=None):
    if mask is None:
        mask = np.zeros(IMAGE.shape[1:], bool)
        mask[2:4, 4:14, 2:4] = True
    return LabeledObject(case, 1, 1, IMAGE, (1.0, 1.0, 1.0), mask)


def test_each_case_is_left_out_once():
    folds = make_folds([an_object(name) for name in "aabc"], 4)

    assert [fold.left_out for fold in folds] == ["a", "b", "c"]
    assert [[one.case for one in fold.training] for fold in folds] == [
        ["b", "c"],
        ["a", "a", "c"],
        ["a", "a", "b"],
    ]
    assert folds[0].units == ("a",)


def test_of_many_cases_several_are_left_out_together():
    folds = make_folds([an_object(name) for name in "abcde"], 2)

    assert [fold.units for fold in folds] == [("a", "c", "e"), ("b", "d")]
    assert [fold.cases for fold in folds] == [("a", "c", "e"), ("b", "d")]
    assert [fold.half for fold in folds] == [None, None]


def test_a_single_case_is_cut_in_the_middle_of_its_longest_axis():
    high, low = make_folds([an_object("a")], 4)

    # Labeled from 4 to 13 along j: voxels 4-8 are the low half, 9-13 the high one.
    assert high.left_out == "a: high half of j, from voxel 9"
    assert high.half == Half(axis=1, voxel=9, side="high")
    assert high.cases == ("a",)
    asked, trained = high.asked[0].counted, high.training[0].counted
    assert asked[:, 9:].all()
    assert not asked[:, :9].any()
    np.testing.assert_array_equal(trained, ~asked)
    np.testing.assert_array_equal(low.asked[0].counted, trained)


def test_length_is_measured_in_mm():
    mask = np.zeros(IMAGE.shape[1:], bool)
    mask[0:5, 4:10, 2:4] = True
    one = LabeledObject("a", 1, 1, IMAGE, (3.0, 1.0, 1.0), mask)  # 15 mm of i, 6 mm of j

    assert "half of i, from voxel 2" in make_folds([one], 4)[0].left_out


def test_what_lies_in_one_half_alone_is_only_asked_about_there():
    whole, part = np.zeros((2, *IMAGE.shape[1:]), bool)
    whole[2:4, 4:14, 2:4] = True
    part[0, 4:6, 0] = True
    high, low = make_folds([an_object("a", whole), an_object("a", part)], 4)

    assert (len(high.training), len(high.asked)) == (2, 1)
    assert (len(low.training), len(low.asked)) == (1, 2)


def test_a_single_voxel_cannot_be_halved():
    mask = np.zeros(IMAGE.shape[1:], bool)
    mask[2, 4, 2] = True

    assert make_folds([an_object("a", mask)], 4) == ()
    assert make_folds([], 4) == ()


def test_the_best_steps_are_taken_when_the_gain_exceeds_its_standard_error():
    dice = np.array([[0.5, 0.6], [0.6, 0.72], [0.55, 0.7]])

    choice = choose_steps((0, 50, 100), dice)

    # Gains 0.10 and 0.12: mean 0.11, standard deviation 0.0141, standard error 0.01.
    assert (choice.steps, choice.best) == (50, 50)
    assert choice.gain == pytest.approx(0.11)
    assert choice.standard_error == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("dice", "best"),
    [
        ([[0.5, 0.5], [0.9, 0.4]], 50),  # gains 0.4 and -0.1: 0.15 is less than 0.25
        ([[0.5, 0.5], [0.5, 0.5]], 0),
        ([[0.5, 0.5], [0.4, 0.4]], 0),
        ([[0.5], [0.9]], 50),  # one unit has no standard error
    ],
    ids=["by chance", "the same", "worse", "one unit"],
)
def test_else_no_step_is_taken(dice, best):
    choice = choose_steps((0, 50), np.array(dice))

    assert (choice.steps, choice.best) == (0, best)


def test_of_equal_gains_the_shortest_training_wins():
    choice = choose_steps((0, 50, 100), np.array([[0.5, 0.5], [0.75, 0.75], [0.75, 0.75]]))

    assert choice.steps == 50
