import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samssl_cli import recipe
from samssl_cli.prompts import STRATEGIES
from samssl_cli.prompts.build import build_prompts, own_probability
from samssl_cli.prompts.types import Box, Prompt
from samssl_cli.registry import load

ALL = [load(STRATEGIES, name, kind="strategy") for name in STRATEGIES]
EVERY_OBJECT = {"min_component_voxels": 1, "min_component_fraction": 0.0}


def two_class(foreground):
    return np.stack([1 - foreground, foreground]).astype(np.float32)


def build(probability, options, seed=0, strategies=ALL):
    entropy = -(probability * np.log(probability + 1e-9)).sum(axis=0) / np.log(len(probability))
    generator = np.random.default_rng(seed)
    return build_prompts(probability, entropy.astype(np.float32), options, generator, strategies)


def test_the_cube_is_prompted_in_the_volumes_own_voxels(cube, options):
    volume = np.full((60, 50, 40), 0.05, np.float32)
    volume[30:45, 20:35, 10:25] = cube  # the cube's centre is now (37, 27, 17)
    (found,) = build(two_class(volume), options)
    assert (found.class_index, found.component, found.num_voxels) == (1, 1, 343)
    assert len(found.sets) == 3
    first = found.sets[0]
    assert first.box == Box((32, 22, 12), (43, 33, 23))
    assert first.points.coordinates[0].tolist() == [37, 27, 17]
    np.testing.assert_array_equal(first.mask, volume >= 0.5)


def test_all_sets_but_the_first_are_perturbed(cube):
    options = recipe.Prompt(perturbation=0.4, num_sets=4)
    (found,) = build(two_class(cube), options)
    masks = [prompt.mask for prompt in found.sets]
    assert (masks[0] == (cube >= 0.5)).all()
    assert all((a != b).any() for a, b in pairwise(masks))


def test_nothing_found_gives_no_prompts(options):
    assert build(two_class(np.zeros((5, 6, 7), np.float32)), options) == ()


@pytest.mark.parametrize("corner", [(0, 0, 0), (8, 4, 2), (4, 0, 2)], ids=str)
def test_an_object_of_one_voxel_at_the_border(corner, options):
    foreground = np.zeros((9, 5, 3), np.float32)
    foreground[corner] = 0.9
    (found,) = build(two_class(foreground), options)
    for prompt in found.sets:
        assert (prompt.mask & (foreground > 0.5)).any()
        for point, is_positive in zip(
            prompt.points.coordinates, prompt.points.is_positive, strict=True
        ):
            assert is_positive == (tuple(point) == corner)


def test_a_volume_that_is_all_object(options):
    (found,) = build(two_class(np.full((6, 5, 4), 0.9, np.float32)), options)
    assert found.sets[0].mask.all()
    assert found.sets[0].points.is_positive.all()


def test_two_classes_and_two_components():
    options = recipe.Prompt(**EVERY_OBJECT, perturbation=0.8, num_sets=6)
    label = np.zeros((30, 20, 12), np.int64)
    label[2:8, 2:8, 2:8] = 1
    label[20:25, 2:7, 2:7] = 1
    label[8:14, 2:8, 2:8] = 2  # touches the first
    probability = np.where(np.arange(3).reshape(3, 1, 1, 1) == label, 0.9, 0.05)
    found = build(probability.astype(np.float32), options)
    assert [(one.class_index, one.component) for one in found] == [(1, 1), (1, 2), (2, 1)]
    for one, (class_index, low) in zip(found, [(1, 2), (1, 20), (2, 8)], strict=True):
        mask = one.sets[0].mask
        assert (label[mask] == class_index).all()
        assert np.argwhere(mask).min(axis=0).tolist() == [low, 2, 2]
        for prompt in one.sets:  # a perturbed outline never enters another object
            assert ((label == 0) | (label == class_index))[prompt.mask].all()


def test_no_negative_click_falls_into_an_island_of_the_same_class():
    label = np.zeros((20, 10, 10), np.float32)
    label[0:8], label[10:14] = 0.95, 0.95  # a slab, and within its shell a smaller slab
    options = recipe.Prompt(min_component_voxels=500, num_negative=8)
    (found,) = build(two_class(label), options)
    negative = found.sets[0].points.coordinates[~found.sets[0].points.is_positive]
    assert len(negative) > 0
    assert (label[tuple(negative.T)] < 0.5).all()


def test_an_object_is_prompted_where_no_class_reaches_one_half(options):
    probability = np.tile(np.array([0.6, 0.2, 0.2], np.float32).reshape(3, 1, 1, 1), (1, 9, 9, 9))
    probability[:, 3:6, 3:6, 3:6] = np.array([0.3, 0.3, 0.4]).reshape(3, 1, 1, 1)
    (found,) = build(probability, options)
    assert found.class_index == 2
    assert found.sets[0].mask.sum() == 27


