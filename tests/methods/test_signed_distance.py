import numpy as np
import pytest
import torch

from samssl_cli.methods.signed_distance import signed_distance, signed_distances, to_probability


def line(*values: int) -> np.ndarray:
    return np.array(values, bool)[:, None, None]


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        # Depths to the surface between two voxels: outside 1.5, 0.5, inside 0.5, outside 0.5, 1.5,
        # 2.5; divided by the largest of each side, 2.5 and 0.5.
        pytest.param(
            line(0, 0, 1, 0, 0, 0), [0.6, 0.2, -1.0, 0.2, 0.6, 1.0], id="one-voxel"
        ),
        # Inside 0.5, 1.5, 2.5 from the only surface; outside 0.5.
        pytest.param(line(1, 1, 1, 0), [-1.0, -0.6, -0.2, 1.0], id="at-the-border"),
        pytest.param(line(0, 0, 0), [1.0, 1.0, 1.0], id="empty"),
        pytest.param(line(1, 1), [-1.0, -1.0], id="full"),
    ],
)  # fmt: skip
def test_a_line(mask, expected):
    assert signed_distance(mask).ravel().tolist() == pytest.approx(expected)


def test_distances_are_euclidean():
    mask = np.zeros((3, 3, 3), bool)
    mask[1, 1, 1] = True
    found = signed_distance(mask)
    # The corner is farthest: sqrt(3) - 1/2; a face's centre is at 1/2.
    assert found[0, 0, 0] == pytest.approx(1.0)
    assert found[0, 1, 1] == pytest.approx(0.5 / (np.sqrt(3) - 0.5))
    assert found[1, 1, 1] == -1.0


def test_every_class_and_patch_has_a_scale_of_its_own():
    label = torch.tensor([[0, 0, 1, 0], [0, 1, 1, 1]])[:, :, None, None]  # (2, 4, 1, 1)
    found = signed_distances(label, 3)
    assert found.shape == (2, 3, 4, 1, 1)
    assert found.dtype == torch.float32
    assert found[0, 1].ravel().tolist() == pytest.approx([1.0, 1 / 3, -1.0, 1 / 3])
    assert found[1, 1].ravel().tolist() == pytest.approx([1.0, -0.2, -0.6, -1.0])
    assert (found[:, 2] == 1).all()  # no voxel of class 2
    assert torch.allclose(found[1, 0], torch.tensor([-1.0, 0.2, 0.6, 1.0])[:, None, None])


def test_of_two_classes_each_is_as_far_inside_as_the_other_is_outside():
    rng = np.random.default_rng(0)
    label = torch.from_numpy(rng.integers(0, 2, (2, 5, 4, 3)))
    found = signed_distances(label, 2)
    expected = [[signed_distance(one.numpy() == number) for number in range(2)] for one in label]
    np.testing.assert_array_equal(found.numpy(), np.array(expected))


def test_the_way_back_gives_the_mask_again():
    rng = np.random.default_rng(0)
    mask = rng.random((9, 8, 7)) > 0.6
    probability = to_probability(torch.from_numpy(signed_distance(mask)), 1500.0)
    assert np.abs(probability.numpy() - mask).max() < 1e-3


def test_published_code_gives_an_absent_class_one_half():
    # A distance of 0 everywhere, as there, would come back as 1/2 everywhere.
    absent = signed_distance(np.zeros((2, 2, 2), bool))
    assert to_probability(torch.from_numpy(absent), 1500.0).max().item() < 1e-6
