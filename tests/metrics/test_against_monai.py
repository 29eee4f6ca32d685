"""Our numbers beside MONAI's: all equal but HD95, which MONAI does not pool; so we pool for it."""

import numpy as np
import pytest
from scipy import ndimage

from samssl_cli.metrics.score import score_case

TOLERANCE = 1.9
SPACINGS = [(1.0, 1.0, 1.0), (0.7, 1.5, 5.0)]


def blob(seed):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((18, 14, 10)), 2)
    return noise > 0.02


def ours(masks, spacing_mm=(1.0, 1.0, 1.0)):
    labels = [mask.astype(np.uint8) for mask in masks]
    (score,) = score_case(*labels, spacing_mm, 2, tolerance=TOLERANCE, in_voxels=False)
    return score.values


def batches(masks):
    import torch

    return [torch.from_numpy(mask)[None, None] for mask in masks]


@pytest.mark.parametrize("spacing_mm", SPACINGS, ids=str)
@pytest.mark.parametrize("seed", [0, 2, 4])
def test_surface_metrics_equal_monais(seed, spacing_mm):
    from monai.metrics import (
        compute_average_surface_distance,
        compute_hausdorff_distance,
        compute_surface_dice,
    )

    masks = blob(seed), blob(seed + 1)
    values, pair = ours(masks, spacing_mm), batches(masks)
    given = {"include_background": True, "spacing": spacing_mm}
    theirs = {
        "hd_mm": compute_hausdorff_distance(*pair, **given),
        "asd_mm": compute_average_surface_distance(*pair, **given),
        "assd_mm": compute_average_surface_distance(*pair, symmetric=True, **given),
        "nsd": compute_surface_dice(*pair, [TOLERANCE], **given),
    }
    for name, value in theirs.items():
        assert values[name] == pytest.approx(value.item(), rel=1e-5), name


@pytest.mark.parametrize("spacing_mm", SPACINGS, ids=str)
def test_hd95_equals_monais_distances_pooled(spacing_mm):
    import torch
    from monai.metrics import compute_hausdorff_distance
    from monai.metrics.utils import get_edge_surface_distance

    masks = blob(0), blob(1)
    _, theirs, _ = get_edge_surface_distance(
        *(torch.from_numpy(mask) for mask in masks), spacing=spacing_mm, symmetric=True
    )
    value = ours(masks, spacing_mm)["hd95_mm"]
    assert value == pytest.approx(np.percentile(np.concatenate(theirs), 95), rel=1e-5)
    larger = compute_hausdorff_distance(
        *batches(masks), include_background=True, percentile=95, spacing=spacing_mm
    )
    assert value < larger.item()  # MONAI's is the larger of the two directions' percentiles


@pytest.mark.parametrize("seed", [0, 2, 4])
def test_overlaps_equal_monais(seed):
    from monai.metrics import (
        compute_confusion_matrix_metric,
        compute_dice,
        compute_iou,
        get_confusion_matrix,
    )

    masks = blob(seed), blob(seed + 1)
    values, pair = ours(masks), batches(masks)
    confusion = get_confusion_matrix(*(one.float() for one in pair), include_background=True)
    theirs = {
        "dice": compute_dice(*pair),
        "jaccard": compute_iou(*pair),
        "precision": compute_confusion_matrix_metric("precision", confusion),
        "recall": compute_confusion_matrix_metric("recall", confusion),
    }
    for name, value in theirs.items():
        assert values[name] == pytest.approx(value.item(), rel=1e-6), name
