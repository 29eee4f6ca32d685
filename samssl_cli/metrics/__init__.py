"""How a prediction is scored against a reference: the METRICS table.

A metric is a function `(comparison) -> float` of one class of one case; see `Comparison`. What it
gives when a mask is empty is never NaN:

- both empty: the value of a perfect answer (1 for overlaps, 0 mm for distances);
- exactly one empty: 0 for overlaps, the diagonal of the image in mm for distances, which is more
  than any distance that two masks in it can have: a miss never improves a mean.
"""

from dataclasses import dataclass
from typing import Literal

from samssl_cli.registry import Entry


@dataclass(frozen=True)
class MetricEntry(Entry):
    """A row that also says how its values read."""

    title: str
    """For people, without the unit: `HD95`."""
    unit: Literal["fraction", "percent", "mm", "ml"]
    higher_is_better: bool


METRICS: dict[str, MetricEntry] = {
    "dice": MetricEntry(
        "samssl_cli.metrics.comparison:dice_of",
        "overlap relative to the mean size, 0 to 1",
        "Dice, Ecology 1945",
        "Dice",
        "fraction",
        higher_is_better=True,
    ),
    "jaccard": MetricEntry(
        "samssl_cli.metrics.comparison:jaccard_of",
        "intersection over union, 0 to 1",
        "Jaccard, New Phytologist 1912",
        "Jaccard",
        "fraction",
        higher_is_better=True,
    ),
    "hd95_mm": MetricEntry(
        "samssl_cli.metrics.comparison:hd95_of",
        "95th percentile of the pooled surface distances, both ways",
        "Huttenlocher et al., TPAMI 1993; medpy.metric.binary.hd95",
        "HD95",
        "mm",
        higher_is_better=False,
    ),
    "asd_mm": MetricEntry(
        "samssl_cli.metrics.comparison:asd_of",
        "mean distance from the prediction's surface to the reference's",
        "medpy.metric.binary.asd",
        "ASD",
        "mm",
        higher_is_better=False,
    ),
}
