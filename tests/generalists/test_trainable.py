"""What every generalist that can be adapted promises, on tiny models with random weights."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from samssl_cli.errors import WeightsError
from samssl_cli.generalists.lesson import Trainable, VolumeLesson
from samssl_cli.generalists.sam import SegmentAnything
from samssl_cli.generalists.sam_med3d import SamMed3d
from samssl_cli.generalists.scout import Scout
from samssl_cli.generalists.scout_network import ScoutNetwork
from samssl_cli.generalists.types import Adaptable
from samssl_cli.prompts.types import Box, Points, Prompt
from samssl_cli.training.state import to_arrays

SPACING_MM = (1.5, 1.5, 1.5)
ANYWHERE = Path("generalist.zarr")


@pytest.fixture(params=["sam", "medsam", "sam-med3d"])
def build(request, sam, med3d):
    """Makes one and the same generalist, again and again."""

    def make(options=()):
        if request.param == "sam-med3d":
            return SamMed3d(copy.deepcopy(med3d), SamMed3d.Options(**dict(options)))
        chosen = SegmentAnything.Options(preprocessing=request.param)
        return SegmentAnything(copy.deepcopy(sam), chosen)

    return make


@pytest.fixture
def lesson(image):
    truth = np.zeros(image.shape[1:], bool)
    truth[6:14, 4:10, 1:5] = True
    prompt = Prompt(
        points=Points(np.array([[10, 7, 3]]), np.array([True])),
        box=Box((5, 3, 1), (15, 11, 5)),
        mask=np.roll(truth, 1, axis=0),
    )
    return VolumeLesson(image, SPACING_MM, prompt, truth, None, seed=1)


def answered(generalist, lesson):
    embedding = generalist.embed(lesson.image, lesson.spacing_mm)
    return generalist.segment(embedding, [lesson.prompt]).logits


def changed(parts):
    """Move every trained number a little."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in parts.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    return to_arrays(parts.state_dict())


def test_it_is_trainable_and_adaptable(build):
    assert isinstance(build(), Trainable)
    assert isinstance(build(), Adaptable)
    assert isinstance(Scout(ScoutNetwork(), Scout.Options()), Trainable)
    assert isinstance(Scout(ScoutNetwork(), Scout.Options()), Adaptable)


def test_getting_ready_changes_no_answer(build, lesson):
    generalist = build()
    before = answered(generalist, lesson)

    generalist.training_parts(lora_rank=2)

    np.testing.assert_array_equal(answered(generalist, lesson), before)


def test_only_factors_and_decoder_are_trained(build):
    parts = build().training_parts(lora_rank=2)

    assert {name.split(".")[0] for name in parts.state_dict()} == {"lora", "decoder"}
    assert all(parameter.requires_grad for parameter in parts.parameters())


def test_a_lesson_teaches_the_encoder_and_the_decoder(build, lesson):
    generalist = build()
    parts = generalist.training_parts(lora_rank=2)

    (taught,) = generalist.answer([lesson])
    torch.nn.functional.binary_cross_entropy_with_logits(taught.logits, taught.target).backward()

    assert taught.logits.shape == taught.target.shape
    assert taught.target.sum() > 0
    moved = {
        name.split(".")[0]
        for name, parameter in parts.named_parameters()
        if parameter.grad is not None and parameter.grad.abs().sum() > 0
    }
    assert moved == {"lora", "decoder"}


def test_what_was_trained_is_taken_by_another(build, lesson):
    trained, other = build(), build()
    tensors = changed(trained.training_parts(lora_rank=2))
    before = answered(other, lesson)

    other.take_weights(tensors, path=ANYWHERE)

    after = answered(other, lesson)
    assert np.abs(after - before).max() > 1e-3
    # SAM's features are rounded to half precision, merged or not.
    np.testing.assert_allclose(after, answered(trained, lesson), atol=2e-2)


