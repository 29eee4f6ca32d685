"""What the sections are made of: the base of a table, and the kinds of numbers.

Every number has its bounds here or at its field, so that a wrong value is refused when it is read.
"""

import math
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, strict=True)]
PositiveCount = Annotated[int, Field(ge=1, strict=True)]
Size = tuple[PositiveCount, PositiveCount, PositiveCount]
Names = Annotated[tuple[str, ...], Field(min_length=1)]


def _refuse_what_is_not_plain(value: Any) -> Any:
    """Refuse what no fingerprint can be made of, such as NaN or a date, wherever it is."""
    if isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            _refuse_what_is_not_plain(inner)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"holds {value}, expected a finite number")
    elif value is not None and not isinstance(value, str | bool | int | float):
        raise ValueError(
            f"holds {value!s} ({type(value).__name__}), expected text, a number, true or false, a "
            "list or a table"
        )
    return value


Tables = Annotated[dict[str, dict[str, Any]], AfterValidator(_refuse_what_is_not_plain)]
"""Options of parts, which check them once they are chosen."""


class Section(BaseModel):
    """A table of a recipe: unknown keys are refused, values cannot change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    without_effect: ClassVar[frozenset[str]] = frozenset()
    """Keys that change no result: they are no part of a fingerprint."""
