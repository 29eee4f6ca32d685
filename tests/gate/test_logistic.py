import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit, logit

from samssl_cli.gate.logistic import fit_logistic, predict_logistic

NONE = 1e-12  # a penalty that changes nothing


def test_the_intercept_is_the_logit_of_the_weighted_share():
    # A feature of zeros: 3 of 4 by weight are the object, so b_0 = ln 3.
    found = fit_logistic(
        np.zeros((3, 1)), np.array([1.0, 1, 0]), np.array([1.0, 2, 1]), penalty=NONE
    )
    np.testing.assert_allclose(found, [0, np.log(3)], atol=1e-5)


def test_two_points_are_fitted_exactly():
    # P(1 | x = 0) = 1 / 4 and P(1 | x = 1) = 3 / 5: b = logit(0.6) - logit(0.25), b_0 the latter.
    x = np.array([0.0] * 4 + [1.0] * 5)[:, None]
    y = np.array([1.0, 0, 0, 0, 1, 1, 1, 0, 0])
    found = fit_logistic(x, y, np.ones(9), penalty=NONE)
    np.testing.assert_allclose(found, [logit(0.6) - logit(0.25), logit(0.25)], atol=1e-4)


def test_a_penalty_holds_back_what_could_be_separated():
    # x = -2 is no object, x = 2 is one; r = 2, u = 2 b: minimise log(1 + exp(-u)) + penalty u² / 2,
    # so that expit(-u) = penalty * u.
    x, y = np.array([[-2.0], [2.0]]), np.array([0.0, 1.0])
    u = brentq(lambda value: expit(-value) - 0.1 * value, 0, 10)
    found = fit_logistic(x, y, np.ones(2), penalty=0.1)
    np.testing.assert_allclose(found, [u / 2, 0], atol=1e-5)


def test_no_coefficient_is_negative():
    # The feature says the opposite of the truth: it is not read backwards, but left out.
    x, y = np.array([[-1.0], [1.0]]), np.array([1.0, 0.0])
    found = fit_logistic(x, y, np.ones(2), penalty=0.01)
    np.testing.assert_allclose(found, [0, 0], atol=1e-6)


def test_a_weight_is_as_good_as_a_repetition():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 2)), (rng.random(20) > 0.4).astype(float)
    weights = np.where(np.arange(20) < 5, 3.0, 1.0)
    repeated = np.repeat(np.arange(20), weights.astype(int))
    one = fit_logistic(x, y, weights, penalty=0.01)
    other = fit_logistic(x[repeated], y[repeated], np.ones(len(repeated)), penalty=0.01)
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_prediction_is_the_sigmoid():
    features = np.array([[[[0.0, 1.0]]], [[[2.0, -1.0]]]])  # (2, 1, 1, 2)
    found = predict_logistic(np.array([1.0, 0.5, -1.0]), features)
    assert found.shape == (1, 1, 2)
    assert found.ravel() == pytest.approx([0.5, expit(-0.5)])
