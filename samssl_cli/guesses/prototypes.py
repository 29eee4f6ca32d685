"""Vectors that stand for the classes, and how like them others are."""

from collections.abc import Sequence

import numpy as np
from scipy.cluster.vq import kmeans

from samssl_cli.volumes.voxels import Image

_RESTARTS = 5
_LEAST_NORM = 1e-8


def prototypes(vectors: Image, count: int, rng: np.random.Generator) -> Image:
    """At most `count` unit vectors (P, D) in the middle of clusters of unit vectors (N, D).

    Fewer when there are fewer vectors, none when there are none.
    """
    distinct = np.unique(vectors, axis=0)
    if len(distinct) <= count:
        return distinct
    centres, _ = kmeans(vectors.astype(np.float64), count, iter=_RESTARTS, seed=rng)
    return unit(centres.T.astype(np.float32)).T


def similarity(features: Image, classes: Sequence[Image]) -> Image:
    """The cosine to the likest prototype of every class.

    Args:
        features: (D, ...) unit vectors along the first axis.
        classes: for each class its prototypes (P, D); P may be 0.

    Returns:
        (classes, ...) in -1 to 1; -1 for a class without prototypes.
    """
    flat = features.reshape(len(features), -1)
    found = np.full((len(classes), flat.shape[1]), -1.0, np.float32)
    for index, known in enumerate(classes):
        if len(known):
            found[index] = (known @ flat).max(axis=0)
    return np.clip(found, -1, 1).reshape(len(classes), *features.shape[1:])


def unit(features: Image) -> Image:
    """Vectors along the first axis, divided by their length; a vector of zeros stays."""
    length = np.linalg.norm(features, axis=0, keepdims=True)
    return np.asarray(features / np.maximum(length, _LEAST_NORM), np.float32)
