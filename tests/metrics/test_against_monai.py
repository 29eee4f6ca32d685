"""Our numbers beside MONAI's: the same surface as medpy, but another HD95, so we pool for it."""

import numpy as np
import pytest
from scipy import ndimage

from samssl_cli.metrics.overlap import dice, jaccard
from samssl_cli.metrics.surface import asd, hd95, surface_distances


def blob(seed):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((18, 14, 10)), 2)
    return noise > 0.02


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (0.7, 1.5, 5.0)], ids=str)
@pytest.mark.parametrize("seed", [0, 2, 4])
def test_surface_distances_equal_monais(seed, spacing_mm):
    import torch
    from monai.metrics import compute_average_surface_distance
    from monai.metrics.utils import get_edge_surface_distance

    masks = blob(seed), blob(seed + 1)
    prediction, reference = (torch.from_numpy(mask) for mask in masks)
    _, theirs, _ = get_edge_surface_distance(
        prediction, reference, spacing=spacing_mm, symmetric=True
    )
    ours = surface_distances(*masks, spacing_mm)
    assert hd95(ours) == pytest.approx(np.percentile(np.concatenate(theirs), 95), rel=1e-5)
    average = compute_average_surface_distance(
        prediction[None, None], reference[None, None], include_background=True, spacing=spacing_mm
    )
    assert asd(ours) == pytest.approx(average.item(), rel=1e-5)


def test_overlaps_equal_monais():
    import torch
    from monai.metrics import compute_dice, compute_iou

    masks = blob(0), blob(1)
    pair = [torch.from_numpy(mask)[None, None] for mask in masks]
    assert dice(*masks) == pytest.approx(compute_dice(*pair).item(), rel=1e-6)
    assert jaccard(*masks) == pytest.approx(compute_iou(*pair).item(), rel=1e-6)
