import numpy as np
import pytest
import torch

from samssl_cli.generalists.sam_candidates import best_rated, most_alike, soft_iou
from samssl_cli.generalists.sam_prompts import SlicePrompt

WHOLE = np.ones((4, 4), bool)
HALF = np.arange(16).reshape(4, 4) < 8
PIXEL = np.arange(16).reshape(4, 4) < 1
LOGITS = torch.tensor(np.stack([np.where(m, 9, -9) for m in (PIXEL, WHOLE, HALF)])).float()
RATED = torch.tensor([[0.2, 0.9, 0.5]])


def _said(seen, corner=(0, 0)) -> SlicePrompt:
    return SlicePrompt(0, np.zeros((0, 2)), np.zeros(0, bool), seen=seen, corner=corner)


@pytest.mark.parametrize(("mask", "kept"), [(PIXEL, 0), (WHOLE, 1), (HALF, 2)], ids=str)
def test_the_mask_that_is_most_like_the_specialists_is_kept(mask, kept):
    assert most_alike(LOGITS[None], RATED, [_said(mask)]).tolist() == [kept]


def test_without_a_mask_the_best_rated_is_kept():
    both = torch.stack([LOGITS, LOGITS])

    assert best_rated(RATED).tolist() == [1]
    assert most_alike(both, RATED.repeat(2, 1), [_said(None), _said(HALF)]).tolist() == [1, 2]


def test_of_a_mosaic_only_the_slices_own_tile_is_compared():
    # two tiles side by side: the first drawing is right in the right one, and fills the left one
    right, left = np.stack([HALF, PIXEL]), np.stack([WHOLE, PIXEL])
    drawn = torch.tensor(np.where(np.concatenate([left, right], axis=2), 9, -9)).float()

    assert most_alike(drawn[None], RATED[:, :2], [_said(HALF, (0, 4))]).tolist() == [0]
    assert most_alike(drawn[None], RATED[:, :2], [_said(PIXEL, (0, 0))]).tolist() == [1]


def test_soft_iou_of_zeros_and_ones_is_the_iou():
    drawn = torch.tensor(np.stack([WHOLE, PIXEL, ~HALF])).float()

    found = soft_iou(drawn, torch.tensor(HALF))

    assert found.tolist() == pytest.approx([8 / 16, 1 / 8, 0])


def test_of_one_outline_the_surer_drawing_agrees_better():
    drawn = torch.tensor(np.stack([np.where(HALF, 0.6, 0.4), np.where(HALF, 0.9, 0.1)]))

    # 8 * 0.6 / (8 * 0.6 + 8 * 0.4 + 8 - 8 * 0.6), and the same of 0.9
    assert soft_iou(drawn, torch.tensor(HALF)).tolist() == pytest.approx([4.8 / 11.2, 7.2 / 8.8])


def test_nothing_drawn_of_nothing_is_0_and_finite():
    assert soft_iou(torch.zeros(1, 2, 2), torch.zeros(2, 2, dtype=torch.bool)).tolist() == [0]
