"""The section of the specialist's and the student's architecture."""

from typing import Annotated, Literal

from pydantic import Field

from samssl_cli.recipe.section import Fraction, PositiveCount, Section


class Network(Section):
    """The specialist's architecture."""

    name: str = Field("unet", description="a row of `samssl list networks`")
    channels: Annotated[tuple[PositiveCount, ...], Field(min_length=1, max_length=7)] = Field(
        (16, 32, 64, 128, 256),
        description="feature maps per level, finest first; vnet and segresnet double the first",
    )
    norm: Literal["auto", "instance", "batch"] = Field(
        "auto",
        description="normalisation layer; auto: batch for a method that learns from unlabeled "
        "patches, whose statistics adapt the network to them, else instance",
    )
    dropout: Fraction = Field(
        0.0,
        description="dropout rate; with 0, uamt's uncertainty comes from noise alone, and "
        "regularized-dropout is refused",
    )

    def with_norm(self, norm: Literal["instance", "batch"]) -> "Network":
        """The same network, with `norm` where the recipe left it open."""
        return self.model_copy(update={"norm": norm}) if self.norm == "auto" else self
