import json

import numpy as np
import pytest

from samssl_cli.metrics.quality import (
    AcceptanceRate,
    PromptQuality,
    PseudoLabelQuality,
    acceptance_rate,
    prompt_quality,
    pseudo_label_quality,
)
from samssl_cli.prompts.types import Box, ObjectPrompts, Points, Prompt

SHAPE = (12, 10, 8)
BLOCK = (slice(1, 5), slice(1, 5), slice(1, 5))  # 64 voxels
SPECK = (slice(8, 10), slice(6, 8), slice(5, 7))  # 8 voxels
OTHER = (slice(7, 11), slice(4, 8), slice(3, 7))  # 64 voxels


def line(*values):
    return np.array(values, np.uint8).reshape(-1, 1, 1)


def mask_of(*frames):
    mask = np.zeros(SHAPE, bool)
    for frame in frames:
        mask[frame] = True
    return mask


def reference_of(*frames, class_index=1):
    return mask_of(*frames).astype(np.uint8) * class_index


def prompted(*sets, mask=BLOCK, class_index=1):
    return ObjectPrompts(class_index, 1, mask_of(mask), sets)


def points(**clicks):
    """`positive=[(i, j, k)]` and `negative=[…]` as one prompt."""
    positive, negative = clicks.get("positive", []), clicks.get("negative", [])
    return Prompt(
        Points(
            np.array([*positive, *negative], np.int64).reshape(-1, 3),
            np.array([True] * len(positive) + [False] * len(negative)),
        )
    )


# pseudo-labels


def test_pseudo_label_by_hand():
    label = line(1, 1, 1, 0, 0, 1, 2)
    reference = line(1, 1, 0, 1, 1, 1, 0)
    acceptance = line(1, 1, 1, 1, 0, 0, 0)
    quality = pseudo_label_quality(label, acceptance, reference, 1)
    assert quality.coverage == pytest.approx(3 / 5)  # voxels 0, 1, 3 of 0, 1, 3, 4, 5
    assert quality.accepted_share == pytest.approx(3 / 4)  # voxels 0, 1, 2 of 0, 1, 2, 5
    assert quality.dice_accepted == pytest.approx(2 * 2 / (3 + 3))
    assert quality.dice_rejected == pytest.approx(2 * 1 / (1 + 2))
    assert quality.dice == pytest.approx(2 * 3 / (4 + 5))


@pytest.mark.parametrize("acceptance", [line(1, 0, 1).astype(bool), line(1, 0, 1)])
def test_acceptance_may_be_bool_or_zeros_and_ones(acceptance):
    quality = pseudo_label_quality(line(1, 1, 0), acceptance, line(1, 1, 1), 1)
    assert vars(quality) == {
        "num_pseudo_accepted": 1,
        "num_reference_accepted": 2,
        "num_both_accepted": 1,
        "num_pseudo_rejected": 1,
        "num_reference_rejected": 1,
        "num_both_rejected": 1,
    }


def test_all_accepted_leaves_nothing_to_compare_among_the_rejected():
    quality = pseudo_label_quality(line(1, 0), line(1, 1), line(1, 0), 1)
    assert (quality.coverage, quality.accepted_share) == (1, 1)
    assert (quality.dice_accepted, quality.dice) == (1, 1)
    assert quality.dice_rejected is None


def test_all_rejected():
    quality = pseudo_label_quality(line(1, 0), line(0, 0), line(1, 1), 1)
    assert (quality.coverage, quality.accepted_share) == (0, 0)
    assert quality.dice_accepted is None
    assert quality.dice_rejected == quality.dice == pytest.approx(2 / 3)


def test_a_class_that_is_nowhere_has_no_shares():
    quality = pseudo_label_quality(line(1, 0), line(1, 0), line(1, 0), 2)
    assert quality == PseudoLabelQuality()
    assert quality.coverage is quality.accepted_share is quality.dice is None


def test_a_missed_class_has_coverage_and_a_dice_of_0():
    quality = pseudo_label_quality(line(0, 0), line(1, 0), line(1, 1), 1)
    assert quality.coverage == 0.5
    assert quality.accepted_share is None
    assert quality.dice == 0


def test_grids_have_to_agree():
    with pytest.raises(AssertionError, match=r"\(2, 1, 1\), \(3, 1, 1\)"):
        pseudo_label_quality(line(1, 0), line(1, 0), line(1, 0, 0), 1)


def test_shares_are_pooled_by_their_counts():
    ones = np.ones((9, 1, 1), np.uint8)
    large = pseudo_label_quality(ones, ones, ones, 1)
    small = pseudo_label_quality(line(1), line(0), line(1), 1)
    assert PseudoLabelQuality.pooled([large, small]).coverage == pytest.approx(9 / 10)
    assert PseudoLabelQuality.pooled([]) == PseudoLabelQuality()


# acceptance of objects


def test_acceptance_rate_by_class():
    records = [
        {"class_index": 1, "is_accepted": True, "component": 1},
        {"class_index": 1, "is_accepted": False, "component": 2},
        {"class_index": 3, "is_accepted": True, "component": 1},
    ]
    rates = acceptance_rate(records)
    assert rates[1] == AcceptanceRate(num_objects=2, num_accepted=1)
    assert rates[3].share == 1
    assert rates[2] == AcceptanceRate(0, 0)
    assert rates[2].share is None
    assert AcceptanceRate.pooled(rates.values()).share == pytest.approx(2 / 3)


