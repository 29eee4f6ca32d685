import numpy as np
import pytest
import torch


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture
def ball() -> torch.Tensor:
    """(24, 24, 24): depth in a ball of 7 voxels in the middle, negative outside."""
    offsets = torch.arange(24, dtype=torch.float32) - 11.5
    x, y, z = torch.meshgrid(offsets, offsets, offsets, indexing="ij")
    return 7 - (x**2 + y**2 + z**2).sqrt()
