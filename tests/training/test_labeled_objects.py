import numpy as np
import pytest
import torch

from samssl_cli.artifacts.cases import LabeledCase
from samssl_cli.recipe import Adapt
from samssl_cli.training.labeled_objects import objects_of, scene_around, signed_depth


class Grid:
    spacing_mm = (1.0, 1.0, 2.0)


@pytest.fixture
def case():
    label = np.zeros((16, 12, 10), np.uint8)
    label[2:8, 2:8, 2:6] = 1
    label[10:13, 2:5, 2:5] = 1  # 27 of 144 voxels
    label[2:8, 9:11, 2:6] = 2
    return LabeledCase("a", np.zeros((1, *label.shape), np.float16), label, Grid())


def test_small_islands_are_left_out(case):
    all_of_them = objects_of(case, Adapt(min_component_voxels=1, min_component_fraction=0.1))
    large = objects_of(case, Adapt(min_component_voxels=1, min_component_fraction=0.25))

    assert [(one.class_index, one.component) for one in all_of_them] == [(1, 1), (1, 2), (2, 1)]
    assert [(one.class_index, one.component) for one in large] == [(1, 1), (2, 1)]
    low, high = large[0].box
    assert (low.tolist(), high.tolist()) == ([2, 2, 2], [8, 8, 6])
    assert large[0].spacing_mm == (1.0, 1.0, 2.0)


def test_a_case_without_labels_has_no_objects(case):
    empty = LabeledCase("a", case.image, np.zeros_like(case.label), Grid())

    assert objects_of(empty, Adapt()) == []


def test_depth_is_in_coarse_voxels_from_the_surface():
    share = torch.zeros(16, 8, 8)
    share[4:12] = 1  # the surface lies between fine voxels 3 and 4, coarse 1 and 2

    depth = signed_depth(share)[:, 1, 1]

    torch.testing.assert_close(depth, torch.tensor([-1.5, -0.5, 0.5, 1.5, 1.5, 0.5, -0.5, -1.5]))


def test_an_object_thinner_than_a_coarse_voxel_is_not_lost():
    share = torch.zeros(8, 8, 8)
    share[3, 3, 3] = 0.4

    assert int((signed_depth(share) > 0).sum()) == 1


def test_a_scene_holds_the_object_and_what_surrounds_it():
    image = np.arange(20 * 20 * 20, dtype=np.float32).reshape(20, 20, 20)
    mask = np.zeros((20, 20, 20), bool)
    mask[8:13, 8:13, 0:5] = True

    scene, low = scene_around(image, mask)

    assert low == (2, 2, 0)  # 6 voxels around 8-12, and from 0 along k
    assert scene.image.shape == (18, 18, 12)  # 17 and 11 voxels, made even
    assert float(scene.image[0, 0, 0]) == image[2, 2, 0]
    assert scene.depths[0].shape == (9, 9, 6)
    assert float(scene.depths[0][4, 4, 1]) > 0 > float(scene.depths[0][0, 0, 5])
