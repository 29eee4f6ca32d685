"""A volume as the video that a SAM 2 follows an object through.

`Film` is what the model sees, `follow` one pass through it in one direction, and `joined` makes one
answer of two passes. The memory, its attention and the order of frames are those of transformers.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit, logit
from torch import Tensor
from torch.nn import functional

from samssl_cli.generalists.sam2_features import Features, side_of
from samssl_cli.generalists.sam_embedding import Memory
from samssl_cli.generalists.sam_prompts import SlicePrompt

OUTSIDE_LOGIT = -20.0
"""The answer on slices that were not visited: probability 2e-9. Answers are cut to ± its size."""

_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
_BOX_CORNERS = (2, 3)  # the labels of a box among points: its low corner, its high corner


class Film(Mapping[int, Tensor]):
    """The frames (3, S, S) of a volume, made when they are looked at: a whole film may not fit.

    A picture is stretched to the square, scaled to 0-1 and standardised as ImageNet's.

    Source: `Sam2VideoVideoProcessor`, transformers.
    Differs: a picture is not rounded to 8 bits after its size was changed.
    """

    def __init__(self, pictures: NDArray[np.uint8], side: int) -> None:
        """Keep the pictures (N, H, W, 1 or 3)."""
        self._pictures = pictures
        self._side = side

    def __getitem__(self, index: int) -> Tensor:
        """One frame, on the CPU."""
        picture = torch.from_numpy(np.ascontiguousarray(self._pictures[index]))
        planes = picture.permute(2, 0, 1)[None].float() / 255  # (1, 1 or 3, H, W)
        size = (self._side, self._side)
        square = functional.interpolate(planes, size, mode="bilinear", antialias=True)
        mean, deviation = (torch.tensor(v).view(3, 1, 1) for v in (_MEAN, _DEVIATION))
        return (square[0] - mean) / deviation

    def __len__(self) -> int:
        return len(self._pictures)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))


@dataclass(frozen=True)
class Theatre:
    """A model, a film, and what the model made of it so far."""

    model: Any
    film: Film
    size: tuple[int, int]
    """(H, W) of a slice."""
    features: Features


def open_theatre(
    model: Any, pictures: NDArray[np.uint8], *, kept_slices: int, memory: Memory | None = None
) -> Theatre:
    """Prepare the pictures (N, H, W, 1 or 3) of a volume; nothing is encoded yet.

    Args:
        model: a `Sam2VideoModel`.
        pictures: in the order in which they are followed.
        kept_slices: of how many frames features are kept in memory.
        memory: where features are looked up and kept on disk.
    """
    _, height, width, _ = pictures.shape
    film = Film(pictures, side_of(model))
    features = Features(model, film, pictures, kept_slices=kept_slices, memory=memory)
    return Theatre(model, film, (height, width), features)


def follow(
    theatre: Theatre,
    keys: Sequence[SlicePrompt],
    *,
    with_mask: bool,
    reach: int | None,
    reverse: bool,
) -> dict[int, NDArray[np.float32]]:
    """Prompt on every key slice, then follow the object once through the film.

    Going forward begins at the first key slice and going back at the last; every key slice is a
    conditioning frame of the whole pass, and none depends on another.

    Args:
        theatre: the film.
        keys: at least one prompt, in order of the slices.
        with_mask: give the model a key slice's mask, which it then takes as its answer there;
            else its box and clicks.
        reach: how many slices the pass goes beyond the last key slice on its way; None: to the end.
        reverse: whether to go back, and not forward.

    Returns:
        The logits (H, W) of every slice that was visited, by its index.
    """
    session = _session(theatre)
    answers = {}
    with torch.inference_mode():
        for key in keys:
            _prompt(session, theatre, key, with_mask=with_mask)
            theatre.model(session, frame_idx=key.index)
        for output in theatre.model.propagate_in_video_iterator(
            session,
            start_frame_idx=keys[-1].index if reverse else keys[0].index,
            max_frame_num_to_track=None
            if reach is None
            else keys[-1].index - keys[0].index + reach,
            reverse=reverse,
        ):
            answers[output.frame_idx] = _picture(output.pred_masks, theatre.size)
            _forget(session, output.frame_idx)
    return answers


def joined(
    forward: Mapping[int, NDArray[np.float32]],
    back: Mapping[int, NDArray[np.float32]],
    keys: Sequence[int],
) -> dict[int, NDArray[np.float32]]:
    """One answer for each slice from the two passes.

    Beyond the first and the last key slice only one pass came by. Between the key slices a < s < b
    probabilities are averaged, and the nearer key slice counts more: the pass forward has the
    weight (b - s) / (b - a), the pass back the rest. On a key slice both say the same.

    Args:
        forward: logits (H, W) by slice.
        back: the same.
        keys: the key slices, rising.
    """
    joint = {}
    for index in sorted({*forward, *back}):
        if index not in forward:
            joint[index] = back[index]
        elif index not in back or index in keys:
            joint[index] = forward[index]
        else:
            share = _share_of_forward(index, keys)
            mean = share * expit(forward[index].astype(np.float64))
            mean += (1 - share) * expit(back[index].astype(np.float64))
            joint[index] = logit(mean).astype(np.float32)
    return joint


def _share_of_forward(index: int, keys: Sequence[int]) -> float:
    before, after = max(k for k in keys if k < index), min(k for k in keys if k > index)
    return (after - index) / (after - before)


def _session(theatre: Theatre) -> Any:
    from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

    device = theatre.model.device
    session = Sam2VideoInferenceSession(
        video_height=theatre.size[0],
        video_width=theatre.size[1],
        inference_device=device,
        inference_state_device=device,
        video_storage_device="cpu",
        dtype=torch.float32,
    )
    session.processed_frames = theatre.film
    session.cache = theatre.features
    return session


def _prompt(session: Any, theatre: Theatre, key: SlicePrompt, *, with_mask: bool) -> None:
    """Hand over what is said about one slice: its mask, or its box and clicks, never both."""
    number = session.obj_id_to_idx(1)
    if with_mask and key.mask is not None:
        mask = torch.from_numpy(np.ascontiguousarray(key.mask, np.float32))[None, None]
        side = side_of(theatre.model)
        square = functional.interpolate(mask, (side, side), mode="bilinear", antialias=True)
        session.add_mask_inputs(number, key.index, (square >= 0.5).float())
    else:
        session.add_point_inputs(number, key.index, _points(key, theatre))
    session.obj_with_new_inputs = [1]


def _points(key: SlicePrompt, theatre: Theatre) -> dict[str, Tensor]:
    """Clicks in pixels of the square, those of a box's corners first."""
    corners = [] if key.box is None else [key.box[:2], key.box[2:]]
    xy = np.concatenate([np.array(corners, np.float64).reshape(-1, 2), key.points])
    height, width = theatre.size
    scaled = xy * (side_of(theatre.model) / np.array([width, height], np.float64))
    labels = [*_BOX_CORNERS[: len(corners)], *key.is_positive.astype(int).tolist()]
    return {
        "point_coords": torch.tensor(scaled, dtype=torch.float32)[None, None],  # (1, 1, P, 2)
        "point_labels": torch.tensor(labels, dtype=torch.int32)[None, None],  # (1, 1, P)
    }


def _picture(low_res: Tensor, size: tuple[int, int]) -> NDArray[np.float32]:
    """Bring the decoder's logits (1, 1, s, s) to the size of a slice."""
    full = functional.interpolate(low_res.float(), size, mode="bilinear", align_corners=False)
    picture: NDArray[np.float32] = full[0, 0].clamp(OUTSIDE_LOGIT, -OUTSIDE_LOGIT).cpu().numpy()
    return picture


def _forget(session: Any, index: int) -> None:
    """Let go of a visited frame's mask in full size (4 MB), which nothing looks at any more."""
    for outputs in session.output_dict_per_obj[0].values():
        outputs.get(index, {}).pop("high_res_masks", None)
