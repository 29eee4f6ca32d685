import numpy as np
import pytest
from scipy import ndimage

from samssl_cli.metrics import surface as surface_module
from samssl_cli.metrics.surface import (
    SurfaceDistances,
    asd,
    assd,
    diagonal,
    hd,
    hd95,
    nsd,
    surface,
)

UNIT = (1.0, 1.0, 1.0)


def surface_distances(prediction, reference, spacing):
    worst = diagonal(prediction.shape, spacing)
    return surface_module.surface_distances(prediction, reference, spacing, worst)


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


def test_hd_is_the_largest_of_both_directions():
    distances = SurfaceDistances(np.array([0.0, 3.0]), np.array([1.0, 7.0]))
    assert hd(distances) == 7
    assert hd(SurfaceDistances(np.array([0.0, 9.0]), np.array([1.0]))) == 9


def test_assd_pools_the_distances():
    distances = SurfaceDistances(np.array([0.0, 0.0, 0.0]), np.array([8.0]))
    assert assd(distances) == 2  # 8 / 4; the mean of the two directed means would be 4


def test_nsd_counts_the_surface_voxels_within_the_tolerance():
    distances = SurfaceDistances(np.array([0.0, 1.0, 2.0]), np.array([2.5, 1.5]))
    assert nsd(distances, 2.0) == 4 / 5  # exactly at the tolerance agrees
    assert nsd(distances, 1.0) == 2 / 5
    assert nsd(distances, 3.0) == 1


@pytest.mark.parametrize("spacing_mm", [0.1, float(np.float32(0.1))], ids=["float64", "float32"])
def test_nsd_forgives_the_rounding_of_a_spacing(spacing_mm):
    shape = (4, 1, 1)
    masks = voxels(shape, (0, 0, 0)), voxels(shape, (3, 0, 0))
    distances = surface_distances(*masks, (spacing_mm, 1.0, 1.0))
    assert hd(distances) > 0.3  # 3 x 0.1 by a hair
    assert nsd(distances, 0.3) == 1


def test_nsd_of_a_cube_inside_a_cube():
    inner = voxels((14, 14, 14), np.s_[2:12, 2:12, 2:12])  # 10^3 - 8^3 = 488 surface voxels
    outer = voxels((14, 14, 14), np.s_[1:13, 1:13, 1:13])  # 12^3 - 10^3 = 728 surface voxels
    # 1 mm apart: all 488, and of the 728 those opposite a face, 6 x 100; edges lie 1.4 mm away
    assert nsd(surface_distances(inner, outer, UNIT), 1.0) == pytest.approx((488 + 600) / 1216)


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
    for metric in (hd, hd95, asd, assd):
        assert metric(distances) == pytest.approx(expected)


def test_a_miss_is_worse_than_the_worst_hit():
    shape, spacing_mm = (4, 7, 2), (3.0, 1.0, 5.0)
    corners = voxels(shape, (0, 0, 0)), voxels(shape, (3, 6, 1))
    assert hd(surface_distances(*corners, spacing_mm)) < diagonal(shape, spacing_mm)


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
    assert near.prediction_to_reference == pytest.approx(far.prediction_to_reference, rel=1e-12)
    assert near.reference_to_prediction == pytest.approx(far.reference_to_prediction, rel=1e-12)


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


@pytest.mark.parametrize(
    ("voxels_per_look", "transforms"),
    [pytest.param(0, 2, id="distance transform"), pytest.param(10**9, 0, id="tree")],
)
def test_far_voxels_are_measured_exactly_either_way(monkeypatch, voxels_per_look, transforms):
    calls, real = [], ndimage.distance_transform_edt

    def transform(*arguments, **options):
        calls.append(1)
        return real(*arguments, **options)

    monkeypatch.setattr(surface_module, "_VOXELS_PER_LOOK", voxels_per_look)
    monkeypatch.setattr(surface_module, "_NEAR", 1)
    monkeypatch.setattr(ndimage, "distance_transform_edt", transform)
    spacing_mm = (1.0, 2.0, 0.5)
    prediction, reference = np.zeros((2, 24, 7, 6), bool)
    prediction[:9], reference[11:] = blob(8, (9, 7, 6)), blob(9, (13, 7, 6))
    ours, theirs = (np.argwhere(surface(one)) * spacing_mm for one in (prediction, reference))
    every = np.linalg.norm(ours[:, None] - theirs[None], axis=-1)
    distances = surface_distances(prediction, reference, spacing_mm)
    assert distances.prediction_to_reference == pytest.approx(every.min(axis=1))
    assert distances.reference_to_prediction == pytest.approx(every.min(axis=0))
    assert len(calls) == transforms


def test_parallel_plates_are_as_far_apart_as_they_look():
    # 576 voxels each, 17 mm apart: far, and so many that a distance transform is taken
    plates = voxels((18, 24, 24), np.s_[0]), voxels((18, 24, 24), np.s_[-1])
    distances = surface_distances(*plates, UNIT)
    assert distances.prediction_to_reference.tolist() == [17.0] * 576
    assert distances.reference_to_prediction.tolist() == [17.0] * 576


def test_masks_on_different_grids_are_a_mistake_of_ours():
    with pytest.raises(AssertionError, match=r"\(2, 2, 2\), \(2, 2, 3\)"):
        surface_distances(np.ones((2, 2, 2), bool), np.ones((2, 2, 3), bool), UNIT)
