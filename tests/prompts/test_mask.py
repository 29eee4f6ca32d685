import numpy as np

from samssl_cli.prompts.mask import mask


def test_the_mask_is_every_voxel_of_one_half_or_more(options, rng):
    probability = np.array([0.2, 0.5, 0.9], np.float32).reshape(3, 1, 1)
    prompt = mask(probability, np.zeros_like(probability), options, rng)
    assert prompt.mask is not None
    assert prompt.mask.ravel().tolist() == [False, True, True]
    assert prompt.box is None
    assert len(prompt.points) == 0


def test_no_object_gives_no_mask(options, rng):
    nothing = np.zeros((3, 3, 3), np.float32)
    assert mask(nothing, nothing, options, rng).mask is None
