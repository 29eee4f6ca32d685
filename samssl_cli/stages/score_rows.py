"""The rows of a score: how a label map came about, before it is compared with the reference."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class RowMeaning:
    """What a row is, for whoever reads its numbers."""

    kind: Literal["prediction", "control", "sanity", "upper-bound"]
    explanation: str


RAW = "raw"
HEADLINE = "largest-component"
BLURRED = "blur+largest-component"
TEMPLATE = "template"
OWN_PROMPTS = "generalist+specialist-prompts"
ORACLE_PROMPTS = "generalist+oracle-prompts"

REFINED = "refined"
REFINED_HEADLINE = "refined+largest-component"

PREDICTIONS = (RAW, HEADLINE, BLURRED)
REFINEMENTS = (REFINED, REFINED_HEADLINE)
ASKED = (OWN_PROMPTS, ORACLE_PROMPTS)

ROWS: dict[str, RowMeaning] = {
    RAW: RowMeaning("prediction", "The likeliest class of every voxel, as predicted."),
    HEADLINE: RowMeaning(
        "prediction", "The same with every class reduced to its largest connected component."
    ),
    BLURRED: RowMeaning(
        "control",
        "The probabilities blurred first: what smoothness alone gains, without any generalist.",
    ),
    REFINED: RowMeaning(
        "prediction",
        "The prediction put to the generalist with its own prompts, and combined with the answers "
        "as sam-label would.",
    ),
    REFINED_HEADLINE: RowMeaning(
        "prediction", "The refined one with every class reduced to its largest component."
    ),
    TEMPLATE: RowMeaning(
        "sanity",
        "The labeled masks stretched onto the case, without a look at its image: whoever scores "
        "less has learned nothing, and much of a score near it is the data set's cropping.",
    ),
    OWN_PROMPTS: RowMeaning(
        "sanity",
        "The generalist alone, asked with the prompts that this prediction places: without the "
        "specialist's share and without a gate.",
    ),
    ORACLE_PROMPTS: RowMeaning(
        "upper-bound",
        "The generalist alone, asked with prompts placed on the reference itself: nobody has such "
        "prompts. How far better prompts could carry this generalist; no bound of a student.",
    ),
}


def rows_of(*, is_sane: bool, is_asked: bool, is_refined: bool) -> list[str]:
    """The rows of a score, in order.

    Args:
        is_sane: whether sanity rows are wanted.
        is_asked: whether a generalist is asked.
        is_refined: whether it is part of the prediction.
    """
    return [
        *PREDICTIONS,
        *(REFINEMENTS if is_refined else ()),
        *([TEMPLATE] if is_sane else []),
        *(ASKED if is_asked and is_sane else ()),
    ]
