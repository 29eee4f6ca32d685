"""Segment Anything as a generalist: a volume is shown to it slice by slice."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import nn

from samssl_cli.errors import UsageError
from samssl_cli.generalists.checkpoint_file import PUBLISHED, WeightsFacts
from samssl_cli.generalists.embedding_cache import EmbeddingCache
from samssl_cli.generalists.lesson import Taught, VolumeLesson
from samssl_cli.generalists.lora_parts import take_parts, training_parts
from samssl_cli.generalists.sam_embedding import Memory, SlicedImage
from samssl_cli.generalists.sam_framing import Framing, MedSamFraming, SamFraming
from samssl_cli.generalists.sam_predictor import SlicePredictor
from samssl_cli.generalists.sam_prompts import SlicePrompt, slice_prompts
from samssl_cli.generalists.sam_slices import AxisName, Slicing, slicing, windowed
from samssl_cli.generalists.sam_weights import ArchitectureName, identify_sam, load_sam
from samssl_cli.generalists.types import Proposal
from samssl_cli.prompts.types import Prompt
from samssl_cli.recipe import Count, Positive, PositiveCount, Section, validate
from samssl_cli.volumes.grid import Spacing

OUTSIDE_LOGIT = -20.0
"""The answer on slices that no prompt speaks of: probability 2e-9."""


class SegmentAnything:
    """Ask SAM about each slice that a prompt speaks of, and stack its logits.

    Source: Kirillov et al., ICCV 2023, arXiv:2304.02643; facebookresearch/segment-anything
    (`SamPredictor`, matched to rounding).
    """

    needs_checkpoint: ClassVar[bool] = True
    learns_from: ClassVar[Literal["views", "volumes"]] = "volumes"
    keeps_base: ClassVar[bool] = True

    class Options(Section):
        """Options of `sam`."""

        architecture: ArchitectureName = Field(
            "auto", description="vit_b, vit_l or vit_h; auto reads it from the weights"
        )
        preprocessing: Literal["sam", "medsam"] = Field(
            "sam", description="medsam for the weights of MedSAM, which saw other pictures"
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
        box_margin: Count = Field(
            2, description="pixels around the mask's own box on a slice, kept inside the 3D box"
        )
        use_mask_prompt: bool = Field(
            True, description="pass the mask on as logits, besides the box that it gives"
        )
        mask_logit: Positive = Field(8.0, description="logit of a mask prompt, inside")
        multimask: bool = Field(
            False, description="of three masks, keep the one that SAM rates best"
        )
        encode_batch: PositiveCount = Field(
            1, description="neighbouring slices per encoder pass; all of them, asked for or not"
        )
        decode_batch: PositiveCount = Field(32, description="prompts per decoder pass")

        @model_validator(mode="after")
        def _percentiles_rise(self) -> "SegmentAnything.Options":
            low, high = self.window_percentiles
            if not 0 <= low < high <= 100:
                raise ValueError("window_percentiles are two rising numbers from 0 to 100")
            return self

    def __init__(self, sam: Any, options: Options) -> None:
        """Take a loaded `segment_anything.modeling.Sam`; `build` loads one."""
        framing: Framing = SamFraming(sam) if options.preprocessing == "sam" else MedSamFraming(sam)
        self.options = options
        self._sam = sam
        self._memory: Memory | None = None
        self._predictor = SlicePredictor(
            sam,
            framing,
            encode_batch=options.encode_batch,
            decode_batch=options.decode_batch,
            multimask=options.multimask,
            mask_logit=options.mask_logit,
        )

    @classmethod
    def build(
        cls, options: Mapping[str, Any], *, checkpoint: Path | None, device: str
    ) -> "SegmentAnything":
        """Load the weights and make a generalist of them.

        Raises:
            RecipeError: when an option is unknown or out of range.
            UsageError: when no checkpoint is given.
            WeightsError: when the checkpoint cannot be used.
        """
        chosen = validate(cls.Options, options, where="sam_label.options.sam")
        if checkpoint is None:
            raise UsageError(f"generalist 'sam' needs --checkpoint: {PUBLISHED}")
        sam = load_sam(checkpoint, device=device, architecture=chosen.architecture)
        return cls(sam, chosen)

    @staticmethod
    def identify(path: Path) -> WeightsFacts:
        """Load a weights file, and tell which model it is.

        Raises:
            WeightsError: when it cannot be used here.
        """
        return identify_sam(path)

    def remember_in(self, cache: EmbeddingCache, *, weights_sha256: str, device: str) -> None:
        """Look features up in a cache from now on, and keep there what has to be encoded.

        Args:
            cache: of any generalist and any weights.
            weights_sha256: of the weights that were loaded.
            device: kind and name of what they run on.
        """
        self._memory = Memory(cache, weights_sha256, self.options.preprocessing, device)

    def take_weights(self, tensors: Mapping[str, NDArray[Any]], *, path: Path) -> None:
        """Merge low-rank updates into the encoder, and put another mask decoder in its place.

        Raises:
            WeightsError: when they are not finite, or those of another model.
        """
        take_parts(self._sam, tensors, path=path, name="Segment Anything")

    def training_parts(self, *, lora_rank: int) -> nn.ModuleDict:
        """Low-rank updates of all queries and values of the encoder, and the mask decoder."""
        return training_parts(self._sam, lora_rank=lora_rank)

    def answer(self, lessons: Sequence[VolumeLesson]) -> list[Taught]:
        """Answer each lesson on one of the slices that its prompt speaks of, as `segment` does."""
        answers = (self._answer(lesson) for lesson in lessons)
        return [answer for answer in answers if answer is not None]

    def _answer(self, lesson: VolumeLesson) -> Taught | None:
        """None when no slice that is spoken of counts."""
        cut, pictures = self._pictures(lesson.image)
        counted = None if lesson.counted is None else cut.pictures(lesson.counted)
        spoken_of = [
            said
            for said in self._slice_prompts(lesson.prompt, cut)
            if counted is None or counted[said.index].any()
        ]
        if not spoken_of:
            return None
        said = spoken_of[int(np.random.default_rng(lesson.seed).integers(len(spoken_of)))]
        picture = np.repeat(pictures[said.index], 3 // pictures.shape[-1], axis=-1)

        def plane(mask: NDArray[np.bool_]) -> torch.Tensor:
            drawn = np.ascontiguousarray(mask[said.index], np.float32)
            return torch.from_numpy(drawn)[None].to(self._predictor.device)

        return Taught(
            logits=self._predictor.learn(picture, said),
            target=plane(cut.pictures(lesson.truth)),
            weight=None if counted is None else plane(counted),
        )

    def embed(self, image: NDArray[np.float32], spacing_mm: Spacing) -> SlicedImage:
        """Prepare the slices of an image (C, I, J, K); they are encoded when a prompt needs them.

        Voxel sizes are not used: pixels that are not square are shown as squares.

        Raises:
            UsageError: when the image does not have the channel that the options ask for.
        """
        cut, pictures = self._pictures(image)
        return SlicedImage(cut, pictures, self._predictor, self._memory)

    def segment(self, embedding: SlicedImage, prompts: Sequence[Prompt]) -> Proposal:
        """Answer S prompts about one object.

        Slices of which a prompt does not speak are `OUTSIDE_LOGIT`. The predicted IoU of a prompt
        is the mean over its slices, weighted by the area of the answer there; it is NaN when no
        slice was visited.
        """
        cut = embedding.cut
        answers = np.full((len(prompts), *cut.shape), OUTSIDE_LOGIT, np.float32)
        pictures = [cut.pictures(answer) for answer in answers]  # views
        ratings: list[list[tuple[float, float]]] = [[] for _ in prompts]
        by_slice = self._by_slice(prompts, cut)
        features = embedding.features(list(by_slice))
        for (index, asked), feature in zip(by_slice.items(), features, strict=True):
            said = [prompt for _, prompt in asked]
            logits, quality = self._predictor.decode(feature, said, cut.size)
            for (member, _), picture, rating in zip(asked, logits, quality, strict=True):
                pictures[member][index] = picture
                ratings[member].append((float(rating), float((picture > 0).sum())))
        return Proposal(answers, np.array([_mean_rating(r) for r in ratings], np.float32))

    def _by_slice(
        self, prompts: Sequence[Prompt], cut: Slicing
    ) -> dict[int, list[tuple[int, SlicePrompt]]]:
        """For each slice that is spoken of: which prompts do, and what they say."""
        by_slice: dict[int, list[tuple[int, SlicePrompt]]] = defaultdict(list)
        for member, prompt in enumerate(prompts):
            for said in self._slice_prompts(prompt, cut):
                by_slice[said.index].append((member, said))
        return dict(sorted(by_slice.items()))

    def _slice_prompts(self, prompt: Prompt, cut: Slicing) -> list[SlicePrompt]:
        options = self.options
        return slice_prompts(
            prompt, cut, box_margin=options.box_margin, with_mask=options.use_mask_prompt
        )

    def _pictures(self, image: NDArray[np.float32]) -> tuple[Slicing, NDArray[np.uint8]]:
        """How a volume is cut, and its slices (N, H, W, 1 or 3)."""
        cut = slicing(self.options.axis, image.shape[1:])
        channels = [
            cut.pictures(windowed(channel, self.options.window_percentiles))
            for channel in self._shown(image)
        ]
        return cut, np.stack(channels, axis=-1)

    def _shown(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
        """Choose the channels (1 or 3, I, J, K) that make the picture."""
        channel = self.options.channel
        if channel is None:
            return image if len(image) == 3 else image[:1]
        if channel >= len(image):
            raise UsageError(
                f"sam_label.options.sam.channel is {channel}, but the image has {len(image)} "
                "channels, counted from 0"
            )
        return image[channel : channel + 1]


def _mean_rating(ratings: Sequence[tuple[float, float]]) -> float:
    """Average (rating, area) pairs; SAM's ratings are unbounded and are clipped to 0-1."""
    if not ratings:
        return float("nan")
    values, areas = np.array(ratings).T
    return float(np.average(np.clip(values, 0, 1), weights=areas if areas.any() else None))