def test_untrained_changes_change_nothing(build, lesson):
    other = build()
    before = answered(other, lesson)

    other.take_weights(to_arrays(build().training_parts(lora_rank=3).state_dict()), path=ANYWHERE)

    np.testing.assert_array_equal(answered(other, lesson), before)


def test_changes_of_another_model_are_refused(build):
    tensors = to_arrays(build().training_parts(lora_rank=2).state_dict())
    narrow = {**tensors, "lora.0.q_b": tensors["lora.0.q_b"][:-1]}
    bare = {name: array for name, array in tensors.items() if not name.startswith("lora")}

    with pytest.raises(WeightsError, match=r"1 entry \(lora\.0\.q_b\) of another shape"):
        build().take_weights(narrow, path=ANYWHERE)
    with pytest.raises(WeightsError, match=r"generalist\.zarr: hold no low-rank updates"):
        build().take_weights(bare, path=ANYWHERE)


def test_only_what_counts_is_weighed(build, lesson):
    generalist = build()
    generalist.training_parts(lora_rank=2)
    half = np.zeros_like(lesson.truth)
    half[10:] = True
    nowhere = np.zeros_like(half)

    def with_counted(counted):
        return VolumeLesson(
            lesson.image, SPACING_MM, lesson.prompt, lesson.truth, counted, lesson.seed
        )

    (taught,) = generalist.answer([with_counted(half)])
    assert generalist.answer([with_counted(nowhere)]) == []
    assert 0 < float(taught.weight.mean()) < 1
    counted = float((taught.target * taught.weight).sum())
    assert 0 < counted < float(taught.target.sum())


def test_sam_answers_a_lesson_as_it_answers_a_prompt(sam, lesson):
    generalist = SegmentAnything(copy.deepcopy(sam), SegmentAnything.Options())
    generalist.training_parts(lora_rank=2)
    expected = answered(generalist, lesson)[0]

    (taught,) = generalist.answer([lesson])

    # Axial pictures: rows are J and columns I, both from their high end.
    drawn = taught.logits[0].detach().numpy()[::-1, ::-1].T
    target = taught.target[0].numpy()[::-1, ::-1].T
    distance = [np.abs(expected[:, :, k] - drawn).max() for k in range(expected.shape[2])]
    index = int(np.argmin(distance))
    assert distance[index] < 1e-2  # features are rounded to half precision there
    np.testing.assert_array_equal(target, lesson.truth[:, :, index])


@pytest.mark.parametrize("options", [{"axis": "all"}, {"mosaic": 2}, {"clicks": "one-by-one"}])
def test_sam_learns_from_a_slice_however_it_is_shown(sam, lesson, options):
    generalist = SegmentAnything(copy.deepcopy(sam), SegmentAnything.Options(**options))
    parts = generalist.training_parts(lora_rank=2)
    views = generalist.embed(lesson.image, SPACING_MM).views([])

    (taught,) = generalist.answer([lesson])
    taught.logits.sum().backward()

    assert taught.logits.shape == taught.target.shape
    assert tuple(taught.logits.shape[1:]) in {view.cut.size for view in views}
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in parts.parameters())


def test_sam_med3d_answers_a_lesson_as_it_answers_a_prompt(med3d, lesson):
    generalist = SamMed3d(copy.deepcopy(med3d), SamMed3d.Options())
    generalist.training_parts(lora_rank=2)
    expected = answered(generalist, lesson)[0]

    (taught,) = generalist.answer([lesson])

    # A window of 32 around the faces (7, 4, 1) to (15, 10, 5) begins at (-5, -9, -13).
    drawn = taught.logits[0, 0].detach().numpy()[5:25, 9:23, 13:19]
    np.testing.assert_allclose(drawn, expected, atol=1e-4)
    np.testing.assert_allclose(taught.target[0, 0, 5:25, 9:23, 13:19], lesson.truth, atol=1e-6)
