"""The columns of a score: the rows of METRICS, named and shown in the unit that was asked for."""

from dataclasses import dataclass

from samssl_cli.errors import UsageError
from samssl_cli.metrics import METRICS

_IN_VOXELS = {"mm": "voxels", "ml": "voxels"}


@dataclass(frozen=True)
class Column:
    """One metric in one unit."""

    name: str
    """As in scores.csv: `hd95_mm`, or `hd95_voxels` with `--voxels`."""
    metric: str
    """The row of METRICS."""
    title: str
    """For people: `HD95 (mm)`."""
    unit: str
    """`%`, `mm`, `ml` or `voxels`, as shown."""
    scale: float
    """A stored value times this is the shown one: overlaps are stored as 0-1, shown in percent."""
    higher_is_better: bool

    def shown(self, value: float) -> str:
        """The value as people read it, without its unit."""
        return f"{self.scale * value:.2f}"


def columns(*, in_voxels: bool = False) -> tuple[Column, ...]:
    """Every metric, with lengths in mm and volumes in ml, or both in voxels."""
    return tuple(_column(metric, in_voxels=in_voxels) for metric in METRICS)


def column(name: str) -> Column:
    """Find a column by its name.

    Raises:
        UsageError: when no metric is called that; the message lists those there are.
    """
    known = {one.name: one for one in (*columns(), *columns(in_voxels=True))}
    if name not in known:
        raise UsageError(f"unknown metric {name!r}; known: {', '.join(known)}")
    return known[name]


def _column(metric: str, *, in_voxels: bool) -> Column:
    entry = METRICS[metric]
    unit = _IN_VOXELS.get(entry.unit, entry.unit) if in_voxels else entry.unit
    shown_unit = "%" if unit in ("fraction", "percent") else unit
    return Column(
        name=metric.removesuffix(f"_{entry.unit}") + f"_{unit}" if unit != entry.unit else metric,
        metric=metric,
        title=f"{entry.title} ({shown_unit})",
        unit=shown_unit,
        scale=100.0 if unit == "fraction" else 1.0,
        higher_is_better=entry.higher_is_better,
    )
