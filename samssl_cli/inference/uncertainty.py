"""How unsure the specialist is, voxel by voxel."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import entr
from torch import nn

Predict = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def normalised_entropy(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """Entropy of the class probabilities divided by its largest value, ln(classes).

    Shapes: (classes, I, J, K) to (I, J, K), in 0-1.
    """
    entropy = entr(probability).sum(axis=0) / np.log(len(probability))
    result: NDArray[np.float32] = np.clip(entropy, 0, 1).astype(np.float32)
    return result


def stochastic_probability(
    predict: Predict,
    network: nn.Module,
    image: NDArray[np.float32],
    *,
    num_passes: int,
    noise_std: float,
    seed: int,
) -> NDArray[np.float32]:
    """Mean of several predictions with dropout on and noise on the input.

    Source: Gal & Ghahramani, ICML 2016, arXiv:1506.02142; with input noise as in UA-MT (Yu et al.,
    MICCAI 2019). A network without dropout differs between passes by the noise alone.

    Args:
        predict: image (C, I, J, K) to probabilities (classes, I, J, K), through `network`.
        network: whose dropout layers are switched on meanwhile.
        image: (C, I, J, K).
        num_passes: how many predictions are averaged.
        noise_std: of the input noise.
        seed: of dropout and noise.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    dropout = [m for m in network.modules() if isinstance(m, nn.modules.dropout._DropoutNd)]
    try:
        for layer in dropout:
            layer.train()
        passes = (
            predict(image + rng.normal(0, noise_std, image.shape).astype(np.float32))
            for _ in range(num_passes)
        )
        total = next(passes)
        for probability in passes:
            total = total + probability
    finally:
        for layer in dropout:
            layer.eval()
    mean: NDArray[np.float32] = total / np.float32(num_passes)
    return mean
