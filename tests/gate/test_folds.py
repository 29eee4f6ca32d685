import numpy as np

from samssl_cli.gate.folds import folds_of, groups_of, is_learned_from


def test_each_of_several_cases_is_a_fold(make_view):
    groups = groups_of(make_view(5, truth=5), case=2, num_cases=3)
    assert np.unique(groups).tolist() == [2]
    assert list(folds_of(3)) == [0, 1, 2]
    learned = is_learned_from(np.array([0, 1, 2]), 2, num_cases=3)
    assert learned.tolist() == [True, True, False]


def test_one_case_is_cut_in_halves_and_its_specialists_too(make_view):
    # The true object is 4 ... 7, so that the cut lies at 6, wherever the window begins.
    for answer in (5, 9):
        view = make_view(answer, truth=4, draw=3)
        line = groups_of(view, case=0, num_cases=1)[:, 0, 0]
        assert (np.flatnonzero(np.diff(line)) + 1 + view.window.low[0]).tolist() == [6]
        assert np.unique(line).tolist() == [2, 3]
    assert np.unique(groups_of(make_view(5, truth=4), case=0, num_cases=1)).tolist() == [0, 1]


def test_a_quarter_learns_from_the_other_half_of_the_other_specialists():
    for fold in folds_of(1):
        (learned,) = np.flatnonzero(is_learned_from(np.arange(4), fold, num_cases=1))
        assert learned // 2 != fold // 2
        assert learned % 2 != fold % 2
