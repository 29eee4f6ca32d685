"""Run a SAM over pictures: encode several at once, decode several prompts at once.

The batched counterpart of `segment_anything.SamPredictor`, whose logits it reproduces (tests
compare the two). SAM's masks are logits that are cut at 0.0, not at 0.5; nothing is cut here.
"""

import copy
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from samssl_cli.generalists.sam_candidates import MultimaskName, best_rated, most_alike
from samssl_cli.generalists.sam_framing import Framing, PictureSize
from samssl_cli.generalists.sam_prompts import SlicePrompt

ClicksName = Literal["together", "one-by-one"]
PrecisionName = Literal["float32", "bfloat16"]


class SlicePredictor:
    """A SAM behind arrays: pictures and prompts in, logits and predicted IoU out."""

    def __init__(
        self,
        sam: Any,
        framing: Framing,
        *,
        encode_batch: int,
        decode_batch: int,
        multimask: MultimaskName,
        mask_logit: float,
        clicks: ClicksName,
        precision: PrecisionName = "float32",
        image_size: int | None = None,
    ) -> None:
        """Keep the model and its settings.

        Args:
            sam: a `segment_anything.modeling.Sam`.
            framing: SAM's or MedSAM's.
            encode_batch: pictures per encoder pass.
            decode_batch: prompts per decoder pass.
            multimask: let SAM draw three masks, and which of them is kept.
            mask_logit: the logit that a mask prompt has inside; outside it is the negative.
            clicks: given at once, or each with the answer to those before it.
            precision: of the encoder's matrix products.
            image_size: of the pictures, where the positions were interpolated for it.
        """
        self._sam = sam
        self._framing = framing
        self.encode_batch = encode_batch
        self._decode_batch = decode_batch
        self._multimask = multimask
        self._mask_logit = mask_logit
        self._clicks = clicks
        self._precision = precision
        self._image_size = image_size

    def of_pixels(self, aspect: float) -> "SlicePredictor":
        """The same predictor for pixels that are `aspect` times as high as wide."""
        other = copy.copy(self)
        other._framing = self._framing.of_pixels(aspect)
        return other

    @property
    def framing_name(self) -> str:
        """How pictures are framed and encoded: what features depend on besides picture, weights."""
        size = None if self._image_size is None else f"{self._image_size} pixels"
        precision = None if self._precision == "float32" else self._precision
        return ", ".join(word for word in (self._framing.name, size, precision) if word)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        device: torch.device = self._sam.device
        return device

    @torch.inference_mode()
    def encode(self, pictures: Sequence[NDArray[np.uint8]]) -> list[Tensor]:
        """Encode pictures (H, W, 3); returns for each its features (1, C, h, w), on the device."""
        features: list[Tensor] = []
        for start in range(0, len(pictures), self.encode_batch):
            batch = pictures[start : start + self.encode_batch]
            features.extend(torch.split(self._encoded(batch), 1))
        return features

    def learn(self, picture: NDArray[np.uint8], prompt: SlicePrompt) -> Tensor:
        """Answer one prompt about a picture (H, W, 3) with gradients: logits (1, H, W)."""
        height, width = picture.shape[:2]
        logits, _ = self._decoded(self._encoded([picture]), [prompt], (height, width))
        return logits

    def _encoded(self, pictures: Sequence[NDArray[np.uint8]]) -> Tensor:
        """The features (B, C, h, w) of pictures that share a pass."""
        framed = torch.stack([self._framing.image(picture) for picture in pictures])
        is_half = self._precision == "bfloat16"
        with torch.autocast(framed.device.type, torch.bfloat16, enabled=is_half):
            encoded: Tensor = self._sam.image_encoder(framed)
        return encoded.float()

    def decode(
        self, features: Tensor, prompts: Sequence[SlicePrompt], size: PictureSize
    ) -> Iterator[tuple[int, NDArray[np.float32], float]]:
        """Answer several prompts about one encoded picture, in an order of its own.

        Args:
            features: (1, C, h, w) as returned by `encode`; half precision will do.
            prompts: about this picture; each has points, a box or a mask.
            size: (H, W) of the picture.

        Yields:
            Which prompt, its logits (H, W) and its predicted IoU, unclipped.
        """
        features = features.float()
        for members in self._batches(prompts):
            with torch.inference_mode():
                batch = [prompts[member] for member in members]
                logits, quality = self._decoded(features, batch, size)
            yield from zip(members, logits.cpu().numpy(), quality.tolist(), strict=True)

    def mask_input(self, masks: NDArray[np.bool_]) -> Tensor:
        """Turn masks (B, H, W) into the low-resolution logits (B, 1, s, s) that SAM takes."""
        signs = 2 * torch.tensor(masks[:, None], device=self._sam.device).float() - 1
        square = self._framing.into_square(self._mask_logit * signs, fill=-self._mask_logit)
        low_res_size = self._sam.prompt_encoder.mask_input_size
        return functional.interpolate(square, low_res_size, mode="bilinear", antialias=True)

    def _batches(self, prompts: Sequence[SlicePrompt]) -> list[list[int]]:
        """Indexes of prompts that can share a decoder pass."""
        alike: dict[tuple[int, bool, bool], list[int]] = defaultdict(list)
        for index, prompt in enumerate(prompts):
            alike[prompt.structure].append(index)
        return [
            members[start : start + self._decode_batch]
            for members in alike.values()
            for start in range(0, len(members), self._decode_batch)
        ]

    def _decoded(
        self, features: Tensor, prompts: Sequence[SlicePrompt], size: PictureSize
    ) -> tuple[Tensor, Tensor]:
        """Logits (B, H, W) and ratings (B,) of prompts of one structure.

        Of clicks that are given one by one, each turn repeats the earlier ones and the box, and
        adds the low-resolution logits of the turn before; only the first turn may draw three masks.

        Source: Kirillov et al., arXiv:2304.02643, appendix A (training algorithm).
        """
        previous, multimask = self._masks(prompts), self._multimask
        each = torch.arange(len(prompts), device=features.device)
        for num_clicks in self._turns(prompts[0]):
            low_res, quality = self._drawn(
                features,
                points=self._points(prompts, size, num_clicks),
                boxes=self._boxes(prompts, size),
                masks=previous,
                multimask_output=multimask != "off",
            )
            best = self._best(low_res, quality, prompts, size, multimask)
            previous, rated, multimask = low_res[each, best][:, None], quality[each, best], "off"
        assert previous is not None  # there is at least one turn
        return self._framing.out_of_square(previous, size)[:, 0], rated

    def _drawn(
        self, features: Tensor, *, multimask_output: bool, **said: Any
    ) -> tuple[Tensor, Tensor]:
        """Low-resolution logits (B, M, s, s) and ratings (B, M)."""
        sparse, dense = self._sam.prompt_encoder(**said)
        low_res, quality = self._sam.mask_decoder(
            image_embeddings=features,
            image_pe=self._sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask_output,
        )
        return low_res, quality

    def _best(
        self,
        low_res: Tensor,
        quality: Tensor,
        prompts: Sequence[SlicePrompt],
        size: PictureSize,
        multimask: MultimaskName,
    ) -> Tensor:
        """Which of the masks (B, M, s, s) is kept for each prompt (B,)."""
        if multimask == "agreement":
            drawn = self._framing.out_of_square(low_res, size)
            return most_alike(drawn, quality, prompts)
        return best_rated(quality)

    def _turns(self, prompt: SlicePrompt) -> Sequence[int]:
        """How many clicks are known in each turn."""
        num_clicks = len(prompt.points)
        if self._clicks == "together" or num_clicks == 0:
            return [num_clicks]
        return range(1, num_clicks + 1)

    def _points(
        self, prompts: Sequence[SlicePrompt], size: PictureSize, num_clicks: int
    ) -> tuple[Tensor, Tensor] | None:
        """The first clicks of each prompt: coordinates (B, P, 2) and signs (B, P)."""
        if not num_clicks:
            return None
        orders = [self._order(prompt)[:num_clicks] for prompt in prompts]
        pairs = list(zip(prompts, orders, strict=True))
        points = self._framing.coordinates(np.stack([p.points[order] for p, order in pairs]), size)
        signs = np.stack([p.is_positive[order] for p, order in pairs]).astype(np.int32)
        return self._on_device(points), torch.tensor(signs, device=self._sam.device)

    def _order(self, prompt: SlicePrompt) -> NDArray[np.int64]:
        """One by one, positive clicks come first: training began with one."""
        if self._clicks == "together":
            return np.arange(len(prompt.points))
        return np.argsort(~prompt.is_positive, kind="stable")

    def _boxes(self, prompts: Sequence[SlicePrompt], size: PictureSize) -> Tensor | None:
        if prompts[0].box is None:
            return None
        corners = np.array([p.box for p in prompts], np.float64).reshape(-1, 2, 2)
        return self._on_device(self._framing.coordinates(corners, size).reshape(-1, 4))

    def _masks(self, prompts: Sequence[SlicePrompt]) -> Tensor | None:
        masks = [p.mask for p in prompts if p.mask is not None]
        return self.mask_input(np.stack(masks)) if masks else None

    def _on_device(self, array: NDArray[np.float64]) -> Tensor:
        return torch.tensor(array, dtype=torch.float32, device=self._sam.device)
