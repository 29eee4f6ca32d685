"""What holds for any two masks, on random small ones."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from samssl_cli.metrics.columns import columns
from samssl_cli.metrics.score import score_case

SHAPE = (4, 3, 3)
ONE_SIDED = ("asd_mm", "precision", "recall")
LENGTHS = ("hd95_mm", "hd_mm", "asd_mm", "assd_mm")

masks = st_numpy.arrays(np.uint8, SHAPE, elements=st.integers(0, 1))
spacings = st.tuples(*[st.floats(0.3, 6)] * 3)
tolerances = st.floats(0.1, 5)
few = settings(max_examples=60, deadline=None)


def score(prediction, reference, spacing_mm=(1.0, 1.0, 1.0), tolerance=1.0, **options):
    given = {"tolerance": tolerance, "in_voxels": False, **options}
    return score_case(prediction, reference, spacing_mm, 2, **given)[0].values


@few
@given(masks, masks, spacings, tolerances)
def test_what_is_symmetric_stays_the_same_when_swapped(one, other, spacing_mm, tolerance):
    there, back = (score(*pair, spacing_mm, tolerance) for pair in ((one, other), (other, one)))
    for name in set(there) - set(ONE_SIDED):
        assert there[name] == back[name], name
    assert there["precision"] == back["recall"]


def test_what_looks_one_way_does_not():
    small, large = np.zeros((2, *SHAPE), np.uint8)
    small[0, 0, 0], large[0] = 1, 1
    there, back = score(small, large), score(large, small)
    for name in ONE_SIDED:
        assert there[name] != back[name], name


@few
@given(masks, masks, spacings, tolerances, st.tuples(*[st.tuples(*[st.integers(0, 9)] * 2)] * 3))
def test_padding_changes_nothing(one, other, spacing_mm, tolerance, widths):
    # save for what a miss costs: the diagonal grows with the volume
    assume(one.any() == other.any())
    padded = score(np.pad(one, widths), np.pad(other, widths), spacing_mm, tolerance)
    assert padded == score(one, other, spacing_mm, tolerance)


@few
@given(masks, masks, spacings, tolerances, st.sampled_from([0.1, 2.0, 7.0]))
def test_lengths_scale_with_the_spacing(one, other, spacing_mm, tolerance, factor):
    values = score(one, other, spacing_mm, tolerance)
    larger = score(one, other, tuple(factor * side for side in spacing_mm), factor * tolerance)
    scale = dict.fromkeys(LENGTHS, factor) | {"volume_difference_ml": factor**3}
    for name, value in values.items():
        assert larger[name] == pytest.approx(scale.get(name, 1) * value), name


@few
@given(masks, masks, spacings, tolerances)
def test_values_are_finite_and_within_their_bounds(one, other, spacing_mm, tolerance):
    values = score(one, other, spacing_mm, tolerance)
    for name, value in values.items():
        assert type(value) is float, name
        assert math.isfinite(value), name
        assert value >= 0, name
    for name in ("dice", "jaccard", "precision", "recall", "nsd"):
        assert values[name] <= 1, name
    assert values["volume_difference_percent"] <= 200


@few
@given(masks, masks, spacings, tolerances)
def test_a_miss_is_never_better_than_what_overlaps(found, reference, spacing_mm, tolerance):
    assume((found & reference).any())
    hit = score(found, reference, spacing_mm, tolerance)
    miss = score(np.zeros_like(found), reference, spacing_mm, tolerance)
    for column in columns():
        if column.metric == "volume_difference_ml":
            continue  # three times too much is further off in ml than nothing at all
        better = max if column.higher_is_better else min
        assert better(hit[column.name], miss[column.name]) == hit[column.name], column.name


@few
@given(masks, masks, spacings, tolerances)
def test_in_voxels_is_a_spacing_of_one(one, other, spacing_mm, tolerance):
    in_voxels = score(one, other, spacing_mm, tolerance, in_voxels=True)
    in_mm = score(one, other, (1.0, 1.0, 1.0), tolerance)
    assert list(in_voxels) == [column.name for column in columns(in_voxels=True)]
    for name, value in zip(in_voxels, in_mm.items(), strict=True):
        scale = 1000 if value[0] == "volume_difference_ml" else 1  # a cubic mm is 0.001 ml
        assert in_voxels[name] == pytest.approx(scale * value[1]), name


@few
@given(masks, masks, spacings)
def test_the_order_in_memory_does_not_matter(one, other, spacing_mm):
    values = score(one, other, spacing_mm)
    assert score(np.asfortranarray(one), other, spacing_mm) == values
    assert score(np.asfortranarray(one), np.asfortranarray(other), spacing_mm) == values
    assert score(one[::-1], other[::-1], spacing_mm) == pytest.approx(values)


@few
@given(masks, masks)
def test_the_kind_of_integer_does_not_matter(one, other):
    values = score(one, other)
    for kind in (np.int8, np.uint16, np.int32, np.int64, np.uint64):
        assert score(one.astype(kind), other.astype(kind)) == values
