"""What the sections are made of: the base of a table, and the kinds of numbers.

Every number has its bounds here or at its field, so that a wrong value is refused when it is read.
"""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, strict=True)]
PositiveCount = Annotated[int, Field(ge=1, strict=True)]
Size = tuple[PositiveCount, PositiveCount, PositiveCount]
Names = Annotated[tuple[str, ...], Field(min_length=1)]


class Section(BaseModel):
    """A table of a recipe: unknown keys are refused, values cannot change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    without_effect: ClassVar[frozenset[str]] = frozenset()
    """Keys that change no result: they are no part of a fingerprint."""
