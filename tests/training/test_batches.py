from dataclasses import astuple, replace

import numpy as np
import pytest
import torch

from samssl_cli.errors import DataError
from samssl_cli.methods.method import Batch
from samssl_cli.recipe import Augmentation, Training
from samssl_cli.training.batches import LabeledVolume, PatchStreams, UnlabeledVolume
from samssl_cli.training.shelf import Shelf

OPTIONS = Training(patch_size=(8, 8, 8), labeled_batch=2, unlabeled_batch=3)


def streams(
    labeled, unlabeled, *, seed=0, augmentation=None, shelf=None, **options
) -> PatchStreams:
    return PatchStreams(
        labeled,
        unlabeled,
        options=OPTIONS.model_copy(update=options),
        augmentation=augmentation or Augmentation(),
        seed=seed,
        device=torch.device("cpu"),
        shelf=shelf,
    )


def tensors(batch: Batch) -> list[torch.Tensor]:
    pseudo = [] if batch.pseudo is None else [batch.pseudo.probability, batch.pseudo.confidence]
    return [*astuple(replace(batch, pseudo=None))[:4], *pseudo]


def are_equal(a: Batch, b: Batch) -> list[bool]:
    return [torch.equal(x, y) for x, y in zip(tensors(a), tensors(b), strict=True)]


def test_shapes_and_types(labeled, pseudo_labeled):
    batch = streams(labeled, pseudo_labeled).batch(0)
    assert batch.labeled_image.shape == (2, 1, 8, 8, 8)
    assert batch.label.shape == (2, 8, 8, 8)
    assert batch.label.dtype == torch.int64
    assert batch.unlabeled_image.shape == batch.unlabeled_plain.shape == (3, 1, 8, 8, 8)
    assert batch.pseudo.probability.shape == (3, 2, 8, 8, 8)
    assert batch.pseudo.confidence.shape == (3, 8, 8, 8)
    assert batch.labeled_image.dtype == batch.pseudo.probability.dtype == torch.float32


def test_a_batch_depends_on_the_seed_and_the_step_alone(labeled, pseudo_labeled):
    worn, fresh = streams(labeled, pseudo_labeled), streams(labeled, pseudo_labeled)
    for step in range(3):
        worn.batch(step)
    torch.manual_seed(99)
    np.random.default_rng(99)

    assert all(are_equal(worn.batch(7), fresh.batch(7)))
    assert all(are_equal(fresh.batch(7), fresh.batch(7)))


@pytest.mark.parametrize(("seed", "step"), [(0, 1), (1, 0)], ids=["other-step", "other-seed"])
def test_another_step_or_seed_draws_other_patches(seed, step, labeled, unlabeled):
    first = streams(labeled, unlabeled).batch(0)
    other = streams(labeled, unlabeled, seed=seed).batch(step)
    assert not any(are_equal(first, other))


def test_the_plain_view_is_the_same_patch_without_the_intensity_changes(labeled, unlabeled):
    still = Augmentation(intensity_probability=0)
    batch = streams(labeled, unlabeled, augmentation=still).batch(0)
    assert torch.equal(batch.unlabeled_plain, batch.unlabeled_image)

    changed = streams(labeled, unlabeled, augmentation=Augmentation(intensity_probability=1))
    batch = changed.batch(0)
    assert not torch.equal(batch.unlabeled_plain, batch.unlabeled_image)


def test_without_augmentation_image_and_label_are_one_crop(labeled, no_augmentation):
    marked = [replace(v, image=v.label[None].astype(np.float16)) for v in labeled]
    stream = streams(marked, [], augmentation=no_augmentation, unlabeled_batch=0)
    for step in range(5):
        batch = stream.batch(step)
        assert torch.equal(batch.labeled_image[:, 0], batch.label.float())


def test_label_and_image_are_warped_together(labeled):
    marked = [replace(v, image=v.label[None].astype(np.float16)) for v in labeled]
    bent = Augmentation(intensity_probability=0, rotation_rad=0.5, flip_axes=(0,))
    batch = streams(marked, [], augmentation=bent, unlabeled_batch=0).batch(0)
    difference = (batch.labeled_image[:, 0] - batch.label).abs()
    assert difference.max() < 0.9  # edges are soft in the image and hard in the label
    assert difference.mean() < 0.05


