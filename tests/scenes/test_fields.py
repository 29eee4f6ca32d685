import numpy as np
import pytest
import torch

from samssl_cli.scenes.fields import (
    lengths,
    random_direction,
    random_rotation,
    resized,
    smooth_fields,
    voxel_positions,
    warped,
)


def test_positions_are_measured_from_the_middle():
    positions = voxel_positions((3, 2, 1))
    assert positions.shape == (3, 3, 2, 1)
    assert positions[0, :, 0, 0].tolist() == [-1, 0, 1]
    assert positions[1, 0, :, 0].tolist() == [-0.5, 0.5]
    assert positions[2].unique().tolist() == [0]


def test_a_field_is_smooth_and_follows_from_its_generator(rng):
    field = smooth_fields(2, (30, 24, 18), 4, rng)
    assert field.shape == (2, 30, 24, 18)
    assert field.dtype == torch.float32
    # Four knots over 30 voxels: neighbours differ by far less than the field varies.
    assert float(field[0].diff(dim=0).abs().max()) < 0.5 * float(field[0].std())
    again = smooth_fields(2, (30, 24, 18), 4, np.random.default_rng(5))
    assert torch.equal(field, again)
    assert not torch.equal(field[0], field[1])


@pytest.mark.parametrize("shape", [(9, 7, 5), (4, 4, 1)], ids=["odd", "one slice"])
def test_a_displacement_of_one_voxel_reads_the_next_one(shape):
    values = torch.arange(float(np.prod(shape))).view(1, *shape)
    moved = torch.zeros(3, *shape)
    assert torch.allclose(warped(values, moved), values, atol=1e-3)
    moved[0] = 1
    expected = torch.cat([values[:, 1:], values[:, -1:]], dim=1)  # the border goes on
    assert torch.allclose(warped(values, moved), expected, atol=1e-3)


def test_lengths_of_known_vectors():
    vectors = torch.tensor([[3.0, 0], [4.0, 0], [0.0, 2]]).view(3, 2, 1, 1)
    assert lengths(vectors).flatten().tolist() == [5, 2]


def test_rotations_keep_lengths_and_handedness(rng):
    rotation = random_rotation(rng)
    assert torch.allclose(rotation @ rotation.T, torch.eye(3), atol=1e-6)
    assert float(torch.linalg.det(rotation)) == pytest.approx(1, abs=1e-6)
    assert float(random_direction(rng).norm()) == pytest.approx(1, abs=1e-6)


def test_resizing_keeps_the_extent():
    # Voxels of half the size lie a quarter of a voxel beside the old ones: 1/4 and 3/4 between.
    values = torch.tensor([0.0, 4.0]).view(1, 2, 1, 1)
    assert resized(values, (4, 1, 1)).flatten().tolist() == [0, 1, 3, 4]
