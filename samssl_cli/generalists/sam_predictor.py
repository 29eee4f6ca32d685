"""Run a SAM over pictures: encode several at once, decode several prompts at once.

The batched counterpart of `segment_anything.SamPredictor`, whose logits it reproduces (tests
compare the two). SAM's masks are logits that are cut at 0.0, not at 0.5; nothing is cut here.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from samssl_cli.generalists.sam_framing import Framing, PictureSize
from samssl_cli.generalists.sam_prompts import SlicePrompt


class SlicePredictor:
    """A SAM behind arrays: pictures and prompts in, logits and predicted IoU out."""

    def __init__(
        self,
        sam: Any,
        framing: Framing,
        *,
        encode_batch: int,
        decode_batch: int,
        multimask: bool,
        mask_logit: float,
    ) -> None:
        """Keep the model and its settings.

        Args:
            sam: a `segment_anything.modeling.Sam`.
            framing: SAM's or MedSAM's.
            encode_batch: pictures per encoder pass.
            decode_batch: prompts per decoder pass.
            multimask: let SAM draw three masks and keep the one it rates best.
            mask_logit: the logit that a mask prompt has inside; outside it is the negative.
        """
        self._sam = sam
        self._framing = framing
        self.encode_batch = encode_batch
        self._decode_batch = decode_batch
        self._multimask = multimask
        self._mask_logit = mask_logit

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
        encoded: Tensor = self._sam.image_encoder(
            torch.stack([self._framing.image(picture) for picture in pictures])
        )
        return encoded

    @torch.inference_mode()
    def decode(
        self, features: Tensor, prompts: Sequence[SlicePrompt], size: PictureSize
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Answer several prompts about one encoded picture.

        Args:
            features: (1, C, h, w) as returned by `encode`; half precision will do.
            prompts: about this picture; each has points, a box or a mask.
            size: (H, W) of the picture.

        Returns:
            Logits (len(prompts), H, W) and predicted IoU (len(prompts),), unclipped, in the
            order of the prompts.
        """
        logits = np.empty((len(prompts), *size), np.float32)
        quality = np.empty(len(prompts), np.float32)
        features = features.float()
        for members in self._batches(prompts):
            batch = [prompts[member] for member in members]
            drawn, rated = self._decoded(features, batch, size)
            logits[members], quality[members] = drawn.cpu().numpy(), rated.cpu().numpy()
        return logits, quality

    def mask_input(self, masks: NDArray[np.bool_]) -> Tensor:
        """Turn masks (B, H, W) into the low-resolution logits (B, 1, s, s) that SAM takes."""
        signs = torch.tensor(np.where(masks, 1, -1)[:, None], device=self._sam.device)
        square = self._framing.into_square(self._mask_logit * signs.float(), fill=-self._mask_logit)
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
        """Logits (B, H, W) and ratings (B,) of prompts of one structure."""
        sparse, dense = self._sam.prompt_encoder(
            points=self._points(prompts, size),
            boxes=self._boxes(prompts, size),
            masks=self._masks(prompts),
        )
        low_res, quality = self._sam.mask_decoder(
            image_embeddings=features,
            image_pe=self._sam.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=self._multimask,
        )  # (B, M, s, s), (B, M)
        best = quality.argmax(dim=1)
        each = torch.arange(len(prompts), device=best.device)
        logits = self._framing.out_of_square(low_res[each, best][:, None], size)[:, 0]  # (B, H, W)
        return logits, quality[each, best]

    def _points(
        self, prompts: Sequence[SlicePrompt], size: PictureSize
    ) -> tuple[Tensor, Tensor] | None:
        if not len(prompts[0].points):
            return None
        points = self._framing.coordinates(np.stack([p.points for p in prompts]), size)
        signs = np.stack([p.is_positive for p in prompts]).astype(np.int32)
        return self._on_device(points), torch.tensor(signs, device=self._sam.device)

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
