"""The generalist that ships inside the package: small, on the CPU, trained on procedural scenes."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from scipy import ndimage
from torch import Tensor, nn

from samssl_cli.errors import UsageError
from samssl_cli.generalists.checkpoint_file import WeightsFacts
from samssl_cli.generalists.lesson import Taught, Views
from samssl_cli.generalists.scout_network import ScoutNetwork
from samssl_cli.generalists.scout_prompts import Coordinates, encode
from samssl_cli.generalists.scout_view import View, fit_view
from samssl_cli.generalists.scout_weights import (
    SHIPPED_WEIGHTS,
    identify_scout,
    load_scout,
    put_weights,
    unfilled_scout,
)
from samssl_cli.generalists.types import Proposal
from samssl_cli.networks.folding import fold_for_inference
from samssl_cli.prompts.types import Prompt
from samssl_cli.recipe import Count, NonNegative, PositiveCount, Section, validate
from samssl_cli.volumes.grid import Spacing

OUTSIDE_LOGIT = -10.0
"""Where no view reached, and the surest answer there is."""

_FLIPS = ((), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2))
_GUESSES = 4  # sizes that are tried around clicks without a mask or a box


@dataclass(frozen=True)
class Volume:
    """What `Scout.embed` returns: the image as it is; views of it are cut when prompts come."""

    channels: Tensor
    """(C, I, J, K) float32."""
    spacing_mm: NDArray[np.float64]
    """(3,)"""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(I, J, K)."""
        i, j, k = self.channels.shape[1:]
        return i, j, k


@dataclass(frozen=True)
class Heard:
    """A prompt in voxel coordinates, and the box that it takes up."""

    mask: Tensor | None
    """(I, J, K) in 0-1."""
    box: tuple[Coordinates, Coordinates] | None
    inside: Coordinates
    outside: Coordinates
    extent: tuple[Coordinates, Coordinates] | None
    """None when it says nothing of where the object is, or only clicks on it."""


