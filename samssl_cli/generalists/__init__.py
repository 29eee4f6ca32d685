"""The generalists: promptable models that answer for one object at a time.

This table is readable without torch. A row's class has `Options`, a pydantic section, and
`build(options, checkpoint=..., device=...)`, which returns a `Generalist`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samssl_cli.generalists.checkpoint_file import PUBLISHED, PUBLISHED_MED3D, PUBLISHED_SAM2
from samssl_cli.registry import Entry


@dataclass(frozen=True)
class Trainings:
    """Weights of one architecture that were trained on different data, told apart by an option."""

    option: str
    """Its name."""
    default: str
    """What the option is when a recipe does not say."""
    names: Mapping[str, str]
    """From each value of the option to a name in the register of exposure."""

    def name(self, options: Mapping[str, Any]) -> str:
        """The name in the register that these options stand for."""
        return self.names[options.get(self.option, self.default)]


@dataclass(frozen=True)
class GeneralistEntry(Entry):
    """A row that also says, without importing the part, what there is to know of its weights."""

    needs_checkpoint: bool
    """True when `build` must be given a checkpoint."""
    shipped: Path | None = None
    """The weights in the package, which `build` takes when it is given none; None: it has none."""
    published: str = "the file that its authors publish"
    """Which files `--checkpoint` may name, for messages."""
    trainings: Trainings | None = None
    """None when all its weights saw the same data: the register has it under its own name."""
    takes_folder: bool = False
    """True when `--checkpoint` may also name a folder that transformers saved."""
    is_asked: bool = True
    """False when the row stands for nobody: then `build` is not called."""
    needs_labeled: bool = False
    """True when `build` must be given the labeled cases."""
    has_features: bool = False
    """True when it is `Featured`: a first guess can look through its encoder."""


SHIPPED = Path(__file__).parent.parent / "weights"
"""Weights that come with the package, each with its model card."""

GENERALISTS: dict[str, GeneralistEntry] = {
    "scout": GeneralistEntry(
        "samssl_cli.generalists.scout:Scout",
        "small 3D network in the package, trained on procedural scenes alone; CPU",
        "ours; docs/scout.md",
        needs_checkpoint=False,
        shipped=SHIPPED / "scout.safetensors",
    ),
    "sam": GeneralistEntry(
        "samssl_cli.generalists.sam:SegmentAnything",
        "Segment Anything or MedSAM, by slices; also as sam-vit-b, sam-vit-l, sam-vit-h or medsam",
        "Kirillov et al., ICCV 2023, arXiv:2304.02643; Ma et al., Nat. Commun. 2024 (MedSAM)",
        needs_checkpoint=True,
        published=PUBLISHED,
        trainings=Trainings("preprocessing", "sam", {"sam": "sam", "medsam": "medsam"}),
    ),
    "sam2": GeneralistEntry(
        "samssl_cli.generalists.sam2:Sam2",
        "SAM 2 or MedSAM2: prompts on key slices, followed through the volume as a video",
        "Ravi et al., arXiv:2408.00714; Ma et al., arXiv:2504.03600 (MedSAM2)",
        needs_checkpoint=True,
        published=PUBLISHED_SAM2,
        trainings=Trainings("variant", "sam2", {"sam2": "sam2", "medsam2": "medsam2"}),
        takes_folder=True,
    ),
    "sam-med3d": GeneralistEntry(
        "samssl_cli.generalists.sam_med3d:SamMed3d",
        "SAM-Med3D or SAM-Med3D-turbo, in cubes of 192 mm, one click at a time",
        "Wang et al., arXiv:2310.15161",
        needs_checkpoint=True,
        published=PUBLISHED_MED3D,
        trainings=Trainings(
            "variant", "turbo", {"turbo": "sam-med3d-turbo", "original": "sam-med3d"}
        ),
        has_features=True,
    ),
    "atlas": GeneralistEntry(
        "samssl_cli.generalists.atlas:Atlas",
        "the labeled cases, registered to each image, correct what lies far from their labels; CPU",
        "ours; Vercauteren et al., NeuroImage 45, 2009 (demons)",
        needs_checkpoint=False,
        needs_labeled=True,
    ),
    "region-growing": GeneralistEntry(
        "samssl_cli.generalists.region_growing:RegionGrowing",
        "classical seeded region growing in 3D; no weights, no GPU",
        "Adams & Bischof, IEEE TPAMI 16(6), 1994",
        needs_checkpoint=False,
    ),
    "none": GeneralistEntry(
        "samssl_cli.generalists.none:Nobody",
        "nobody is asked: the specialist's own cleaned mask, the control of every other",
        "Lee, ICML 2013 workshop (pseudo-labels); docs/few-labels.md",
        needs_checkpoint=False,
        is_asked=False,
    ),
}
