import json

import numpy as np
import pytest

from samssl_cli import recipe
from samssl_cli.prompts import STRATEGIES
from samssl_cli.prompts.build import build_prompts
from samssl_cli.prompts.serialize import pack, unpack
from samssl_cli.prompts.types import Box, ObjectPrompts, Points, Prompt
from samssl_cli.registry import load

SHAPE = (6, 5, 3)


def assert_equal(ours, theirs):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.class_index == other.class_index
        assert one.component == other.component
        np.testing.assert_array_equal(one.mask, other.mask)
        assert len(one.sets) == len(other.sets)
        for a, b in zip(one.sets, other.sets, strict=True):
            np.testing.assert_array_equal(a.points.coordinates, b.points.coordinates)
            np.testing.assert_array_equal(a.points.is_positive, b.points.is_positive)
            assert a.points.coordinates.dtype == b.points.coordinates.dtype
            assert a.points.is_positive.dtype == b.points.is_positive.dtype
            assert a.box == b.box
            assert (a.mask is None) == (b.mask is None)
            if a.mask is not None:
                np.testing.assert_array_equal(a.mask, b.mask)
                assert a.mask.dtype == b.mask.dtype


def round_trip(objects, shape=SHAPE):
    arrays, attributes = pack(objects, shape)
    return unpack(arrays, json.loads(json.dumps(attributes)))


def mask_of(*slices):
    mask = np.zeros(SHAPE, bool)
    mask[slices] = True
    return mask


OWN = mask_of(slice(2, 5), 1, 1)


@pytest.mark.parametrize(
    "prompt",
    [
        pytest.param(Prompt(), id="nothing"),
        pytest.param(Prompt(box=Box((0, 0, 0), (6, 5, 3))), id="box"),
        pytest.param(Prompt(points=Points(np.array([[5, 4, 2]]), np.array([False]))), id="point"),
        pytest.param(Prompt(mask=mask_of(slice(1, 4), slice(0, 5), slice(2, 3))), id="mask"),
        pytest.param(Prompt(mask=np.zeros(SHAPE, bool)), id="empty mask"),
        pytest.param(Prompt(mask=np.ones(SHAPE, bool)), id="full mask"),
        pytest.param(Prompt(mask=mask_of(5, 4, 2)), id="mask of one voxel"),
    ],
)
def test_every_part_of_a_prompt_comes_back(prompt):
    objects = (ObjectPrompts(2, 1, OWN, (prompt,)), ObjectPrompts(3, 4, OWN, (Prompt(), prompt)))
    assert_equal(round_trip(objects), objects)


def test_masks_of_different_objects_may_overlap():
    one, other = mask_of(slice(0, 4)), mask_of(slice(2, 6))
    objects = (
        ObjectPrompts(1, 1, one, (Prompt(mask=one), Prompt(mask=other))),
        ObjectPrompts(2, 1, other, (Prompt(mask=other), Prompt(mask=one))),
    )
    assert_equal(round_trip(objects), objects)


def test_no_objects():
    arrays, attributes = pack((), SHAPE)
    assert attributes == {"shape": [6, 5, 3], "objects": []}
    assert arrays["points"].shape == (0, 3)
    assert arrays["boxes"].shape == (0, 2, 3)
    assert arrays["mask_bits"].shape == (0,)
    assert unpack(arrays, attributes) == ()


def test_the_layout_is_the_documented_one():
    points = Points(np.array([[1, 2, 0], [3, 4, 1]]), np.array([True, False]))
    mask = mask_of(slice(1, 4), slice(0, 5), 2)  # 15 voxels: 2 bytes
    prompt = Prompt(points=points, box=Box((1, 0, 0), (4, 5, 3)), mask=mask)
    arrays, _ = pack([ObjectPrompts(1, 1, mask, (Prompt(), prompt))], SHAPE)
    assert {name: (array.dtype.name, array.tolist()) for name, array in arrays.items()} == {
        "points": ("int32", [[1, 2, 0], [3, 4, 1]]),
        "point_is_positive": ("bool", [True, False]),
        "point_owner": ("int32", [[0, 1], [0, 1]]),
        "boxes": ("int32", [[[1, 0, 0], [4, 5, 3]]]),
        "box_owner": ("int32", [[0, 1]]),
        "mask_frames": ("int32", [[[1, 0, 2], [4, 5, 3]]] * 2),
        "mask_owner": ("int32", [[0, -1], [0, 1]]),
        "mask_bits": ("uint8", [255, 254] * 2),
    }


def test_what_was_built_comes_back(rng):
    probability = rng.dirichlet(np.ones(3), (9, 8, 7)).astype(np.float32)
    probability = np.moveaxis(probability, -1, 0)
    options = recipe.Prompt(min_component_voxels=1, min_component_fraction=0.0, perturbation=0.5)
    strategies = [load(STRATEGIES, name, kind="strategy") for name in STRATEGIES]
    objects = build_prompts(probability, probability[0], options, rng, strategies)
    assert len(objects) > 2
    assert_equal(round_trip(objects, (9, 8, 7)), objects)
