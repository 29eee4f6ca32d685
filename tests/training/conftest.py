import numpy as np
import pytest
import torch

from samssl_cli.recipe import Augmentation
from samssl_cli.training.batches import LabeledVolume, UnlabeledVolume


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def no_augmentation() -> Augmentation:
    return Augmentation(affine_probability=0, elastic=0, intensity_probability=0)


@pytest.fixture
def labeled() -> list[LabeledVolume]:
    """Two noisy volumes (1, 12, 10, 8) with a bright 4x4x4 box of class 1."""
    return [_phantom(seed) for seed in range(2)]


@pytest.fixture
def unlabeled() -> list[UnlabeledVolume]:
    return [UnlabeledVolume(_phantom(seed).image) for seed in range(2, 5)]


@pytest.fixture
def pseudo_labeled() -> list[UnlabeledVolume]:
    """Their true labels as the answer of a generalist, 0.75 sure, believed with 0.5."""
    phantoms = [_phantom(seed) for seed in range(2, 5)]
    return [
        UnlabeledVolume(
            phantom.image,
            np.stack([0.75 * phantom.label, np.full(phantom.label.shape, 0.5)]).astype(np.float16),
        )
        for phantom in phantoms
    ]


def _phantom(seed: int) -> LabeledVolume:
    rng = np.random.default_rng(seed)
    label = np.zeros((12, 10, 8), np.uint8)
    i, j, k = rng.integers(0, [9, 7, 5])
    label[i : i + 4, j : j + 4, k : k + 4] = 1
    image = (2.0 * label + 0.3 * rng.normal(size=label.shape))[None]
    return LabeledVolume(image.astype(np.float16), label)
