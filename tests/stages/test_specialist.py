import numpy as np
import torch
from torch import nn

from samssl_cli.recipe import Inference
from samssl_cli.stages.specialist import Specialist
from samssl_cli.volumes.blur import blurred


def specialist(**options) -> Specialist:
    torch.manual_seed(0)
    return Specialist(
        nn.Conv3d(1, 2, 3, padding=1), (8, 6, 4), Inference(**options), torch.device("cpu")
    )


def test_probabilities_are_blurred_on_the_grid_of_the_image():
    image = np.random.default_rng(0).normal(size=(1, 12, 8, 6)).astype(np.float32)
    for shape in (None, (6, 4, 3)):
        sharp = specialist().predict(image, shape=shape)
        smooth = specialist(blur_sigma_voxels=1.5).predict(image, shape=shape)
        np.testing.assert_array_equal(smooth, blurred(sharp, 1.5))
        assert np.abs(np.diff(smooth[1], axis=0)).max() < np.abs(np.diff(sharp[1], axis=0)).max()