@pytest.mark.parametrize(
    ("foreground_probability", "expected"), [(1.0, 1.0), (0.0, 0.1)], ids=["always", "never"]
)
def test_labeled_patches_are_centred_on_the_foreground(
    foreground_probability, expected, no_augmentation
):
    # One labeled voxel near a corner of 40^3. A patch of 8^3 placed at random has 33^3 places, of
    # which few hold the voxel; placed around it, every one does.
    label = np.zeros((40, 40, 40), np.uint8)
    label[1, 38, 20] = 1
    stream = streams(
        [LabeledVolume(label[None].astype(np.float16), label)],
        [],
        augmentation=no_augmentation,
        foreground_probability=foreground_probability,
        unlabeled_batch=0,
        labeled_batch=20,
    )
    found = stream.batch(0).label.amax((1, 2, 3)).float().mean().item()
    assert abs(found - expected) <= 0.1


def test_patches_stay_inside_a_volume_that_is_large_enough(labeled, no_augmentation):
    ones = [replace(v, image=np.ones_like(v.image)) for v in labeled]
    stream = streams(ones, [], augmentation=no_augmentation, unlabeled_batch=0)
    for step in range(10):
        assert (stream.batch(step).labeled_image == 1).all()


def test_a_labeled_volume_without_foreground_is_cut_anywhere(labeled):
    empty = [replace(v, label=np.zeros_like(v.label)) for v in labeled]
    batch = streams(empty, [], foreground_probability=1.0, unlabeled_batch=0).batch(0)
    assert (batch.label == 0).all()


def test_without_an_unlabeled_stream_there_are_no_unlabeled_patches(labeled):
    batch = streams(labeled, [], unlabeled_batch=0).batch(0)
    assert batch.unlabeled_image.shape == batch.unlabeled_plain.shape == (0, 1, 8, 8, 8)
    assert batch.pseudo is None


def test_without_a_generalist_there_are_no_pseudo_labels(labeled, unlabeled):
    assert streams(labeled, unlabeled).batch(0).pseudo is None


def test_outside_the_volume_pseudo_labels_are_background_and_nobody_is_to_learn_there(labeled):
    # Two foreground classes with 1/2 and 1/4 and a confidence of 1 in all of 4 x 4 x 4 voxels; the
    # patch of 8 x 8 x 8 around them leaves the volume on every side.
    pseudo = np.stack([np.full((4, 4, 4), value, np.float16) for value in (0.5, 0.25, 1.0)])
    small = UnlabeledVolume(np.ones((1, 4, 4, 4), np.float16), pseudo)
    still = Augmentation(affine_probability=0)

    drawn = streams(labeled, [small], augmentation=still).batch(0).pseudo

    inside = torch.zeros(8, 8, 8, dtype=torch.bool)
    inside[2:6, 2:6, 2:6] = True
    assert drawn.probability[:, :, inside].unique(dim=2)[0, :, 0].tolist() == [0.25, 0.5, 0.25]
    assert drawn.probability[:, :, ~inside].unique(dim=2)[0, :, 0].tolist() == [1.0, 0.0, 0.0]
    assert torch.equal(drawn.confidence, inside.float().expand(3, 8, 8, 8))


def test_warped_pseudo_labels_still_sum_to_1(labeled, pseudo_labeled):
    bent = Augmentation(rotation_rad=0.7, scale=0.3, elastic=0.2)
    drawn = streams(labeled, pseudo_labeled, augmentation=bent).batch(3).pseudo
    assert torch.allclose(drawn.probability.sum(1), torch.ones(3, 8, 8, 8), atol=1e-5)
    assert (drawn.probability >= 0).all()
    assert ((drawn.confidence >= 0) & (drawn.confidence <= 0.5 + 1e-6)).all()


def test_training_without_labels_is_refused(unlabeled):
    with pytest.raises(DataError, match=r"no labeled case.*samssl preprocess --labeled"):
        streams([], unlabeled)


def test_an_unlabeled_stream_without_volumes_is_refused(labeled):
    with pytest.raises(DataError, match=r"no unlabeled case.*supervised"):
        streams(labeled, [])


def test_volumes_in_a_file_give_the_same_batches(labeled, pseudo_labeled):
    shelf = Shelf(0)
    laid_l = [LabeledVolume(shelf.put(one.image), shelf.put(one.label)) for one in labeled]
    laid_u = [
        UnlabeledVolume(shelf.put(one.image), shelf.put(one.pseudo)) for one in pseudo_labeled
    ]
    in_memory, in_file = streams(labeled, pseudo_labeled), streams(laid_l, laid_u, shelf=shelf)
    for step in range(20):
        assert all(are_equal(in_memory.batch(step), in_file.batch(step)))
