import numpy as np
import pytest
from scipy import ndimage

from samssl_cli.metrics.surface import (
    SurfaceDistances,
    asd,
    diagonal_mm,
    hd95,
    surface,
    surface_distances,
)

UNIT = (1.0, 1.0, 1.0)


def voxels(shape, *places):
    mask = np.zeros(shape, bool)
    for place in places:
        mask[place] = True
    return mask


def blob(seed, shape=(20, 16, 12)):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 2)
    return noise > 0.02


def test_the_surface_of_a_cube_is_its_shell():
    cube = voxels((5, 5, 5), np.s_[1:4, 1:4, 1:4])
    assert surface(cube).sum() == 26
    assert not surface(cube)[2, 2, 2]


def test_the_border_of_the_volume_is_surface():
    assert surface(np.ones((3, 3, 3), bool)).sum() == 26


def test_distances_between_two_voxels_are_in_millimetres():
    shape = (9, 9, 9)
    distances = surface_distances(
        voxels(shape, (0, 0, 0)), voxels(shape, (2, 3, 1)), (1.5, 2.0, 8.0)
    )
    expected = np.sqrt(3**2 + 6**2 + 8**2)
    assert distances.prediction_to_reference == pytest.approx([expected])
    assert distances.reference_to_prediction == pytest.approx([expected])
    assert hd95(distances) == asd(distances) == pytest.approx(expected)


def test_asd_looks_one_way_and_hd95_both_ways():
    shape = (12, 1, 1)
    prediction, reference = voxels(shape, (0, 0, 0)), voxels(shape, (0, 0, 0), (10, 0, 0))
    distances = surface_distances(prediction, reference, UNIT)
    assert asd(distances) == 0  # the prediction's only voxel lies on the reference
    assert asd(surface_distances(reference, prediction, UNIT)) == 5  # 0 and 10
    # pooled: 0, 0, 10; the 95th percentile lies at 1.9 of 2 steps: 0.9 of the way from 0 to 10
    assert hd95(distances) == pytest.approx(9)


def test_hd95_pools_the_distances():
    distances = SurfaceDistances(np.zeros(19), np.array([20.0]))
    # the 95th percentile of 20 values lies at 18.05 of 19 steps: 0.05 of the way from 0 to 20
    assert hd95(distances) == pytest.approx(1)  # MONAI's larger direction would be 20


@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [
        pytest.param(False, False, 0.0, id="both empty"),
        pytest.param(False, True, 13.0, id="missed: the diagonal"),
        pytest.param(True, False, 13.0, id="spurious: the diagonal"),
        pytest.param(True, True, 0.0, id="both full"),
    ],
)
def test_empty_masks(prediction, reference, expected):
    shape, spacing_mm = (3, 4, 6), (1.0, 1.0, 2.0)  # diagonal of 3 x 4 x 12 mm: 13 mm
    distances = surface_distances(np.full(shape, prediction), np.full(shape, reference), spacing_mm)
    assert hd95(distances) == pytest.approx(expected)
    assert asd(distances) == pytest.approx(expected)


def test_a_miss_is_worse_than_the_worst_hit():
    shape, spacing_mm = (4, 7, 2), (3.0, 1.0, 5.0)
    corners = voxels(shape, (0, 0, 0)), voxels(shape, (3, 6, 1))
    assert hd95(surface_distances(*corners, spacing_mm)) < diagonal_mm(shape, spacing_mm)


def test_distances_scale_with_the_spacing():
    one = surface_distances(blob(0), blob(1), (1.0, 2.0, 3.0))
    two = surface_distances(blob(0), blob(1), (2.0, 4.0, 6.0))
    assert hd95(two) == pytest.approx(2 * hd95(one))
    assert asd(two) == pytest.approx(2 * asd(one))


def test_padding_changes_no_distance():
    spacing_mm = (1.0, 1.5, 4.0)
    prediction, reference = blob(2), blob(3)  # both touch the border
    near = surface_distances(prediction, reference, spacing_mm)
    far = surface_distances(np.pad(prediction, 5), np.pad(reference, 5), spacing_mm)
    np.testing.assert_array_equal(near.prediction_to_reference, far.prediction_to_reference)
    np.testing.assert_array_equal(near.reference_to_prediction, far.reference_to_prediction)


def test_the_order_of_the_axes_does_not_matter():
    one = surface_distances(blob(4), blob(5), (1.0, 2.0, 3.0))
    two = surface_distances(blob(4).T, blob(5).T, (3.0, 2.0, 1.0))
    assert hd95(one) == pytest.approx(hd95(two))
    assert asd(one) == pytest.approx(asd(two))


def test_distances_equal_those_of_all_pairs_of_surface_voxels():
    spacing_mm = (1.0, 2.0, 0.5)
    prediction, reference = blob(6, (8, 7, 6)), blob(7, (8, 7, 6))
    ours, theirs = (np.argwhere(surface(one)) * spacing_mm for one in (prediction, reference))
    every = np.linalg.norm(ours[:, None] - theirs[None], axis=-1)
    distances = surface_distances(prediction, reference, spacing_mm)
    assert distances.prediction_to_reference == pytest.approx(every.min(axis=1))
    assert distances.reference_to_prediction == pytest.approx(every.min(axis=0))


def test_masks_on_different_grids_are_a_mistake_of_ours():
    with pytest.raises(AssertionError, match=r"\(2, 2, 2\), \(2, 2, 3\)"):
        surface_distances(np.ones((2, 2, 2), bool), np.ones((2, 2, 3), bool), UNIT)
