"""SAM-Med3D as a generalist: it sees cubes of 192 mm, whole, and takes one click at a time."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from samssl_cli.errors import UsageError
from samssl_cli.generalists.checkpoint_file import PUBLISHED_MED3D, WeightsFacts
from samssl_cli.generalists.dense_features import dense_features, on_image
from samssl_cli.generalists.lesson import Taught, VolumeLesson
from samssl_cli.generalists.lora_parts import take_parts, training_parts
from samssl_cli.generalists.med3d_architecture import Med3d
from samssl_cli.generalists.med3d_said import Clicks, Faces, Said, hear
from samssl_cli.generalists.med3d_weights import identify_med3d, load_med3d
from samssl_cli.generalists.med3d_windows import (
    OUTSIDE_LOGIT,
    Mosaic,
    Volume,
    cut,
    place_windows,
    standardised,
)
from samssl_cli.generalists.types import Proposal
from samssl_cli.prompts.types import Prompt
from samssl_cli.recipe import Count, Positive, PositiveCount, Section, validate
from samssl_cli.volumes.coarse import CoarseGrid
from samssl_cli.volumes.grid import Index, Spacing
from samssl_cli.volumes.resample import resample_image, target_shape

SPACING_MM = (1.5, 1.5, 1.5)
"""The grid that the model was trained on."""


class WindowedImage:
    """A volume at 1.5 mm, and the features of the windows that were needed so far."""

    def __init__(self, volume: Volume, shape: Index, model: Med3d, device: torch.device) -> None:
        """Keep the volume; nothing is encoded yet.

        Args:
            volume: (I', J', K') at 1.5 mm.
            shape: (I, J, K) of the image that it was made from.
            model: encodes.
            device: of the model.
        """
        self.shape = shape
        self.num_encoded = 0
        self._volume = volume
        self._air = float(volume.min())
        self._range = float(volume.max()) - self._air
        self._model = model
        self._device = device
        self._features: dict[Index, Tensor] = {}

    @property
    def grid_shape(self) -> Index:
        """(I', J', K') at 1.5 mm."""
        i, j, k = self._volume.shape
        return i, j, k

    @torch.inference_mode()
    def features(self, start: Index) -> Tensor:
        """The features (1, C, g, g, g) of the window that begins at `start`, encoded once.

        A window costs 0.75 MiB on the device, until this object goes.
        """
        if start not in self._features:
            window = torch.from_numpy(self.window(start)).to(self._device)
            self._features[start] = self._model.encode(window[None, None])
            self.num_encoded += 1
        return self._features[start]

    def window(self, start: Index) -> Volume:
        """What the model sees of the window that begins at `start`; beyond the volume it is air."""
        cube = cut(self._volume, start, self._model.shape.window, fill=self._air)
        return standardised(cube, air=self._air, intensity_range=self._range)


class SamMed3d:
    """Ask SAM-Med3D about the windows around an object, and stitch its logits.

    A box is not shown to the model, which has no embedding for its corners: it says where windows
    are placed and, when there is neither a mask nor a positive click, its middle is clicked.

    Source: Wang et al., SAM-Med3D, arXiv:2310.15161; uni-medical/SAM-Med3D (features, logits and
    ratings matched to rounding, with its slips, which the published weights were trained with).
    """

    needs_checkpoint: ClassVar[bool] = True
    learns_from: ClassVar[Literal["views", "volumes"]] = "volumes"
    keeps_base: ClassVar[bool] = True

    class Options(Section):
        """Options of `sam-med3d`."""

        variant: Literal["turbo", "original"] = Field(
            "turbo",
            description="which weights these are: it decides what they are known to have seen",
        )
        channel: Count = Field(0, description="of the image; the model sees one")
        overlap: float = Field(
            0.5, ge=0, lt=1, description="of adjoining windows, around objects larger than one"
        )
        max_clicks: PositiveCount = Field(
            10, description="further clicks are left out; it was trained with 11 answers in a row"
        )
        use_mask_prompt: bool = Field(
            True, description="start from the mask's logits, and not from clicks alone"
        )
        mask_logit: Positive = Field(8.0, description="logit of a mask prompt, inside")
        predicted_iou: Literal["none", "head"] = Field(
            "none", description="head: what its IoU head says, which its training never taught"
        )

    def __init__(self, model: Med3d, options: Options) -> None:
        """Take a loaded model; `build` loads one."""
        self.options = options
        self._model = model
        self._device = next(model.parameters()).device

    @classmethod
    def build(
        cls, options: Mapping[str, Any], *, checkpoint: Path | None, device: str
    ) -> "SamMed3d":
        """Load the weights and make a generalist of them.

        Raises:
            RecipeError: when an option is unknown or out of range.
            UsageError: when no checkpoint is given.
            WeightsError: when the checkpoint cannot be used.
        """
        chosen = validate(cls.Options, options, where="sam_label.options.sam-med3d")
        if checkpoint is None:
            raise UsageError(f"generalist 'sam-med3d' needs --checkpoint: {PUBLISHED_MED3D}")
        return cls(load_med3d(checkpoint, device=device), chosen)

    @staticmethod
    def identify(path: Path) -> WeightsFacts:
        """Load a weights file, and tell which model it is.

        Raises:
            WeightsError: when it cannot be used here.
        """
        return identify_med3d(path)

    def take_weights(self, tensors: Mapping[str, NDArray[Any]], *, path: Path) -> None:
        """Merge low-rank updates into the encoder, and put another mask decoder in its place.

        Raises:
            WeightsError: when they are not finite, or those of another model.
        """
        take_parts(self._model, tensors, path=path, name="SAM-Med3D")

    def training_parts(self, *, lora_rank: int) -> nn.ModuleDict:
        """Low-rank updates of all queries and values of the encoder, and the mask decoder."""
        return training_parts(self._model, lora_rank=lora_rank)

    def answer(self, lessons: Sequence[VolumeLesson]) -> list[Taught]:
        """Answer each lesson in one of the windows that its prompt speaks of, as `segment` does."""
        answers = (self._learn(lesson) for lesson in lessons)
        return [answer for answer in answers if answer is not None]

    def _learn(self, lesson: VolumeLesson) -> Taught | None:
        """None when no window that is spoken of counts."""
        image = self.embed(lesson.image, lesson.spacing_mm)
        size, grid = self._model.shape.window, image.grid_shape

        def part(mask: NDArray[np.bool_], start: Index) -> Volume:
            whole = resample_image(mask[None].astype(np.float32), grid, order=1)[0]
            return cut(whole, start, size, fill=0.0)

        counted = np.ones_like(lesson.truth) if lesson.counted is None else lesson.counted
        said = self._hear(lesson.prompt, image)
        spoken_of = [] if said is None else list(self._spoken_of(said, self._place([said.faces])))
        windows = [one for one in spoken_of if part(counted, one[0]).any()]
        if not windows:
            return None
        chosen = windows[int(np.random.default_rng(lesson.seed).integers(len(windows)))]
        start, clicks, mask = chosen
        features = self._model.encode(self._tensor(image.window(start)))
        low_res, _ = self._say_in_turn(features, clicks, mask)
        return Taught(
            logits=self._enlarged(low_res),
            target=self._tensor(part(lesson.truth, start)),
            weight=self._tensor(part(counted, start)),
        )

    def _tensor(self, window: Volume) -> Tensor:
        """(1, 1, size, size, size) on the device."""
        return torch.from_numpy(window).to(self._device)[None, None]

    def embed(self, image: Volume, spacing_mm: Spacing) -> WindowedImage:
        """Resample a channel of an image (C, I, J, K) to 1.5 mm; windows are encoded when needed.

        Raises:
            UsageError: when the image does not have the channel that the options ask for.
        """
        channel = self.options.channel
        if channel >= len(image):
            raise UsageError(
                f"sam_label.options.sam-med3d.channel is {channel}, but the image has {len(image)} "
                "channels, counted from 0"
            )
        i, j, k = image.shape[1:]
        shape = target_shape((i, j, k), spacing_mm, SPACING_MM)
        volume = resample_image(image[channel : channel + 1], shape, order=1)[0]
        return WindowedImage(volume, (i, j, k), self._model, self._device)

    def dense_features(self, image: Volume, spacing_mm: Spacing, *, num_shifts: int) -> CoarseGrid:
        """Features of a channel of an image (C, I, J, K), on cells of 24 mm / num_shifts.

        Each describes a cube of 24 mm around the middle of its cell.

        Raises:
            UsageError: when the image does not have the channel that the options ask for.
        """
        embedding, shape = self.embed(image, spacing_mm), self._model.shape

        def encode(start: Index) -> Volume:
            features: Volume = embedding.features(start)[0].float().cpu().numpy()
            return features

        grid = dense_features(
            encode,
            embedding.grid_shape,
            window=shape.window,
            patch=shape.patch,
            num_shifts=num_shifts,
            overlap=self.options.overlap,
        )
        return on_image(grid, embedding.grid_shape, embedding.shape)

    def segment(self, embedding: WindowedImage, prompts: Sequence[Prompt]) -> Proposal:
        """Answer S prompts about one object.

        The windows are placed around what all prompts say together, so that they share features.
        A prompt that says nowhere where the object is gets `OUTSIDE_LOGIT` and no rating.
        """
        logits = np.full((len(prompts), *embedding.shape), OUTSIDE_LOGIT, np.float32)
        ratings = np.full(len(prompts), np.nan, np.float32)
        heard = [self._hear(prompt, embedding) for prompt in prompts]
        starts = self._place([said.faces for said in heard if said is not None])
        for member, said in enumerate(heard):
            if said is not None:
                answer, ratings[member] = self._answer(embedding, said, starts)
                logits[member] = resample_image(answer[None], embedding.shape, order=1)[0]
        return Proposal(logits, ratings)

    def _hear(self, prompt: Prompt, embedding: WindowedImage) -> Said | None:
        options = self.options
        return hear(
            prompt,
            embedding.shape,
            embedding.grid_shape,
            mask_logit=options.mask_logit if options.use_mask_prompt else None,
            max_clicks=options.max_clicks,
        )

    def _place(self, boxes: Sequence[Faces]) -> list[Index]:
        """The windows around several boxes together; none when there is no box."""
        if not boxes:
            return []
        lows, highs = zip(*boxes, strict=True)
        size, overlap = self._model.shape.window, self.options.overlap
        return place_windows(np.min(lows, axis=0), np.max(highs, axis=0), size, overlap=overlap)

    def _answer(
        self, embedding: WindowedImage, said: Said, starts: Sequence[Index]
    ) -> tuple[Volume, float]:
        """The logits (I', J', K') of one prompt, and its rating."""
        mosaic = Mosaic(embedding.grid_shape, self._model.shape.window)
        ratings: list[tuple[float, float]] = []
        for start, clicks, mask in self._spoken_of(said, starts):
            logits, rating = self._ask(embedding.features(start), clicks, mask)
            mosaic.add(logits, start)
            ratings.append((rating, float((logits > 0).sum())))
        return mosaic.logits(), self._rating(ratings)

    def _spoken_of(
        self, said: Said, starts: Sequence[Index]
    ) -> Iterator[tuple[Index, Clicks, Volume | None]]:
        """Of the windows, those with a positive click or some of the mask."""
        size = self._model.shape.window
        for start in starts:
            clicks = said.clicks.within(start, size)
            mask = None
            if said.mask_logits is not None:
                mask = cut(said.mask_logits, start, size, fill=-self.options.mask_logit)
            if clicks.is_positive.any() or (mask is not None and (mask > 0).any()):
                yield start, clicks, mask

    @torch.inference_mode()
    def _ask(self, features: Tensor, clicks: Clicks, mask: Volume | None) -> tuple[Volume, float]:
        """The logits (size, size, size), cut at 0, and the rating of the last answer."""
        low_res, rating = self._say_in_turn(features, clicks, mask)
        return self._enlarged(low_res)[0, 0].cpu().numpy(), float(rating[0])

    def _say_in_turn(
        self, features: Tensor, clicks: Clicks, mask: Volume | None
    ) -> tuple[Tensor, Tensor]:
        """Give clicks one at a time, each with the answer to those before, as it was trained.

        With a mask the first answer starts from it, without one from zeros; without clicks there is
        one answer, to the mask alone, which training has seen too. Gradients reach the last answer
        alone.

        Returns:
            The last answer's logits (1, 1, 4g, 4g, 4g), and its rating (1,).
        """
        shape = self._model.shape
        previous = torch.zeros(1, 1, *3 * (shape.low_res,), device=self._device)
        if mask is not None:
            previous = functional.adaptive_avg_pool3d(self._tensor(mask), shape.low_res)
        coordinates = torch.tensor(clicks.coordinates, dtype=torch.float32, device=self._device)
        signs = torch.tensor(clicks.is_positive, device=self._device)
        turns = [slice(n, n + 1) for n in range(len(signs))] or [slice(0, 0)]
        for turn in turns:
            previous, rating = self._model.answer(
                features, coordinates[None, turn], signs[None, turn], previous.detach()
            )
        return previous, rating

    def _enlarged(self, low_res: Tensor) -> Tensor:
        """(1, 1, 4g, 4g, 4g) to (1, 1, size, size, size)."""
        return functional.interpolate(low_res, (self._model.shape.window,) * 3, mode="trilinear")

    def _rating(self, ratings: Sequence[tuple[float, float]]) -> float:
        """The mean over windows, weighted by what was drawn there, clipped to 0-1."""
        if self.options.predicted_iou == "none" or not ratings:
            return float("nan")
        values, areas = np.array(ratings).T
        return float(np.average(np.clip(values, 0, 1), weights=areas if areas.any() else None))