class Scout:
    """Ask a small 3D network about the box around an object, brought to a grid of a fixed size.

    Each prompt is answered in views mirrored along some axes; the answer is their mean probability,
    and the predicted IoU is how well they agree: the mean of their pairwise soft overlaps. With
    `num_passes` above 1 an answer is asked again as the mask. Clicks alone do not say how large
    the object is: views of several sizes are tried, the smallest that holds its answer is taken.

    Source: ours. Prompts as channels: Sofiiuk et al., arXiv:2102.06583; training on procedural
    scenes: Billot et al., SynthSeg, Medical Image Analysis 2023.
    """

    needs_checkpoint: ClassVar[bool] = False
    learns_from: ClassVar[Literal["views", "volumes"]] = "views"
    keeps_base: ClassVar[bool] = False

    class Options(Section):
        """Options of `scout`."""

        channel: Count | None = Field(
            None, description="of the image; left out: each is asked, and the answers averaged"
        )
        num_flips: Literal[1, 2, 4, 8] = Field(4, description="mirrored views of each prompt")
        num_passes: PositiveCount = Field(
            1, description="from the second on, the answer before is the mask that is asked about"
        )
        margin: NonNegative = Field(0.2, description="around the prompt, relative to its sides")
        budget: PositiveCount = Field(
            125_000, description="voxels of a view; it was trained with about this many"
        )

    def __init__(self, network: ScoutNetwork, options: Options) -> None:
        """Take a loaded network; `build` loads one."""
        self.options = options
        self._network = network
        self._device = next(network.parameters()).device
        self._folded: nn.Module | None = None

    @classmethod
    def build(cls, options: Mapping[str, Any], *, checkpoint: Path | None, device: str) -> "Scout":
        """Load the weights in the package, or those of a checkpoint.

        Raises:
            RecipeError: when an option is unknown or out of range.
            WeightsError: when the checkpoint cannot be used.
        """
        chosen = validate(cls.Options, options, where="sam_label.options.scout")
        return cls(load_scout(checkpoint or SHIPPED_WEIGHTS, device=device), chosen)

    @classmethod
    def unfilled(cls, options: Mapping[str, Any], *, device: str) -> "Scout":
        """One with random weights, for `take_weights`.

        Raises:
            RecipeError: as `build` does.
        """
        chosen = validate(cls.Options, options, where="sam_label.options.scout")
        return cls(unfilled_scout(device=device), chosen)

    @staticmethod
    def identify(path: Path) -> WeightsFacts:
        """Load a weights file, and tell which model it is.

        Raises:
            WeightsError: when it cannot be used here.
        """
        return identify_scout(path)

    def take_weights(self, tensors: Mapping[str, NDArray[Any]], *, path: Path) -> None:
        """Put other weights in place of all of its own.

        Raises:
            WeightsError: when they are not finite, or of another model.
        """
        weights = {
            name: torch.from_numpy(np.array(array, np.float32)) for name, array in tensors.items()
        }
        put_weights(self._network, weights, path)
        self._folded = None

    def training_parts(self, *, lora_rank: int) -> ScoutNetwork:
        """All of the network: it is small enough; there is no use for `lora_rank`."""
        self._folded = None
        return self._network.requires_grad_(True)

    def answer(self, lessons: Sequence[Views]) -> list[Taught]:
        """Answer views, each group of one shape in one pass."""
        return [
            Taught(self._network(views.inputs), views.target, views.weight) for views in lessons
        ]

    def embed(self, image: NDArray[np.float32], spacing_mm: Spacing) -> Volume:
        """Keep the image (C, I, J, K), or the channel of it that the options name.

        Raises:
            UsageError: when the image does not have that channel.
        """
        return Volume(
            torch.from_numpy(np.ascontiguousarray(_chosen(image, self.options.channel))),
            np.asarray(spacing_mm, np.float64),
        )

    def segment(self, embedding: Volume, prompts: Sequence[Prompt]) -> Proposal:
        """Answer S prompts about one object; one that says nothing gets `OUTSIDE_LOGIT`."""
        logits = np.full((len(prompts), *embedding.shape), OUTSIDE_LOGIT, np.float32)
        agreement = np.full(len(prompts), np.nan, np.float32)
        for member, prompt in enumerate(prompts):
            heard = hear(prompt)
            if heard.extent is not None:
                logits[member], agreement[member] = self._answer(embedding, heard, heard.extent)
            elif len(heard.inside):
                logits[member], agreement[member] = self._answer_clicks(embedding, heard)
        return Proposal(logits, agreement)

    def _answer(
        self, volume: Volume, heard: Heard, extent: tuple[Coordinates, Coordinates]
    ) -> tuple[NDArray[np.float32], float]:
        """The logits (I, J, K) of one prompt, and how well its views agree."""
        for _ in range(self.options.num_passes):
            view = self._view(volume, extent)
            probability, agreement = self._look(volume, view, heard)
            whole = view.paste(_logit(probability)[None], volume.shape, OUTSIDE_LOGIT)[0]
            found = _extent(whole > 0)
            if found is None:
                break
            extent, heard = found, Heard(whole.sigmoid(), *_clicked(heard), found)
        return whole.numpy(), agreement

    def _answer_clicks(self, volume: Volume, heard: Heard) -> tuple[NDArray[np.float32], float]:
        """Try views of growing size around the clicks until one holds its answer; look again."""
        low, high = heard.inside.min(axis=0), heard.inside.max(axis=0) + 1
        reach_mm = (np.array(volume.shape) * volume.spacing_mm).max()
        for halving in range(_GUESSES, 0, -1):
            reach = reach_mm / 2**halving / volume.spacing_mm
            around = (
                np.minimum(low, (low + high) / 2 - reach / 2),
                np.maximum(high, (low + high) / 2 + reach / 2),
            )
            view = self._view(volume, around)
            answer, _ = self._look(volume, view, heard)
            if _is_held(answer > 0.5):
                break
        whole = view.paste(_logit(answer)[None], volume.shape, OUTSIDE_LOGIT)[0]
        found = _extent(whole > 0)
        if found is None:
            return whole.numpy(), float("nan")
        return self._answer(volume, Heard(whole.sigmoid(), *_clicked(heard), found), found)

    def _view(self, volume: Volume, extent: tuple[Coordinates, Coordinates]) -> View:
        view = fit_view(
            *extent, volume.spacing_mm, margin=self.options.margin, budget=self.options.budget
        )
        return view.moved_into(volume.shape)

    @torch.inference_mode()
    def _look(self, volume: Volume, view: View, heard: Heard) -> tuple[Tensor, float]:
        """The probability (*view.shape) and the agreement, over channels and mirrored views."""
        mask = None if heard.mask is None else view.sample(heard.mask[None])[0]
        answers = []
        for channel in volume.channels:
            inputs = encode(
                view,
                view.sample(channel[None], padding="border")[0],
                mask=mask,
                box=heard.box,
                inside=heard.inside,
                outside=heard.outside,
            )
            answers += self._ask(inputs, _FLIPS[: self.options.num_flips])
        return torch.stack(answers).mean(dim=0), _agreement(answers)

    def _ask(self, inputs: Tensor, flips: Sequence[tuple[int, ...]]) -> list[Tensor]:
        """Mirrored views, in one pass: (6, I, J, K) to the probability (I, J, K) of each."""
        mirrored = torch.stack([inputs.flip([axis + 1 for axis in axes]) for axes in flips])
        mirrored = mirrored.to(self._device, memory_format=torch.channels_last_3d)
        answers = self._predictor()(mirrored)[:, 0].float().sigmoid().cpu()
        return [answer.flip(axes) for answer, axes in zip(answers, flips, strict=True)]

    def _predictor(self) -> nn.Module:
        """The network in the form in which it answers soonest; as it is while it is trained."""
        if self._device.type != "cpu" or next(self._network.parameters()).requires_grad:
            return self._network
        if self._folded is None:
            self._folded = copy.deepcopy(self._network)
            fold_for_inference(self._folded)
        return self._folded


