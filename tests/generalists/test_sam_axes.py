import numpy as np
import pytest
from scipy.special import expit, logit

from samssl_cli.generalists.sam_axes import cuts, mean_answer, pixel_aspect
from samssl_cli.generalists.sam_slices import Slicing
from samssl_cli.generalists.sam_view import OUTSIDE_LOGIT

SHAPE = (9, 8, 7)


def _axes(name: str, spacing_mm: tuple[float, float, float], limit: float = 3) -> str:
    found = cuts(name, SHAPE, spacing_mm, max_anisotropy=limit)
    return "".join("ijk"[cut.axis] for cut in found)


@pytest.mark.parametrize(
    ("spacing_mm", "limit", "axes"),
    [
        ((1, 1, 1), 3, "ijk"),
        ((1, 1, 3), 3, "ijk"),
        ((0.7, 0.7, 5), 3, "k"),
        ((5, 0.7, 0.7), 3, "i"),
        ((1, 2, 4), 2, "ik"),  # 2 x 4, 1 x 4 and 1 x 2 mm
        ((1, 5, 25), 3, "ik"),  # none is within the limit: the squarest
        ((1, 1, 1.2), 1, "k"),
    ],
    ids=str,
)
def test_all_axes_answer_whose_pixels_are_not_too_long(spacing_mm, limit, axes):
    assert _axes("all", spacing_mm, limit) == axes


def test_a_named_axis_is_taken_whatever_its_pixels():
    assert _axes("i", (1, 1, 9)) == "i"
    assert _axes("auto", (1, 1, 9)) == "k"  # 7 slices


def test_a_pixel_is_as_high_as_its_rows_are_apart():
    spacing_mm = (1.0, 2.0, 3.0)  # across k: columns run along i, rows along j

    aspects = [pixel_aspect(Slicing(axis, SHAPE), spacing_mm) for axis in range(3)]

    assert aspects == [1.5, 3, 2]


def test_pixels_that_are_square_but_for_rounding_are_square():
    assert pixel_aspect(Slicing(2, SHAPE), (0.625, 0.62500006, 1)) == 1


ALL = np.ones(1, bool)


def test_probabilities_are_averaged_and_given_back_as_logits():
    answers = [np.array([logit(p)], np.float32) for p in (0.5, 0.9, 0.1)]

    assert expit(mean_answer(answers, [ALL] * 3)) == pytest.approx(0.5)
    assert expit(mean_answer(answers[:2], [ALL] * 2)) == pytest.approx(0.7)


@pytest.mark.parametrize("value", [-50, -20, 0, 20, 50])
def test_axes_of_one_mind_are_not_rounded_away(value):
    said = np.full(2, value, np.float32)

    np.testing.assert_allclose(mean_answer([said, said, said], [ALL] * 3), said, rtol=1e-6)
    assert mean_answer([said], [ALL]).dtype == np.float32


def test_an_axis_that_did_not_look_has_no_vote():
    not_asked, sure, unsure = (np.float32([logit]) for logit in (OUTSIDE_LOGIT, 3, -1))

    assert mean_answer([not_asked, sure, sure], [~ALL, ALL, ALL]) == pytest.approx(3)
    assert mean_answer([not_asked, not_asked, unsure], [~ALL, ~ALL, ALL]) == pytest.approx(-1)
    assert mean_answer([not_asked, sure], [ALL, ALL]) < 0  # looked, and saw nothing: 0.95 / 2


def test_where_no_axis_looked_it_is_outside():
    not_asked = np.full(1, OUTSIDE_LOGIT, np.float32)

    assert mean_answer([not_asked, not_asked], [~ALL, ~ALL]) == OUTSIDE_LOGIT


def test_where_an_axis_looked_is_told_by_slices():
    first = np.full((1, 2, 3, 1), 4, np.float32)
    second = np.full((1, 2, 3, 1), -4, np.float32)
    of_i, of_j = np.array([True, False]), np.array([True, True, False])

    found = mean_answer([first, second], [of_i[None, :, None, None], of_j[None, None, :, None]])

    assert found[0, ..., 0].round(3).tolist() == [[0, 0, 4], [-4, -4, 4]]  # 4: the first's own


def test_the_largest_logits_stay_finite():
    huge = np.float32([1e4, -1e4])

    assert np.isfinite(mean_answer([huge, huge], [ALL, ALL])).all()
