"""Logistic regression with an L2 penalty, weights, and coefficients that are not negative."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

Array = NDArray[np.float64]


def fit_logistic(features: Array, target: Array, weights: Array, *, penalty: float) -> Array:
    """Find the coefficients of the features, then the intercept.

    minimise  sum_n w_n [log(1 + exp z_n) - y_n z_n] / sum_n w_n + penalty / 2 * sum_f (r_f b_f)²
    with z = b . x + b_0, r_f the root mean square of feature f, and every b_f >= 0. The intercept
    b_0 is free and not penalised. A feature that is 0 everywhere gets 0.

    Args:
        features: (N, F).
        target: (N,) 0 or 1.
        weights: (N,) not negative, not all 0.
        penalty: not negative; with 0, classes that can be separated have no optimum.

    Returns:
        (F + 1,) float64.
    """
    share = weights / weights.sum()
    size = np.sqrt(share @ features**2)
    scale = np.where(size > 0, size, 1.0)
    scaled = np.column_stack([features / scale, np.ones(len(features))]).astype(np.float64)
    strength = np.append(np.full(len(scale), penalty), 0.0)

    def loss(coefficients: Array) -> tuple[float, Array]:
        z = scaled @ coefficients
        value = share @ (np.logaddexp(0, z) - target * z)
        slope = scaled.T @ (share * (expit(z) - target))
        return (
            float(value + strength @ coefficients**2 / 2),
            np.asarray(slope + strength * coefficients),
        )

    bounds = [(0, None)] * len(scale) + [(None, None)]
    found = minimize(
        loss,
        np.zeros(len(bounds)),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": 1000, "ftol": 1e-12, "gtol": 1e-7},
    )
    return np.asarray(found.x / np.append(scale, 1.0), np.float64)


def predict_logistic(coefficients: Array, features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Probability of each voxel: (F + 1,) and (F, ...) to (...), float32."""
    z = np.tensordot(coefficients[:-1], features, axes=1) + coefficients[-1]
    return np.asarray(expit(z), np.float32)
