"""Distances are scipy's, bit for bit."""

import numpy as np
import pytest
from scipy import ndimage

from samssl_cli import distances
from samssl_cli.distances import distance_to_false


def ball(shape, *, centre, radius):
    where = np.indices(shape) - np.reshape(centre, (-1, 1, 1, 1))
    return (where**2).sum(axis=0) <= radius**2


MASKS = {
    "a ball": ball((40, 50, 60), centre=(15, 30, 20), radius=11),
    "a ball that is cut off": ball((40, 50, 60), centre=(0, 49, 30), radius=14),
    "all around a ball": ~ball((40, 50, 60), centre=(15, 30, 20), radius=11),
    "noise": np.random.default_rng(0).random((40, 50, 60)) < 0.5,
    "nearly all": np.random.default_rng(0).random((40, 50, 60)) < 0.9999,
    "two far apart": ball((90, 50, 60), centre=(5, 5, 5), radius=4)
    | ball((90, 50, 60), centre=(85, 45, 55), radius=3),
    "a slice": ball((40, 50, 1), centre=(15, 30, 0), radius=11),
    "nothing": np.zeros((40, 50, 60), bool),
}


@pytest.mark.parametrize("few", [0, 2**16, 2**30])
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_they_are_exact(mask, few, monkeypatch):
    monkeypatch.setattr(distances, "_FEW_VOXELS", few)
    expected = ndimage.distance_transform_edt(mask)
    before = mask.copy()
    found = distance_to_false(mask)
    assert np.array_equal(found, expected)
    assert found.dtype == np.float64
    assert np.array_equal(mask, before)


def test_order_in_memory_does_not_matter(monkeypatch):
    monkeypatch.setattr(distances, "_FEW_VOXELS", 0)
    mask = MASKS["two far apart"]
    for changed in (np.asfortranarray(mask), mask[::2, :, ::-1]):
        assert np.array_equal(distance_to_false(changed), ndimage.distance_transform_edt(changed))


@pytest.mark.parametrize("within", [0, 1, 3.5, 20, 1000])
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_only_what_is_far_away_may_be_farther(mask, within):
    expected = ndimage.distance_transform_edt(mask)
    found = distance_to_false(mask, within=within)
    is_near = expected <= within
    assert np.array_equal(found[is_near], expected[is_near])
    assert np.all((found == expected) | np.isinf(found))
