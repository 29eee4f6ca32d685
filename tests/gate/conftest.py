"""An object small enough to count: a cube of 4 voxels that an answer shifts by one."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from samssl_cli.gate.view import View, look
from samssl_cli.generalists.fuse import Fused
from samssl_cli.prompts.types import ObjectPrompts, Prompt

SHAPE = (16, 14, 12)


def cube(low: int, size: int = 4) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[low : low + size, 5:9, 4:8] = True
    return mask


def soft(mask: np.ndarray, inside: float = 0.9) -> np.ndarray:
    return np.where(mask, inside, 1 - inside).astype(np.float32)


@pytest.fixture
def make_view() -> Callable[..., View]:
    """Make the view of a cube at 5 that G generalists see at other places."""

    def make(*answers: int, truth: int | None = None, iou: float = 0.5, **more: Any) -> View:
        mask = cube(5)
        own = soft(mask)
        label = None if truth is None else cube(truth).astype(np.uint8)
        said = [Fused(soft(cube(at)), np.zeros(SHAPE, np.float32), iou) for at in answers]
        prompted = ObjectPrompts(1, 1, mask, (Prompt(),))
        return look(prompted, said, np.stack([1 - own, own]), (1, 1, 2), label=label, **more)

    return make
