"""SAM 2 as a generalist: a volume is a video, and an object is followed through its slices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from samssl_cli.errors import UsageError
from samssl_cli.generalists.checkpoint_file import PUBLISHED_SAM2, WeightsFacts
from samssl_cli.generalists.embedding_cache import EmbeddingCache
from samssl_cli.generalists.sam2_key_slices import key_slices
from samssl_cli.generalists.sam2_video import (
    OUTSIDE_LOGIT,
    Theatre,
    follow,
    joined,
    open_theatre,
)
from samssl_cli.generalists.sam2_weights import VariantName, identify_sam2, load_sam2
from samssl_cli.generalists.sam_embedding import Memory
from samssl_cli.generalists.sam_prompts import SlicePrompt, slice_prompts
from samssl_cli.generalists.sam_slices import AxisName, Slicing, slicing, windowed
from samssl_cli.generalists.types import Proposal
from samssl_cli.prompts.types import Prompt
from samssl_cli.recipe import Count, PositiveCount, Section, validate
from samssl_cli.volumes.grid import Spacing


@dataclass(frozen=True)
class FilmedImage:
    """A volume as a film of its slices."""

    cut: Slicing
    theatre: Theatre


class Sam2:
    """Ask SAM 2 about key slices, let it follow the object both ways, and stack its logits.

    It rates no answer: transformers' video model keeps its predicted IoU to itself.

    Source: Ravi et al., SAM 2, arXiv:2408.00714; Ma et al., MedSAM2, arXiv:2504.03600, which
    follows an object from one slice both ways; the model is transformers' `Sam2VideoModel`.
    """

    needs_checkpoint: ClassVar[bool] = True

    class Options(Section):
        """Options of `sam2`."""

        variant: VariantName = Field(
            "sam2",
            description="which weights these are: it decides what they are known to have seen "
            "and, for a .pt, how large a picture is (1024 or 512 pixels)",
        )
        axis: AxisName = Field(
            "k", description="slices are cut across this axis; auto: the one with fewest slices"
        )
        channel: Count | None = Field(
            None, description="shown in grey; by default channel 0, or three channels as RGB"
        )
        window_percentiles: tuple[float, float] = Field(
            (0.5, 99.5), description="intensities shown as black and as white"
        )
        num_key_slices: PositiveCount = Field(
            1,
            description="prompted slices: where the mask is largest, and evenly spaced ones; "
            "slices with a click come on top",
        )
        key_prompt: Literal["box", "mask"] = Field(
            "box",
            description="on a key slice: box and clicks, which are answered, or the mask, which "
            "is taken as it is",
        )
        box_margin: Count = Field(
            2, description="pixels around the mask's own box on a slice, kept inside the 3D box"
        )
        reach: PositiveCount | None = Field(
            None, description="slices to go on beyond the outer key slices; by default all"
        )
        kept_slices: PositiveCount = Field(
            128, description="slices whose features are kept for a case; 17 MB each at 1024 pixels"
        )

        @model_validator(mode="after")
        def _percentiles_rise(self) -> "Sam2.Options":
            low, high = self.window_percentiles
            if not 0 <= low < high <= 100:
                raise ValueError("window_percentiles are two rising numbers from 0 to 100")
            return self

    def __init__(self, model: Any, options: Options) -> None:
        """Take a loaded `transformers.Sam2VideoModel`; `build` loads one."""
        self.options = options
        self._model = model
        self._memory: Memory | None = None

    @classmethod
    def build(cls, options: Mapping[str, Any], *, checkpoint: Path | None, device: str) -> "Sam2":
        """Load the weights and make a generalist of them.

        Raises:
            RecipeError: when an option is unknown or out of range.
            UsageError: when no checkpoint is given, or transformers is not installed.
            WeightsError: when the checkpoint cannot be used.
        """
        chosen = validate(cls.Options, options, where="sam_label.options.sam2")
        if checkpoint is None:
            raise UsageError(f"generalist 'sam2' needs --checkpoint: {PUBLISHED_SAM2}")
        return cls(load_sam2(checkpoint, device=device, variant=chosen.variant), chosen)

    @staticmethod
    def identify(path: Path) -> WeightsFacts:
        """Load weights, and tell which model they are.

        Raises:
            UsageError: when transformers is not installed.
            WeightsError: when they cannot be used here.
        """
        return identify_sam2(path)

    def remember_in(self, cache: EmbeddingCache, *, weights_sha256: str, device: str) -> None:
        """Look features up in a cache from now on, and keep there what has to be encoded.

        Args:
            cache: of any generalist and any weights.
            weights_sha256: of the weights that were loaded.
            device: kind and name of what they run on.
        """
        self._memory = Memory(cache, weights_sha256, device)

    def embed(self, image: NDArray[np.float32], spacing_mm: Spacing) -> FilmedImage:
        """Prepare the slices of an image (C, I, J, K); they are encoded when they are visited.

        Voxel sizes are not used: pixels that are not square are shown as squares.

        Raises:
            UsageError: when the image does not have the channel that the options ask for.
        """
        cut = slicing(self.options.axis, image.shape[1:])
        channels = [
            cut.pictures(windowed(channel, self.options.window_percentiles))
            for channel in self._shown(image)
        ]
        pictures = np.stack(channels, axis=-1)
        kept = self.options.kept_slices
        theatre = open_theatre(self._model, pictures, kept_slices=kept, memory=self._memory)
        return FilmedImage(cut, theatre)

    def segment(self, embedding: FilmedImage, prompts: Sequence[Prompt]) -> Proposal:
        """Answer S prompts about one object.

        Slices that were not visited are `OUTSIDE_LOGIT`, and so is the answer to a prompt that says
        nowhere where the object is.
        """
        cut = embedding.cut
        answers = np.full((len(prompts), *cut.shape), OUTSIDE_LOGIT, np.float32)
        for answer, prompt in zip(answers, prompts, strict=True):
            pictures = cut.pictures(answer)  # a view
            for index, logits in self._follow(embedding.theatre, self._keys(prompt, cut)).items():
                pictures[index] = logits
        return Proposal(answers, np.full(len(prompts), np.nan, np.float32))

    def _keys(self, prompt: Prompt, cut: Slicing) -> list[SlicePrompt]:
        said = slice_prompts(prompt, cut, box_margin=self.options.box_margin, with_mask=True)
        return key_slices(said, num_key_slices=self.options.num_key_slices)

    def _follow(
        self, theatre: Theatre, keys: Sequence[SlicePrompt]
    ) -> dict[int, NDArray[np.float32]]:
        if not keys:
            return {}
        with_mask, reach = self.options.key_prompt == "mask", self.options.reach
        forward, back = (
            follow(theatre, keys, with_mask=with_mask, reach=reach, reverse=reverse)
            for reverse in (False, True)
        )
        return joined(forward, back, [key.index for key in keys])

    def _shown(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Choose the channels (1 or 3, I, J, K) that make the picture."""
        channel = self.options.channel
        if channel is None:
            return image if len(image) == 3 else image[:1]
        if channel >= len(image):
            raise UsageError(
                f"sam_label.options.sam2.channel is {channel}, but the image has {len(image)} "
                "channels, counted from 0"
            )
        return image[channel : channel + 1]
