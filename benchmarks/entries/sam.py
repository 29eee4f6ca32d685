"""Segment Anything asked about two organs of a volume, beside `SamPredictor` in a loop.

The architecture is ViT-B at 1024 pixels, with random weights: how long it takes does not depend on
them. Each object has three prompt sets, as `prompt` places them, and spans every slice. Both sides
get the same prompts; the pictures, too, are made once, by samssl.

Two loops are in use. One gives every picture to the encoder once and then asks all its questions.
The other is that of published pipelines, which answer one object and one prompt set of a volume at
a time: there, each picture is encoded for each of them.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.allocator import by_default
from benchmarks.suite import Entry, Pair

SHAPE = (120, 96, 2)
NUM_SETS = 3

Masks = NDArray[np.bool_]
"""(objects, sets, I, J, K)."""

_EQUAL = 1e-3
"""Share of the drawn voxels that may differ: samssl keeps features in half precision."""


@dataclass(frozen=True)
class Job:
    """What both sides are asked to do, and with what."""

    image: NDArray[np.float32]
    objects: tuple[Any, ...]
    """An `ObjectPrompts` for each."""
    generalist: Any
    """The samssl side's."""
    predictor: Any
    """The other side's, with the same weights."""


def pairs() -> Iterator[Pair]:
    """Both loops, and a second round whose embeddings were kept."""
    with tempfile.TemporaryDirectory() as folder:
        job = _job(Path(folder))
        ours = partial(_by_samssl, job)
        shape = (
            f"ViT-B, 1024 pixels, {len(job.objects)} objects x {NUM_SETS} sets x {SHAPE[2]} slices"
        )
        yield Pair(
            f"{shape}, a picture encoded once",
            ours,
            partial(_by_hand_elsewhere, job),
            differing,
            _EQUAL,
        )
        yield Pair(
            f"{shape}, encoded for every volume prompt",
            ours,
            partial(_by_hand_elsewhere, job, is_set_each_time=True),
            differing,
            _EQUAL,
        )
        kept = _with_cache(job, Path(folder) / "embeddings")
        yield Pair(f"{shape}, second round", kept, ours, differing, _EQUAL)


def differing(ours: Masks, theirs: Masks) -> float:
    """The voxels on which two answers differ, as a share of those that either drew."""
    drawn = (ours | theirs).sum()
    return float((ours ^ theirs).sum() / drawn) if drawn else float("nan")


def _job(folder: Path) -> Job:
    from samssl_cli.generalists.sam import SegmentAnything
    from samssl_cli.stages.allocator import keep_freed_memory

    keep_freed_memory()
    weights, theirs = _weights(folder)
    image, probability = _two_balls()
    return Job(
        image=image,
        objects=_prompts(probability),
        generalist=SegmentAnything.build({}, checkpoint=weights, device="cpu"),
        predictor=theirs,
    )


def _weights(folder: Path) -> tuple[Path, Any]:
    """A file of random weights, and a `SamPredictor` that has them."""
    from samssl_cli.generalists.torchvision_shim import ensure_torchvision

    ensure_torchvision()
    from segment_anything import SamPredictor, sam_model_registry

    torch.manual_seed(0)
    model = sam_model_registry["vit_b"]().eval()
    with torch.no_grad():  # positions start at zero: give them something to do
        for name, parameter in model.named_parameters():
            if "pos" in name:
                parameter.normal_(std=0.02)
    path = folder / "vit_b.pth"
    torch.save(model.state_dict(), path)
    return path, SamPredictor(model)


def _two_balls() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A noisy image (1, I, J, K) of two bright objects, and probabilities (3, I, J, K) of both."""
    rng = np.random.default_rng(0)
    i, j, _ = np.meshgrid(*map(np.arange, SHAPE), indexing="ij")
    distances = [np.hypot(i - a, j - b) - radius for a, b, radius in ((40, 45, 20), (85, 50, 15))]
    objects = np.stack([1 / (1 + np.exp(distance)) for distance in distances]).astype(np.float32)
    image = objects.sum(0, keepdims=True) + rng.normal(scale=0.3, size=(1, *SHAPE))
    background = np.clip(1 - objects.sum(0, keepdims=True), 0, 1)
    return image.astype(np.float32), np.concatenate([background, objects])


def _prompts(probability: NDArray[np.float32]) -> tuple[Any, ...]:
    from samssl_cli.inference.uncertainty import normalised_entropy
    from samssl_cli.recipe import Prompt
    from samssl_cli.stages.asking import place_prompts

    options = Prompt(num_sets=NUM_SETS)
    found = place_prompts(probability, normalised_entropy(probability), options, seed=0)
    assert len(found) == 2, found
    return found


def _by_samssl(job: Job) -> Masks:
    embedding = job.generalist.embed(job.image, (1.0, 1.0, 1.0))
    answers = [job.generalist.segment(embedding, one.sets).logits for one in job.objects]
    return np.stack(answers) > 0


def _by_hand(job: Job, *, is_set_each_time: bool = False) -> Masks:
    """Ask slice by slice; `is_set_each_time`: each object and set goes through the whole volume."""
    from samssl_cli.generalists.sam_prompts import slice_prompts

    (view,) = job.generalist.embed(job.image, (1.0, 1.0, 1.0)).views([])
    answers = np.zeros((len(job.objects), NUM_SETS, *SHAPE), bool)
    said = {
        (number, place, asked.index): asked
        for number, one in enumerate(job.objects)
        for place, prompt in enumerate(one.sets)
        for asked in slice_prompts(prompt, view.cut, box_margin=2, with_mask=True)
    }
    order = list(said) if is_set_each_time else sorted(said, key=lambda key: key[2])
    before = None
    for number, place, index in order:
        if is_set_each_time or index != before:
            job.predictor.set_image(view.pictures.picture(index))
            before = index
        drawn = _predicted(job, said[number, place, index])
        view.cut.pictures(answers[number, place])[index] = drawn
    return answers


def _by_hand_elsewhere(job: Job, *, is_set_each_time: bool = False) -> Masks:
    with by_default():
        return _by_hand(job, is_set_each_time=is_set_each_time)


def _predicted(job: Job, asked: Any) -> NDArray[np.bool_]:
    mask_input = job.generalist._predictor.mask_input(np.stack([asked.mask]))[0].numpy()
    masks, _, _ = job.predictor.predict(
        asked.points if len(asked.points) else None,
        asked.is_positive.astype(int) if len(asked.points) else None,
        np.array(asked.box),
        mask_input,
        multimask_output=False,
    )
    drawn: NDArray[np.bool_] = masks[0]
    return drawn


def _with_cache(job: Job, folder: Path) -> Callable[[], Masks]:
    """The samssl side with an embedding cache; the first call fills it."""
    from samssl_cli.generalists.embedding_cache import EmbeddingCache
    from samssl_cli.generalists.sam import SegmentAnything

    kept = SegmentAnything(job.generalist._sam, job.generalist.options)
    kept.remember_in(EmbeddingCache(folder, max_gb=1), weights_sha256="random", device="cpu")
    return partial(_by_samssl, Job(job.image, job.objects, kept, job.predictor))


ENTRY = Entry(
    name="sam",
    summary="Segment Anything about two objects, beside SamPredictor called slice by slice",
    pairs=pairs,
    needs={"segment_anything": "segment-anything"},
    repeats=1,
)
