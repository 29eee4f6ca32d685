"""Which of the masks that SAM draws for one prompt is kept."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from samssl_cli.generalists.sam_prompts import SlicePrompt

MultimaskName = Literal["off", "rated", "agreement"]


def best_rated(quality: Tensor) -> Tensor:
    """For each of B prompts, which of M masks SAM itself rates best (B, M): indexes (B,)."""
    return quality.argmax(dim=1)


def most_alike(logits: Tensor, quality: Tensor, prompts: Sequence[SlicePrompt]) -> Tensor:
    """Choose for each prompt the mask that agrees best with what the specialist saw there.

    SAM's three masks are the whole, a part, and a part of the part; its rating tells how well each
    is drawn, and not which of them was meant. The specialist's mask does. Of a mosaic only the
    slice's own tile is compared: what is drawn elsewhere is thrown away.

    Args:
        logits: (B, M, H, W) at the size of the picture.
        quality: (B, M); decides where there is no mask.
        prompts: B of them, whose `seen` and `corner` count.

    Returns:
        Indexes (B,).
    """
    chosen = best_rated(quality)
    for member, prompt in enumerate(prompts):
        if prompt.seen is not None:
            (top, left), (height, width) = prompt.corner, prompt.seen.shape
            drawn = logits[member, :, top : top + height, left : left + width].sigmoid()
            chosen[member] = soft_iou(drawn, _on_device(prompt.seen, drawn)).argmax()
    return chosen


def soft_iou(probability: Tensor, mask: Tensor) -> Tensor:
    """Overlap of M drawings (M, H, W) in 0-1 with a mask (H, W): sum(p * m) / sum(p + m - p * m).

    For drawings of zeros and ones it is the IoU; nothing is cut at a half, so that of two masks of
    the same outline the surer one counts more. 0 when drawing and mask are both empty.
    """
    shared = (probability * mask).sum(dim=(1, 2))
    either = probability.sum(dim=(1, 2)) + mask.sum() - shared
    return shared / either.clamp(min=1e-6)


def _on_device(mask: NDArray[np.bool_], like: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(mask)).to(like.device)
