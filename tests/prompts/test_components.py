import numpy as np
import pytest

from samssl_cli import recipe
from samssl_cli.prompts.components import find_objects


def one_hot(label, num_classes):
    return np.stack([label == index for index in range(num_classes)]).astype(np.float32)


@pytest.fixture
def label():
    """Class 1: 8 and 27 voxels; class 2: 4 voxels, anisotropic volume."""
    label = np.zeros((12, 8, 4), np.uint8)
    label[0:2, 0:2, 0:2] = 1
    label[5:8, 0:3, 0:3] = 1
    label[0, 4:8, 3] = 2
    return label


def test_objects_come_by_class_and_from_large_to_small(label, options):
    found = find_objects(one_hot(label, 3), options)
    rows = [(one.class_index, one.component, one.num_voxels) for one in found]
    assert rows == [(1, 1, 27), (1, 2, 8), (2, 1, 4)]
    assert [int(one.mask.sum()) for one in found] == [27, 8, 4]
    assert found[1].mask[0, 0, 0]


@pytest.mark.parametrize(
    ("limits", "sizes"),
    [
        pytest.param({"min_component_voxels": 8}, [27, 8], id="voxels, limit included"),
        pytest.param({"min_component_voxels": 9}, [27], id="voxels"),
        pytest.param({"min_component_fraction": 0.3}, [27, 4], id="fraction of its own class"),
        pytest.param({"min_component_voxels": 28}, [], id="nothing left"),
    ],
)
def test_small_islands_are_ignored(label, limits, sizes):
    options = recipe.Prompt(**{"min_component_voxels": 1, "min_component_fraction": 0.0, **limits})
    assert [one.num_voxels for one in find_objects(one_hot(label, 3), options)] == sizes


def test_voxels_that_share_only_a_corner_are_one_object(options):
    label = np.zeros((4, 4, 4), np.uint8)
    label[0, 0, 0] = label[1, 1, 1] = 1
    assert [one.num_voxels for one in find_objects(one_hot(label, 2), options)] == [2]


def test_equally_large_components_keep_their_order_in_the_volume(options):
    label = np.zeros((5, 1, 1), np.uint8)
    label[0] = label[4] = 1
    first, second = find_objects(one_hot(label, 2), options)
    assert first.mask[0, 0, 0]
    assert second.mask[4, 0, 0]


def test_only_background_has_no_objects(options):
    assert find_objects(one_hot(np.zeros((4, 4, 4)), 3), options) == ()


def test_the_background_channel_is_never_an_object(options):
    """PEERS 2.2 b: SemiSAM+ took channel 0, the background, for the mask of the object."""
    probability = one_hot(np.zeros((4, 4, 4)), 2)
    probability[:, 1, 1, 1] = 0.2, 0.8
    (found,) = find_objects(probability, options)
    assert found.class_index == 1
    assert np.argwhere(found.mask).tolist() == [[1, 1, 1]]
