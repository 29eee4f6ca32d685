"""On which slices a SAM 2 is prompted; from there it follows the object by itself."""

from collections.abc import Sequence

import numpy as np

from samssl_cli.generalists.sam_prompts import SlicePrompt


def key_slices(said: Sequence[SlicePrompt], *, num_key_slices: int) -> list[SlicePrompt]:
    """Choose from what could be said about each slice of an object.

    The slices are: where the object's mask is largest (the first of several; without a mask, the
    middle one); `num_key_slices` - 1 more, evenly spaced from the first to the last; and every
    slice on which a click lies.

    Args:
        said: one prompt for each slice that the object is thought to cross, in order.
        num_key_slices: at least 1.

    Returns:
        Some of them, in order, each once; none when there are none.
    """
    if not said:
        return []
    areas = [0 if prompt.mask is None else int(prompt.mask.sum()) for prompt in said]
    largest = int(np.argmax(areas)) if any(areas) else len(said) // 2
    further = np.linspace(0, len(said) - 1, num_key_slices + 1)[1:-1]
    clicked = [place for place, prompt in enumerate(said) if len(prompt.points)]
    chosen = {largest, *np.rint(further).astype(int).tolist(), *clicked}
    return [said[place] for place in sorted(chosen)]
