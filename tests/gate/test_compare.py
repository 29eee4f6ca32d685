import math

import numpy as np
import pytest

from samssl_cli.gate.compare import importance, mean_gain


def test_without_real_objects_all_weigh_the_same():
    assert importance(np.array([0.2, 0.9]), np.array([])).tolist() == [1, 1]


def test_what_is_rarer_among_the_simulated_weighs_more():
    # Quintiles of 0 ... 9 lie at 1.8, 3.6, 5.4, 7.2, so that each bin has 2 of 10 real objects, a
    # share of 3 / 15. Of five simulated objects four lie in the first bin: (4 + 1) / 10 there,
    # (1 + 1) / 10 in the last.
    weights = importance(np.array([0.0, 0.5, 1.0, 1.5, 9.0]), np.arange(10.0))
    np.testing.assert_allclose(weights, [0.4, 0.4, 0.4, 0.4, 1.0])


def test_equal_distributions_weigh_about_the_same():
    values = np.random.default_rng(0).random(1000)
    np.testing.assert_allclose(importance(values, values), 1, atol=0.01)


def test_no_weight_is_above_ten():
    simulated = np.append(np.zeros(200), 1.0)
    real = np.append(np.ones(500), 0.5)
    assert importance(simulated, real).max() == 10


def test_the_error_of_independent_differences_is_that_of_a_mean():
    differences = np.array([0.0, 0.1, 0.2, 0.5])
    mean, error = mean_gain(differences, np.ones(4), range(4))
    assert mean == pytest.approx(0.2)
    assert error == pytest.approx(differences.std(ddof=1) / 2)


def test_what_lies_in_one_cluster_counts_once():
    # Means of the clusters are 0.1 and 0.3: half their difference.
    mean, error = mean_gain(np.array([0.1, 0.1, 0.3, 0.3]), np.ones(4), "aabb")
    assert (mean, error) == (pytest.approx(0.2), pytest.approx(0.1))


def test_the_larger_error_counts_and_one_cluster_says_nothing():
    differences = np.array([0.1, 0.1, 0.3, 0.3])
    _, alone = mean_gain(differences, np.ones(4), range(4))
    _, both = mean_gain(differences, np.ones(4), range(4), "aabb")
    assert both > alone
    assert mean_gain(differences, np.ones(4), range(4), "aaaa")[1] == alone
    assert math.isinf(mean_gain(differences, np.ones(4), "aaaa")[1])


def test_weights_move_the_mean():
    assert mean_gain(np.array([0.0, 1.0]), np.array([1.0, 3.0]), range(2))[0] == 0.75
