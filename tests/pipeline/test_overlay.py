"""A label map overlays its image, however the image lies in its file.

The network is one that anybody can compute: foreground where the intensity, of mean 0 and standard
deviation 1, is above a threshold. What comes back has to be the threshold of the image itself.
"""

import itertools
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813  (as its own documents call it)
import torch
from torch import nn

from samssl_cli.artifacts.cases import DatasetFacts
from samssl_cli.errors import DataError
from samssl_cli.progress import Silent
from samssl_cli.recipe import Inference, read_recipe
from samssl_cli.stages import predict as stage
from samssl_cli.stages import specialist
from samssl_cli.stages.specialist import Specialist

SPACING_MM = (0.7, 1.1, 4.0)
SHAPE = (9, 7, 5)  # smaller than the patch, and another number along each axis
PATCH = (16, 16, 16)
ORIENTATIONS = [
    "".join(codes)
    for axes in itertools.permutations(("RL", "AP", "SI"))
    for codes in itertools.product(*axes)
]
ANGLES = {"straight": (0.0, 0.0, 0.0), "oblique": (0.3, -0.2, 0.4)}


class Threshold(nn.Module):
    """Logits 0 for the background and 20 times the intensity above `at` for the object."""

    def __init__(self, at):
        super().__init__()
        self.at = at

    def forward(self, windows):
        assert windows.shape[2:] == PATCH
        return torch.cat([torch.zeros_like(windows), 20 * (windows - self.at)], 1)


@pytest.fixture
def threshold(monkeypatch, tmp_path):
    """Predict one file with the network above, as `samssl predict` does."""

    def run(image, *, at=0.0, spacing_mm=None, flips=False):
        facts = DatasetFacts(
            "fake",
            ("MRI",),
            ("background", "bright"),
            {"crop": "none", "spacing_mm": spacing_mm, "ct_windows": [None]},
        )
        checkpoint = SimpleNamespace(fingerprint="f" * 64, facts=facts)
        network = Specialist(Threshold(at), PATCH, Inference(flips=flips), torch.device("cpu"))
        monkeypatch.setattr(stage, "Checkpoint", lambda path: checkpoint)
        monkeypatch.setattr(specialist, "load_specialist", lambda *_: network)
        monkeypatch.setattr(specialist, "note_untrained_flips", lambda *_: None)
        return stage.predict(
            tmp_path / "fake.zarr",
            [image],
            tmp_path / "out",
            recipe=read_recipe("default"),
            only_largest=False,
            with_probabilities=True,
            device="cpu",
            force=True,
            progress=Silent(),
        )

    return run


def rotation(angles):
    """A rotation about all three axes, in radians."""
    found = np.eye(3)
    for axis, angle in enumerate(angles):
        turn, (a, b) = np.eye(3), [n for n in range(3) if n != axis]
        turn[[a, b], [a, b]] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        found = found @ turn
    return found


def affine_of(codes, angles):
    """Axes along `codes`, then rotated; an origin that is no round number."""
    directions = np.zeros((3, 3))
    for column, (axis, flip) in enumerate(nib.orientations.axcodes2ornt(codes)):
        directions[int(axis), column] = flip
    affine = np.eye(4)
    affine[:3, :3] = rotation(angles) @ directions @ np.diag(SPACING_MM)
    affine[:3, 3] = (-31.7, 12.1, 5.55)
    return affine


