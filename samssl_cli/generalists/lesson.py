"""What a generalist is trained with when it is adapted, and what it makes of that."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from samssl_cli.prompts.types import Prompt
from samssl_cli.volumes.grid import Spacing

Lessons = TypeVar("Lessons", contravariant=True)


@dataclass(frozen=True)
class Views:
    """Prompts about objects that were brought to one small grid each, for `scout`."""

    inputs: Tensor
    """(B, 5, I, J, K) float32, as `scout_prompts.encode` lays them out."""
    target: Tensor
    """(B, 1, I, J, K) float32 in 0-1: the masks that were meant."""
    weight: Tensor | None
    """(B, 1, I, J, K) how much each voxel counts, 0-1; None: all the same."""


@dataclass(frozen=True)
class VolumeLesson:
    """A prompt about one object of a whole volume, for a model with its own way of looking."""

    image: NDArray[np.float32]
    """(C, I, J, K), as `Generalist.embed` takes it."""
    spacing_mm: Spacing
    prompt: Prompt
    truth: NDArray[np.bool_]
    """(I, J, K) the mask that was meant."""
    counted: NDArray[np.bool_] | None
    """(I, J, K) where an answer is held to the truth; None: everywhere."""
    seed: int
    """Of what the model chooses at random: a slice, a window."""


@dataclass(frozen=True)
class Taught:
    """A model's answer on its own grid, and what it should have been."""

    logits: Tensor
    """Any shape (B, ...), with a gradient."""
    target: Tensor
    """The same shape, 0-1."""
    weight: Tensor | None
    """The same shape, 0-1; None: every element counts alike."""


@runtime_checkable
class Trainable(Protocol[Lessons]):
    """A generalist that `samssl adapt` can train; it is `Adaptable` as well."""

    learns_from: ClassVar[Literal["views", "volumes"]]
    """Whether its lessons are `Views` or `VolumeLesson`s."""
    keeps_base: ClassVar[bool]
    """True when only changes are trained, and the weights it was built with are needed beside."""

    def training_parts(self, *, lora_rank: int) -> nn.Module:
        """Make what is trained ready, in place, and give it: its parameters take gradients.

        Its state dict is what `take_weights` takes. The answers are those of before.
        """

    def answer(self, lessons: Sequence[Lessons]) -> list[Taught]:
        """Answer lessons with gradients; those in which nothing can be learned are left out."""

    def embed(self, image: NDArray[np.float32], spacing_mm: Spacing) -> Any:
        """As in `Generalist`."""

    def segment(self, embedding: Any, prompts: Any) -> Any:
        """As in `Generalist`."""
