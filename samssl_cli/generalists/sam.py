"""Segment Anything as a generalist: a volume is shown to it slice by slice."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from torch import nn

from samssl_cli.errors import UsageError
from samssl_cli.generalists.checkpoint_file import PUBLISHED, WeightsFacts
from samssl_cli.generalists.embedding_cache import EmbeddingCache
from samssl_cli.generalists.lesson import Taught, VolumeLesson
from samssl_cli.generalists.lora_parts import take_parts, training_parts
from samssl_cli.generalists.sam_axes import mean_answer
from samssl_cli.generalists.sam_embedding import Memory
from samssl_cli.generalists.sam_framing import Framing, MedSamFraming, SamFraming
from samssl_cli.generalists.sam_options import SamOptions
from samssl_cli.generalists.sam_predictor import SlicePredictor
from samssl_cli.generalists.sam_prompts import SlicePrompt, slice_prompts
from samssl_cli.generalists.sam_seen import SeenImage
from samssl_cli.generalists.sam_slices import Slicing
from samssl_cli.generalists.sam_view import mean_rating
from samssl_cli.generalists.sam_weights import identify_sam, load_sam
from samssl_cli.generalists.types import Proposal
from samssl_cli.prompts.types import Prompt
from samssl_cli.recipe import validate
from samssl_cli.volumes.grid import Spacing


class SegmentAnything:
    """Ask SAM about each slice that a prompt speaks of, and stack its logits.

    Source: Kirillov et al., ICCV 2023, arXiv:2304.02643; facebookresearch/segment-anything
    (`SamPredictor`, matched to rounding).
    """

    needs_checkpoint: ClassVar[bool] = True
    learns_from: ClassVar[Literal["views", "volumes"]] = "volumes"
    keeps_base: ClassVar[bool] = True
    Options = SamOptions

    def __init__(self, sam: Any, options: SamOptions) -> None:
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
            clicks=options.clicks,
            precision=options.precision,
            image_size=options.image_size,
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
        sam = load_sam(
            checkpoint,
            device=device,
            architecture=chosen.architecture,
            image_size=chosen.image_size,
        )
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
        self._memory = Memory(cache, weights_sha256, device)

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
        views = self.embed(lesson.image, lesson.spacing_mm).views([lesson.prompt])
        spoken_of = [
            (view, said)
            for view in views
            for said in self._slice_prompts(lesson.prompt, view.cut)
            if view.counts(lesson, said.index)
        ]
        if not spoken_of:
            return None
        view, said = spoken_of[int(np.random.default_rng(lesson.seed).integers(len(spoken_of)))]
        return view.learn(lesson, said)

    def embed(self, image: NDArray[np.float32], spacing_mm: Spacing) -> SeenImage:
        """Prepare the pictures of an image (C, I, J, K); they are encoded when a prompt needs them.

        Voxel sizes say which axes take part, and how high a pixel is shown.

        Raises:
            UsageError: when the image does not have the channel that the options ask for.
        """
        channels = self._shown(image)
        return SeenImage(channels, spacing_mm, self.options, self._predictor, self._memory)

    def segment(self, embedding: SeenImage, prompts: Sequence[Prompt]) -> Proposal:
        """Answer S prompts about one object.

        Voxels on no slice of which a prompt speaks are `OUTSIDE_LOGIT`. The predicted IoU of a
        prompt is the mean over its slices, weighted by the area of the answer there; it is NaN when
        no slice was visited.
        """
        answered = [
            view.answer([self._slice_prompts(prompt, view.cut) for prompt in prompts])
            for view in embedding.views(prompts)
        ]
        logits = [one.logits for one in answered]
        by_prompt = zip(*(one.ratings for one in answered), strict=True)
        return Proposal(
            logits=logits[0]
            if len(logits) == 1
            else mean_answer(logits, [one.looked for one in answered]),
            predicted_iou=np.array(
                [mean_rating([*chain(*ratings)]) for ratings in by_prompt], np.float32
            ),
        )

    def _slice_prompts(self, prompt: Prompt, cut: Slicing) -> list[SlicePrompt]:
        options = self.options
        return slice_prompts(
            prompt, cut, box_margin=options.box_margin, with_mask=options.use_mask_prompt
        )

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