def test_the_own_probability_is_measured_against_the_strongest_rival():
    probability = np.array([0.3, 0.2, 0.5], np.float32).reshape(3, 1, 1, 1)
    inside = np.ones((1, 1, 1), bool)
    assert own_probability(probability, 2, inside).item() == pytest.approx(0.5 / 0.8)
    assert own_probability(probability, 2, ~inside).item() < 0.5
    assert own_probability(np.zeros_like(probability), 2, inside).item() == 0


def test_the_same_seed_gives_the_same_prompts(cube, options):
    for one, other in zip(*(build(two_class(cube), options)[0].sets for _ in "ab"), strict=True):
        np.testing.assert_array_equal(one.points.coordinates, other.points.coordinates)
        np.testing.assert_array_equal(one.mask, other.mask)
        assert one.box == other.box


def test_without_strategies_the_sets_say_nothing(cube, options):
    (found,) = build(two_class(cube), options, strategies=[])
    assert [(len(one.points), one.box, one.mask) for one in found.sets] == [(0, None, None)] * 3


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    shape=st.tuples(*[st.integers(1, 14)] * 3),
    num_classes=st.integers(2, 4),
    perturbation=st.sampled_from([0.0, 0.1, 0.5, 2.0]),
)
def test_clicks_always_have_the_specialists_sign(seed, shape, num_classes, perturbation):
    noise = np.random.default_rng(seed).standard_normal((num_classes, *shape))
    odds = np.exp(3 * noise)
    probability = (odds / odds.sum(axis=0)).astype(np.float32)
    label = probability.argmax(axis=0)
    options = recipe.Prompt(**EVERY_OBJECT, perturbation=perturbation, num_sets=2)
    for found in build(probability, options, seed):
        own_mask = found.sets[0].mask
        assert (label[own_mask] == found.class_index).all()
        assert own_mask.sum() == found.num_voxels
        for prompt in found.sets:
            assert prompt.mask.any()
            assert (own_mask[tuple(prompt.points.coordinates.T)] == prompt.points.is_positive).all()
            assert all(high <= n for high, n in zip(prompt.box.high, shape, strict=True))


def test_defect_b_prompts_never_describe_the_background(cube, options):
    """PEERS 2.2 b: SemiSAM+ prompted with channel 0, the background."""
    (found,) = build(two_class(cube), options)
    assert found.sets[0].mask.sum() == 343  # not 15^3 - 343
    assert [found.class_index] == [1]


def test_defect_c_positive_clicks_follow_the_specialist(cube, options):
    """PEERS 2.2 c: SemiSAM thresholded a softmax map at 0, so that clicks fell anywhere."""
    assert (cube > 0).all()
    (found,) = build(two_class(cube), options)
    for prompt in found.sets:
        points = prompt.points
        positive = points.coordinates[points.is_positive]
        assert ((positive >= 4) & (positive < 11)).all()


def test_defect_d_signs_are_read_at_the_voxel_that_is_clicked(options):
    """PEERS 2.2 d: SemiSAM read the sign at (0, c, i) instead of (i, j, k).

    In this flat, off-centre object any exchange of axes leaves the object or the volume.
    """
    foreground = np.full((24, 12, 5), 0.02, np.float32)
    foreground[14:22, 2:7, 1:4] = 0.97
    (found,) = build(two_class(foreground), options)
    for prompt in found.sets:
        signs = foreground[tuple(prompt.points.coordinates.T)] >= 0.5
        assert prompt.points.is_positive.any()
        assert (~prompt.points.is_positive).any()
        np.testing.assert_array_equal(prompt.points.is_positive, signs)


def test_defect_e_every_object_starts_afresh(cube, options):
    """PEERS 2.2 e: SemiSAM started sample b from the mask of sample b - 1."""
    asked = []

    def spy(probability, uncertainty, options, rng):
        asked.append(probability)
        return Prompt()

    both = np.concatenate([cube, cube])
    build(two_class(both), recipe.Prompt(num_sets=1), strategies=[spy])
    assert [(one >= 0.5).sum() for one in asked] == [343, 343]


def test_a_large_object_takes_well_under_a_second():
    shape = (100, 70, 44)
    centre, radius = np.divide(shape, 2), np.array([40, 27, 15])
    scaled = (np.moveaxis(np.indices(shape), 0, -1) - centre) / radius
    foreground = 1 / (1 + np.exp(15 * (np.linalg.norm(scaled, axis=-1) - 1)))
    started = time.process_time()
    build(two_class(foreground), recipe.Prompt())
    assert time.process_time() - started < 5  # 0.5 s on one free core
