import numpy as np
import pytest

from samssl_cli import recipe

CUBE = (slice(4, 11), slice(4, 11), slice(4, 11))  # 7 x 7 x 7, its centre is (7, 7, 7)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def cube():
    """A sure 7x7x7 cube in a 15x15x15 volume: p = 0.95 inside, 0.05 outside."""
    probability = np.full((15, 15, 15), 0.05, np.float32)
    probability[CUBE] = 0.95
    return probability


@pytest.fixture
def options():
    return recipe.Prompt(min_component_voxels=1, min_component_fraction=0.0)
