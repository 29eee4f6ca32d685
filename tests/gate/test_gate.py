from dataclasses import replace

import numpy as np
import pytest

from samssl_cli.gate.gate import CLOSED, Gate, mix, without_islands
from samssl_cli.prompts.types import ObjectPrompts, Prompt

# Follows the answer of one generalist, whatever the specialist says.
FOLLOWING = Gate(np.array([0, 0, 0, 1.0, 0, 0, 0, 0]), 0.5, 0.5, {1: (64.0, 256.0)}, is_open=True)


def specialist_of(view, shape=(16, 14, 12)):
    own = np.full(shape, 0.1, np.float32)
    own[view.window.slices] = view.specialist
    return np.stack([1 - own, own])


def objects_of(view, shape=(16, 14, 12)):
    mask = np.zeros(shape, bool)
    mask[view.window.slices] = view.mask
    return [ObjectPrompts(1, 1, mask, (Prompt(),))]


def test_what_passes_is_the_gates(make_view):
    view = make_view(6)
    gated = mix(specialist_of(view), objects_of(view), [view], FOLLOWING)
    assert gated.passed == (True,)
    here = gated.probability[1][view.window.slices]
    np.testing.assert_allclose(here, view.said[0], atol=1e-3)
    np.testing.assert_allclose(gated.probability.sum(axis=0), 1, atol=1e-6)
    assert gated.probability[1, 0, 0, 0] == np.float32(0.1)  # outside the window


@pytest.mark.parametrize(
    ("gate", "answer"),
    [
        pytest.param(CLOSED, 6, id="closed"),
        pytest.param(replace(FOLLOWING, least_agreement=0.8), 6, id="disagrees"),
        pytest.param(replace(FOLLOWING, least_kept=0.8), 6, id="moved-too-far"),
        pytest.param(replace(FOLLOWING, volumes_mm3={1: (1, 100)}), 6, id="too-large"),
        pytest.param(replace(FOLLOWING, volumes_mm3={1: (200, 300)}), 6, id="too-small"),
        pytest.param(replace(FOLLOWING, volumes_mm3={}), 6, id="class-never-seen"),
        pytest.param(FOLLOWING, 9, id="elsewhere"),
    ],
)
def test_what_does_not_pass_is_the_specialists_to_the_bit(make_view, gate, answer):
    view = make_view(answer)
    said = specialist_of(view)
    gated = mix(said, objects_of(view), [view], gate)
    assert gated.passed == (False,)
    np.testing.assert_array_equal(gated.probability, said)


def test_an_object_that_does_not_pass_stays_in_the_window_of_one_that_does(make_view):
    view = make_view(6)
    said = specialist_of(view)
    said[:, 12, 5:9, 4:8] = [[[0.25]], [[0.75]]]  # another object, within the margin
    other = np.zeros(said.shape[1:], bool)
    other[12, 5:9, 4:8] = True
    bad = replace(view, class_index=1, mask=other[view.window.slices])  # 16 voxels: too small
    objects = [*objects_of(view), ObjectPrompts(1, 2, other, (Prompt(),))]
    gated = mix(said, objects, [view, bad], FOLLOWING)
    assert gated.passed == (True, False)
    assert (gated.probability[1][other] == 0.75).all()


def test_two_classes_share_a_voxel(make_view):
    view = make_view(6)
    own = specialist_of(view)[1]
    said = np.stack([np.zeros_like(own), own, 1 - own])
    probability = mix(said, objects_of(view), [view], FOLLOWING).probability
    np.testing.assert_allclose(probability.sum(axis=0), 1, atol=1e-6)
    assert (probability >= 0).all()


def test_islands_become_background():
    said = np.zeros((2, 6, 1, 1), np.float32)
    said[1, :, 0, 0] = [0.75, 0.75, 0.25, 0.25, 0.625, 0.25]
    said[0] = 1 - said[1]
    mask = np.zeros((6, 1, 1), bool)
    mask[:2] = True
    kept = without_islands(said, [ObjectPrompts(1, 1, mask, (Prompt(),))])
    assert kept[1, :, 0, 0].tolist() == [0.75, 0.75, 0.25, 0.25, 0, 0.25]
    assert kept[0, :, 0, 0].tolist() == [0.25, 0.25, 0.75, 0.75, 1, 0.75]


def test_nothing_prompted_is_nothing_labelled():
    gated = mix(np.full((2, 3, 3, 3), 0.5, np.float32), [], [], FOLLOWING)
    assert gated.passed == ()
    np.testing.assert_array_equal(gated.probability[1], 0.5)  # likeliest: the background
