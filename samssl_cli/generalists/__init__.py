"""The generalists: promptable models that answer for one object at a time.

This table is readable without torch. A row's class has `Options`, a pydantic section, and
`build(options, checkpoint=..., device=...)`, which returns a `Generalist`.
"""

from dataclasses import dataclass

from samssl_cli.registry import Entry


@dataclass(frozen=True)
class GeneralistEntry(Entry):
    """A row that also says, without importing the part, whether it needs a weights file."""

    needs_checkpoint: bool
    """True when `build` must be given a checkpoint, false when it refuses one."""


GENERALISTS: dict[str, GeneralistEntry] = {
    "sam": GeneralistEntry(
        "samssl_cli.generalists.sam:SegmentAnything",
        "Segment Anything (ViT-B/L/H) or MedSAM, slice by slice",
        "Kirillov et al., ICCV 2023, arXiv:2304.02643; Ma et al., Nat. Commun. 2024 (MedSAM)",
        needs_checkpoint=True,
    ),
    "region-growing": GeneralistEntry(
        "samssl_cli.generalists.region_growing:RegionGrowing",
        "classical seeded region growing in 3D; no weights, no GPU",
        "Adams & Bischof, IEEE TPAMI 16(6), 1994",
        needs_checkpoint=False,
    ),
}