def test_no_objects_no_rates():
    assert acceptance_rate([]) == {}


# prompts


def test_points_of_all_sets_are_counted():
    own = prompted(
        points(positive=[(2, 2, 2), (6, 2, 2)], negative=[(0, 0, 0)]),
        points(positive=[(4, 4, 4)], negative=[(1, 1, 1), (11, 9, 7)]),
    )
    quality = prompt_quality([own], reference_of(BLOCK), 1)
    assert (quality.num_positive, quality.positive_inside) == (3, 2)
    assert (quality.num_negative, quality.negative_outside) == (3, 2)
    assert quality.positive_share == pytest.approx(2 / 3)
    assert quality.negative_share == pytest.approx(2 / 3)


def test_boxes_are_compared_with_the_component_they_share_most_voxels_with():
    exact, shifted = Box((1, 1, 1), (5, 5, 5)), Box((3, 1, 1), (7, 5, 5))
    both = Box((0, 0, 0), (12, 10, 8))  # the block and the speck
    elsewhere = Box((0, 8, 0), (2, 10, 2))
    own = prompted(*(Prompt(box=box) for box in (exact, shifted, both, elsewhere)))
    quality = prompt_quality([own], reference_of(BLOCK, SPECK), 1)
    assert quality.num_boxes == 4
    # 1; 32 voxels in common of 64 + 64 - 32; the block's 64 of 960; nothing
    assert quality.box_iou == pytest.approx((1 + 32 / 96 + 64 / 960 + 0) / 4)


def test_masks_and_missed_components():
    half = (slice(1, 3), slice(1, 5), slice(1, 5))  # 32 voxels of the block
    quality = prompt_quality([prompted(Prompt(), mask=half)], reference_of(BLOCK, OTHER), 1)
    assert quality.mask_dice == pytest.approx(2 * 32 / (32 + 128))
    assert (quality.num_components, quality.missed_components) == (2, 1)


def test_small_components_are_not_missed():
    quality = prompt_quality([prompted(Prompt())], reference_of(BLOCK, SPECK), 1)
    assert (quality.num_components, quality.missed_components) == (1, 0)


def test_overlapping_objects_count_once():
    own = [prompted(Prompt()), prompted(Prompt())]
    quality = prompt_quality(own, reference_of(BLOCK), 1)
    assert quality.num_objects == 2
    assert quality.mask_dice == 1


def test_other_classes_are_left_out():
    objects = [prompted(points(positive=[(2, 2, 2)]), class_index=2)]
    quality = prompt_quality(objects, reference_of(BLOCK, class_index=2), 1)
    assert quality == PromptQuality()
    assert prompt_quality(objects, reference_of(BLOCK, class_index=2), 2).positive_share == 1


def test_no_objects_for_a_class_that_is_there():
    quality = prompt_quality([], reference_of(BLOCK), 1)
    assert (quality.num_objects, quality.missed_components) == (0, 1)
    assert quality.positive_share is quality.negative_share is quality.box_iou is None
    assert quality.mask_dice == 0


def test_objects_for_a_class_that_is_not_there():
    own = prompted(
        Prompt(points=points(positive=[(2, 2, 2)]).points, box=Box((1, 1, 1), (5, 5, 5)))
    )
    quality = prompt_quality([own], reference_of(), 1)
    assert (quality.positive_share, quality.box_iou, quality.mask_dice) == (0, 0, 0)
    assert quality.missed_components == 0


def test_a_single_voxel():
    voxel = (slice(3, 4), slice(3, 4), slice(3, 4))
    own = prompted(Prompt(box=Box((3, 3, 3), (4, 4, 4))), mask=voxel)
    quality = prompt_quality([own], reference_of(voxel), 1)
    assert (quality.box_iou, quality.mask_dice, quality.num_components) == (1, 1, 0)


def test_prompts_are_pooled_by_their_counts():
    reference = reference_of(BLOCK)
    good = prompted(points(positive=[(2, 2, 2)] * 3), Prompt(box=Box((1, 1, 1), (5, 5, 5))))
    poor = prompted(points(positive=[(9, 9, 0)]))
    cases = [prompt_quality([one], reference, 1) for one in (good, poor)]
    together = PromptQuality.pooled(cases)
    assert together.positive_share == pytest.approx(3 / 4)
    assert together.box_iou == 1
    assert together.num_objects == 2


# json


@pytest.mark.parametrize(
    "counts",
    [
        pseudo_label_quality(line(1, 1), line(1, 0), line(0, 1), 1),
        prompt_quality([prompted(Prompt(box=Box((0, 0, 0), (3, 3, 3))))], reference_of(BLOCK), 1),
        AcceptanceRate(3, 2),
    ],
    ids=lambda counts: type(counts).__name__,
)
def test_counts_survive_json_with_other_keys_beside_them(counts):
    stored = json.loads(json.dumps({**vars(counts), "beside": 1}))
    assert type(counts).from_json(stored) == counts
