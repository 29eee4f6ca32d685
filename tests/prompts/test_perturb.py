import numpy as np
import pytest

from samssl_cli import recipe
from samssl_cli.prompts.perturb import half_width, perturb, signed_distance, smooth_noise, warp


def test_the_half_width_of_a_slab_is_half_its_thickness():
    slab = np.zeros((10, 80, 80), bool)
    slab[3:7] = True  # 4 thick: depths 0.5, 1.5, 1.5, 0.5, hence 2 * 1.0, but for the rim
    assert half_width(signed_distance(slab)) == pytest.approx(2, rel=0.05)


def test_the_signed_distance_is_zero_between_the_voxels():
    line = np.array([0, 0, 1, 1, 1, 0], bool).reshape(-1, 1, 1)
    # across j and k the border of the volume is outside: every voxel is half a voxel deep
    assert signed_distance(line).ravel().tolist() == [-1.5, -0.5, 0.5, 0.5, 0.5, -0.5]


def test_a_single_voxel_has_a_half_width():
    voxel = np.zeros((3, 3, 3), bool)
    voxel[1, 1, 1] = True
    assert half_width(signed_distance(voxel)) == 1


def test_warp_reads_each_voxel_at_its_displaced_place():
    line = np.arange(4, dtype=np.float32).reshape(4, 1, 1)
    displacement = np.zeros((3, 4, 1, 1))
    displacement[0] = 0.5
    assert warp(line, displacement).ravel().tolist() == [0.5, 1.5, 2.5, 3.0]


def test_smooth_noise_is_smooth_and_of_unit_size(rng):
    noise = smooth_noise((30, 20, 10), 4.0, rng)
    assert np.sqrt(np.mean(noise**2)) == pytest.approx(1)
    assert np.abs(np.diff(noise, axis=0)).mean() < 0.25


def overlap(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.fixture
def ball():
    distance = np.linalg.norm(np.indices((32, 32, 32)) - 15.5, axis=0)
    return (1 / (1 + np.exp(distance - 11))).astype(np.float32)


def test_the_outline_moves_a_little_and_the_object_stays(ball):
    options = recipe.Prompt(perturbation=0.1)
    for seed in range(5):
        moved = perturb(ball, options, np.random.default_rng(seed))
        assert moved.dtype == np.float32
        assert 0.85 < overlap(moved >= 0.5, ball >= 0.5) < 1
        assert moved.min() >= 0
        assert moved.max() <= 1


def test_a_larger_perturbation_moves_it_further(ball):
    scores = []
    for size in (0.05, 0.2, 0.6):
        options = recipe.Prompt(perturbation=size)
        moved = [perturb(ball, options, np.random.default_rng(seed)) for seed in range(5)]
        scores.append(np.mean([overlap(one >= 0.5, ball >= 0.5) for one in moved]))
    assert scores == sorted(scores, reverse=True)


def test_a_saturated_prediction_moves_as_well(ball, rng):
    hard = (ball >= 0.5).astype(np.float32)
    assert overlap(perturb(hard, recipe.Prompt(perturbation=0.3), rng) >= 0.5, hard >= 0.5) < 1


def test_no_perturbation_and_no_object_change_nothing(ball, rng):
    assert perturb(ball, recipe.Prompt(perturbation=0), rng) is ball
    nothing = np.zeros((4, 4, 4), np.float32)
    assert perturb(nothing, recipe.Prompt(), rng) is nothing


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 6, 3), (5, 1, 9)], ids=str)
def test_flat_volumes_and_full_volumes(shape, rng):
    moved = perturb(np.ones(shape, np.float32), recipe.Prompt(), rng)
    assert moved.shape == shape
    assert (moved == 1).all()
