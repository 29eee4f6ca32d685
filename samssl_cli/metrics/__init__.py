"""How a prediction is scored against a reference: the METRICS table.

A metric is a function `(comparison) -> float` of one class of one case; see `Comparison`. What it
gives when a mask is empty is never NaN:

- both empty: the value of a perfect answer (1 for overlaps, 0 for distances and volumes);
- exactly one empty: 0 for overlaps, precision and recall alike; for distances the diagonal of the
  image, which is more than any distance that two masks in it can have; for volumes the volume of
  the other, which is 200 percent of their mean. A miss never improves a mean.
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
    "precision": MetricEntry(
        "samssl_cli.metrics.comparison:precision_of",
        "share of the prediction that is right, 0 to 1",
        "Taha & Hanbury, BMC Medical Imaging 2015",
        "Precision",
        "fraction",
        higher_is_better=True,
    ),
    "recall": MetricEntry(
        "samssl_cli.metrics.comparison:recall_of",
        "share of the reference that was found, 0 to 1",
        "Taha & Hanbury, BMC Medical Imaging 2015",
        "Recall",
        "fraction",
        higher_is_better=True,
    ),
    "volume_difference_ml": MetricEntry(
        "samssl_cli.metrics.comparison:volume_difference_of",
        "how much the volumes differ, without a sign",
        "Taha & Hanbury, BMC Medical Imaging 2015",
        "Volume difference",
        "ml",
        higher_is_better=False,
    ),
    "volume_difference_percent": MetricEntry(
        "samssl_cli.metrics.comparison:volume_difference_percent_of",
        "how much the volumes differ relative to their mean, 0 to 200",
        "Taha & Hanbury, BMC Medical Imaging 2015 (volumetric similarity)",
        "Volume difference",
        "percent",
        higher_is_better=False,
    ),
    "hd95_mm": MetricEntry(
        "samssl_cli.metrics.comparison:hd95_of",
        "95th percentile of the pooled surface distances, both ways",
        "Huttenlocher et al., TPAMI 1993; medpy.metric.binary.hd95",
        "HD95",
        "mm",
        higher_is_better=False,
    ),
    "hd_mm": MetricEntry(
        "samssl_cli.metrics.comparison:hd_of",
        "largest surface distance, both ways",
        "Huttenlocher et al., TPAMI 1993; medpy.metric.binary.hd",
        "HD",
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
    "assd_mm": MetricEntry(
        "samssl_cli.metrics.comparison:assd_of",
        "mean of the pooled surface distances, both ways",
        "Heimann et al., IEEE TMI 2009; medpy.metric.binary.assd",
        "ASSD",
        "mm",
        higher_is_better=False,
    ),
    "nsd": MetricEntry(
        "samssl_cli.metrics.comparison:nsd_of",
        "share of both surfaces within the tolerance of the other, 0 to 1",
        "Nikolov et al., arXiv:1809.04430; monai.metrics.compute_surface_dice",
        "NSD",
        "fraction",
        higher_is_better=True,
    ),
}