def save(path, voxels, affine):
    image = nib.Nifti1Image(voxels.astype(np.float32), affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    nib.save(image, path)
    return path


def two_levels(shape):
    """Every voxel 10 or 20, at random: none is near the mean, whatever is rounded."""
    bright = np.random.default_rng(0).random(shape) < 0.4
    return np.where(bright, 20.0, 10.0), bright


def assert_same_grid_in_itk(label, image):
    ours, theirs = (sitk.ReadImage(path) for path in (label, image))
    assert ours.GetSize() == theirs.GetSize()
    assert ours.GetSpacing() == theirs.GetSpacing()
    assert ours.GetOrigin() == theirs.GetOrigin()
    assert ours.GetDirection() == theirs.GetDirection()


@pytest.mark.parametrize("angles", ANGLES.values(), ids=ANGLES)
@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_row_10_without_resampling_it_is_exact_voxel_for_voxel(threshold, tmp_path, codes, angles):
    voxels, bright = two_levels(SHAPE)
    image = save(tmp_path / "a.nii.gz", voxels, affine_of(codes, angles))
    label, probabilities = threshold(image)
    np.testing.assert_array_equal(np.asarray(nib.load(label).dataobj), bright)
    np.testing.assert_array_equal(nib.load(probabilities).dataobj[..., 1] > 0.5, bright)
    np.testing.assert_array_equal(nib.load(label).affine, nib.load(image).affine)
    assert_same_grid_in_itk(label, image)


def ball(shape, affine, centre, radius_mm):
    """A bright ball in millimetres, wherever the axes lead."""
    indices = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    world = indices @ affine[:3, :3].T + affine[:3, 3]
    return np.where(np.linalg.norm(world - centre, axis=-1) < radius_mm, 20.0, 10.0)


@pytest.mark.parametrize("flips", [False, True], ids=["once", "flips"])
@pytest.mark.parametrize("angles", ANGLES.values(), ids=ANGLES)
@pytest.mark.parametrize("codes", ["RAS", "LPI", "PSR", "ILA", "SRP"])
def test_with_resampling_the_object_stays_where_it_is(threshold, tmp_path, codes, angles, flips):
    shape, affine = (36, 24, 9), affine_of(codes, angles)
    centre = affine[:3, :3] @ (16, 13, 4.4) + affine[:3, 3]
    voxels = ball(shape, affine, centre, radius_mm=7.5)
    image = save(tmp_path / "a.nii.gz", voxels, affine)
    between = (15 - voxels.mean()) / voxels.std()
    label, _ = threshold(image, at=between, spacing_mm=[1.5, 1.4, 1.6], flips=flips)
    found = np.asarray(nib.load(label).dataobj)
    centres = [np.argwhere(mask).mean(axis=0) for mask in (found == 1, voxels > 15)]
    assert np.abs(centres[0] - centres[1]).max() < 0.5  # voxels, of 0.7 x 1.1 x 4 mm
    assert found.sum() == pytest.approx((voxels > 15).sum(), rel=0.1)
    assert_same_grid_in_itk(label, image)


@pytest.mark.parametrize("spacing_mm", [None, [1.5, 1.5, 1.5]], ids=["own grid", "resampled"])
@pytest.mark.parametrize(
    "shape",
    [(20, 18, 1), (1, 18, 20), (20, 2, 18), (2, 2, 2), (2, 1, 1)],
    ids=["single slice", "single slice, first axis", "2 wide", "2 x 2 x 2", "2 voxels"],
)
@pytest.mark.parametrize("codes", ["RAS", "PSR"])
def test_thin_images_are_predicted(threshold, tmp_path, shape, codes, spacing_mm):
    voxels = np.full(shape, 10.0)
    voxels[: (shape[0] + 1) // 2, : (shape[1] + 1) // 2] = 20.0
    affine = affine_of(codes, ANGLES["oblique"])
    image = save(tmp_path / "a.nii.gz", voxels, affine)
    label, probabilities = threshold(image, spacing_mm=spacing_mm)
    assert nib.load(label).shape == shape
    assert nib.load(probabilities).shape == (*shape, 2)
    found = np.asarray(nib.load(label).dataobj)
    if spacing_mm is None:
        expected = voxels > 15 if np.ptp(voxels) else np.zeros(shape)
        np.testing.assert_array_equal(found, expected)


def test_a_constant_image_has_no_object(threshold, tmp_path):
    label, _ = threshold(save(tmp_path / "a.nii.gz", np.full(SHAPE, 7.0), np.eye(4)))
    assert not np.asarray(nib.load(label).dataobj).any()


def test_an_image_without_a_third_axis_is_refused(threshold, tmp_path):
    image = save(tmp_path / "a.nii.gz", np.ones((8, 8)), np.eye(4))
    with pytest.raises(DataError, match=r"shape 8 x 8, expected 3-D"):
        threshold(image)
