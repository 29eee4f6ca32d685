"""How good prompts and pseudo-labels were, measured on a reference: to be read, never trained on.

Everything is kept as counts. Those of several cases add up, and a share over many cases is the
share of the sums, not the mean of the shares, which a case with a handful of voxels could turn.
"""

import operator
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import reduce
from typing import Any, Self

import numpy as np
import scipy  # loads ndimage and the others when they are first asked for
from numpy.typing import NDArray

from samssl_cli.metrics.postprocess import NEIGHBOURS_26
from samssl_cli.prompts.types import Box, ObjectPrompts, Points

_MOST_VOXELS = 2**53  # beyond, floats do not count one by one
_LEAST_VOXELS = 64  # smaller components of a reference are not worth a prompt, and not missed


@dataclass(frozen=True)
class _Counts:
    """Numbers that add up over cases; `vars` gives them as JSON values."""

    def __add__(self, other: Self) -> Self:
        ours, theirs = vars(self), vars(other)
        return replace(self, **{name: ours[name] + theirs[name] for name in ours})

    @classmethod
    def pooled(cls, cases: Iterable[Self]) -> Self:
        """The counts of all cases together; of no case, zeros."""
        return reduce(operator.add, cases, cls())

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read what `vars` gave; other keys beside it are left alone.

        Raises:
            KeyError: when one is missing.
            ValueError: when one is no count.
        """
        read = {field.name: values[field.name] for field in fields(cls)}
        for name, value in read.items():
            if type(value) not in (int, float) or not 0 <= value <= _MOST_VOXELS:
                raise ValueError(f"{name}: {str(value)[:80]!r}, expected a count")
        return cls(**read)


@dataclass(frozen=True)
class PseudoLabelQuality(_Counts):
    """One class of a pseudo-label beside the reference, where it was accepted and where not.

    The fields count voxels: of the class in the pseudo-label, in the reference, and in both.
    """

    num_pseudo_accepted: int = 0
    num_reference_accepted: int = 0
    num_both_accepted: int = 0
    num_pseudo_rejected: int = 0
    num_reference_rejected: int = 0
    num_both_rejected: int = 0

    @property
    def coverage(self) -> float | None:
        """The share of the reference's voxels of the class that lie where the acceptance is 1.

        Whatever the pseudo-label calls them there. None without a voxel of the class.
        """
        inside, outside = self.num_reference_accepted, self.num_reference_rejected
        return _share(inside, inside + outside)

    @property
    def accepted_share(self) -> float | None:
        """The share of the pseudo-label's voxels of the class that lie where the acceptance is 1.

        None without a voxel of the class.
        """
        inside, outside = self.num_pseudo_accepted, self.num_pseudo_rejected
        return _share(inside, inside + outside)

    @property
    def dice_accepted(self) -> float | None:
        """Dice over the voxels with acceptance 1 only; None when there was nothing to compare."""
        total = self.num_pseudo_accepted + self.num_reference_accepted
        return _share(2 * self.num_both_accepted, total)

    @property
    def dice_rejected(self) -> float | None:
        """Dice over the other voxels only; None when there was nothing to compare."""
        total = self.num_pseudo_rejected + self.num_reference_rejected
        return _share(2 * self.num_both_rejected, total)

    @property
    def dice(self) -> float | None:
        """Dice over all voxels; None when there was nothing to compare."""
        accepted = self.num_pseudo_accepted + self.num_reference_accepted
        rejected = self.num_pseudo_rejected + self.num_reference_rejected
        both = self.num_both_accepted + self.num_both_rejected
        return _share(2 * both, accepted + rejected)


@dataclass(frozen=True)
class AcceptanceRate(_Counts):
    """How many answers for the objects of one class were believed."""

    num_objects: int = 0
    num_accepted: int = 0

    @property
    def share(self) -> float | None:
        """0-1; None without an object."""
        return _share(self.num_accepted, self.num_objects)


@dataclass(frozen=True)
class PromptQuality(_Counts):
    """The prompts for the objects of one class beside the reference.

    Points and boxes are those of all prompt sets together, the unperturbed and the perturbed ones.
    """

    num_objects: int = 0
    num_positive: int = 0
    positive_inside: int = 0
    """Positive points on a voxel of the class in the reference."""
    num_negative: int = 0
    negative_outside: int = 0
    """Negative points on any other voxel."""
    num_boxes: int = 0
    box_iou_sum: float = 0.0
    """Over the boxes; see `box_iou`."""
    num_prompted: int = 0
    """Voxels of the prompted objects, as the specialist sees them."""
    num_reference: int = 0
    """Voxels of the class in the reference."""
    num_both: int = 0
    num_components: int = 0
    """Components of the reference with at least 64 voxels."""
    missed_components: int = 0
    """Those of them that no prompted object touches."""

    @property
    def positive_share(self) -> float | None:
        """The share of the positive points that are inside; None without any."""
        return _share(self.positive_inside, self.num_positive)

    @property
    def negative_share(self) -> float | None:
        """The share of the negative points that are outside; None without any."""
        return _share(self.negative_outside, self.num_negative)

    @property
    def box_iou(self) -> float | None:
        """The mean over the boxes of their overlap with the reference, 0-1; None without any.

        The overlap of a box is its intersection over union with the box of the component of the
        reference that it shares most voxels with; 0 when it meets none.
        """
        return _share(self.box_iou_sum, self.num_boxes)

    @property
    def mask_dice(self) -> float | None:
        """Dice of the prompted objects' masks with the reference; None when both are empty."""
        return _share(2 * self.num_both, self.num_prompted + self.num_reference)


