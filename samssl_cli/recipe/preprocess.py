"""The section of `preprocess`."""

from typing import Literal

from pydantic import Field

from samssl_cli.recipe.section import Positive, Section


class Preprocess(Section):
    """How raw volumes become cases on one grid with one intensity scale."""

    spacing_mm: Literal["median", "keep"] | tuple[Positive, Positive, Positive] = Field(
        "median",
        description="grid to resample to: the data set's median, each case's own, or three numbers",
    )
    crop: Literal["none", "nonzero"] = Field(
        "none", description="cut away the border where every channel is zero; never looks at a mask"
    )
    intensity: Literal["auto", "ct", "zscore"] = Field(
        "auto",
        description="ct: percentile window of the labeled foreground; zscore: of the non-zero "
        "region; auto: ct for channels named CT",
    )
    max_volume_gb: Positive = Field(
        4.0, description="refuse a file that would take more memory than this once it is read"
    )
