"""The labeled cases as parts see them that look at labels: first guesses and the atlas."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from samssl_cli.artifacts.cases import Cases

if TYPE_CHECKING:
    from samssl_cli.volumes.labeled_image import LabeledImage


@dataclass(frozen=True)
class Shown:
    """What a generalist is shown that looks at the labeled cases."""

    labeled: "tuple[LabeledImage, ...]"
    num_classes: int
    """The background included."""


def labeled_image(cases: Cases, name: str) -> "LabeledImage":
    """One labeled case."""
    import numpy as np

    from samssl_cli.volumes.labeled_image import LabeledImage

    case = cases.read_labeled(name)
    image = case.image.astype(np.float32)
    return LabeledImage(name, image, case.label, case.geometry.spacing_mm)


def shown(cases: Cases, *, without: Iterable[str] = ()) -> Shown:
    """All labeled cases but some, in their order."""
    left_out = frozenset(without)
    names = [name for name in cases.labeled if name not in left_out]
    return Shown(tuple(labeled_image(cases, name) for name in names), cases.facts.num_classes)