def pseudo_label_quality(
    label: NDArray[np.integer[Any]],
    acceptance: NDArray[Any],
    reference: NDArray[np.integer[Any]],
    class_index: int,
) -> PseudoLabelQuality:
    """Compare one class of a pseudo-label with the reference.

    Shapes: label and reference (I, J, K) integer, acceptance (I, J, K) bool or 0 and 1, all on the
    same grid. Whatever is empty has counts of 0.
    """
    assert label.shape == acceptance.shape == reference.shape, (label.shape, reference.shape)
    accepted = acceptance.astype(bool)
    pseudo, true = label == class_index, reference == class_index
    both = pseudo & true
    return PseudoLabelQuality(
        num_pseudo_accepted=int((pseudo & accepted).sum()),
        num_reference_accepted=int((true & accepted).sum()),
        num_both_accepted=int((both & accepted).sum()),
        num_pseudo_rejected=int((pseudo & ~accepted).sum()),
        num_reference_rejected=int((true & ~accepted).sum()),
        num_both_rejected=int((both & ~accepted).sum()),
    )


def acceptance_rate(objects: Iterable[Mapping[str, Any]]) -> defaultdict[int, AcceptanceRate]:
    """Count the believed answers of each class from the records of a pseudo-label's objects.

    Gives class index to counts, which are zeros for a class without an object.
    """
    rates: defaultdict[int, AcceptanceRate] = defaultdict(AcceptanceRate)
    for record in objects:
        rates[record["class_index"]] += AcceptanceRate(1, int(record["is_accepted"]))
    return rates


def prompt_quality(
    objects: Sequence[ObjectPrompts], reference: NDArray[np.integer[Any]], class_index: int
) -> PromptQuality:
    """Compare the prompts for one class of one case with the reference.

    Args:
        objects: of any class; those of other classes are left out.
        reference: (I, J, K) integer label on the grid of the prompts.
        class_index: 1 … number of foreground classes.
    """
    own = [one for one in objects if one.class_index == class_index]
    mask = reference == class_index
    prompted = np.zeros_like(mask)
    for one in own:
        prompted |= one.mask
    numbers, _ = scipy.ndimage.label(mask, NEIGHBOURS_26)
    ious = _box_ious(own, numbers)
    return replace(
        _point_counts(own, mask),
        num_objects=len(own),
        num_boxes=len(ious),
        box_iou_sum=float(sum(ious)),
        num_prompted=int(prompted.sum()),
        num_reference=int(mask.sum()),
        num_both=int((prompted & mask).sum()),
        **_component_counts(numbers, prompted),
    )


def _point_counts(objects: Sequence[ObjectPrompts], mask: NDArray[np.bool_]) -> PromptQuality:
    points = sum((prompt.points for one in objects for prompt in one.sets), Points())
    is_inside = mask[tuple(points.coordinates.T)]
    is_positive = points.is_positive
    return PromptQuality(
        num_positive=int(is_positive.sum()),
        positive_inside=int((is_positive & is_inside).sum()),
        num_negative=int((~is_positive).sum()),
        negative_outside=int((~is_positive & ~is_inside).sum()),
    )


def _box_ious(objects: Sequence[ObjectPrompts], numbers: NDArray[np.integer[Any]]) -> list[float]:
    """The overlap of each box with the box of the component that it shares most voxels with."""
    frames = [_as_box(frame) for frame in scipy.ndimage.find_objects(numbers)]
    return [_box_iou(box, numbers, frames) for box in _boxes(objects)]


def _boxes(objects: Sequence[ObjectPrompts]) -> Iterator[Box]:
    for one in objects:
        yield from (prompt.box for prompt in one.sets if prompt.box is not None)


def _box_iou(box: Box, numbers: NDArray[np.integer[Any]], frames: Sequence[Box]) -> float:
    shared = np.bincount(numbers[box.slices].ravel())[1:]  # number 0 is everything else
    if not shared.any():
        return 0.0
    frame = frames[int(shared.argmax())]
    low, high = np.maximum(box.low, frame.low), np.minimum(box.high, frame.high)
    both = int(np.prod(high - low))
    return both / (_volume(box) + _volume(frame) - both)


def _component_counts(
    numbers: NDArray[np.integer[Any]], prompted: NDArray[np.bool_]
) -> dict[str, int]:
    sizes = np.bincount(numbers.ravel())
    is_large = sizes >= _LEAST_VOXELS
    is_large[0] = False  # number 0 is everything else
    is_touched = np.bincount(numbers[prompted], minlength=len(sizes)) > 0
    return {
        "num_components": int(is_large.sum()),
        "missed_components": int((is_large & ~is_touched).sum()),
    }


def _as_box(frame: tuple[slice, ...]) -> Box:
    i, j, k = frame
    return Box((i.start, j.start, k.start), (i.stop, j.stop, k.stop))


def _volume(box: Box) -> int:
    return int(np.prod(np.subtract(box.high, box.low)))


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