def hear(prompt: Prompt) -> Heard:
    """Bring a prompt into the form that is encoded."""
    at, inside = prompt.points.coordinates.astype(np.float64), prompt.points.is_positive
    has_mask = prompt.mask is not None and bool(prompt.mask.any())
    mask = (
        torch.from_numpy(prompt.mask.astype(np.float32))
        if has_mask and prompt.mask is not None
        else None
    )
    box = None
    if prompt.box is not None:
        box = np.array(prompt.box.low, np.float64), np.array(prompt.box.high, np.float64)
    extent = box if mask is None else _extent(mask > 0.5)
    return Heard(mask, box, at[inside], at[~inside], extent)


def _clicked(
    heard: Heard,
) -> tuple[tuple[Coordinates, Coordinates] | None, Coordinates, Coordinates]:
    return heard.box, heard.inside, heard.outside


def _chosen(image: NDArray[np.float32], channel: int | None) -> NDArray[np.float32]:
    if channel is None:
        return image
    if channel >= len(image):
        raise UsageError(
            f"sam_label.options.scout.channel is {channel}, but the image has {len(image)} "
            "channels, counted from 0"
        )
    return image[channel : channel + 1]


def _extent(mask: Tensor) -> tuple[Coordinates, Coordinates] | None:
    """The bounding box of a mask (I, J, K): first voxel and one past the last; None when empty."""
    found = ndimage.find_objects(mask.numpy().astype(np.int8))
    if not found:
        return None
    low, high = np.array([[s.start, s.stop] for s in found[0]], np.float64).T
    return low, high


def _is_held(mask: Tensor) -> bool:
    """Whether a grid holds a mask: there is one, and it reaches one face of the grid at most."""
    faces = [mask.select(axis, end) for axis in range(3) for end in (0, -1)]
    return bool(mask.any()) and sum(bool(face.any()) for face in faces) < 2


def _logit(probability: Tensor) -> Tensor:
    return torch.logit(probability, eps=1e-4).clamp(OUTSIDE_LOGIT, -OUTSIDE_LOGIT)


def _agreement(answers: Sequence[Tensor]) -> float:
    """The mean soft IoU of all pairs of answers, 0-1; NaN for a single one."""
    pairs = [
        float(torch.minimum(a, b).sum() / torch.maximum(a, b).sum().clamp_min(1e-6))
        for a, b in combinations(answers, 2)
    ]
    return float(np.mean(pairs)) if pairs else float("nan")
