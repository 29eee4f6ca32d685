"""The section of `sam-label`."""

from typing import Any, Literal

from pydantic import Field, field_validator

from samssl_cli.recipe.section import Fraction, Names, Section, Tables


class SamLabel(Section):
    """How the generalist is asked, and how far its answer is believed."""

    generalist: str | Names = Field(
        "atlas",
        description="a row of `samssl list generalists`, or the path of a generalist.zarr, or "
        "several that are asked together",
    )
    options: Tables = Field(
        default_factory=dict,
        description="one table per generalist; those of the chosen ones are used",
    )
    gate: Literal["thresholds", "calibrated"] = Field(
        "thresholds",
        description="what decides how far an answer counts: the three numbers below, or what "
        "[gate] learns on the labeled cases",
    )
    specialist_weight: Fraction = Field(
        0.5, description="share of the specialist in the pseudo-label's probability; of thresholds"
    )
    min_predicted_iou: Fraction = Field(
        0.0, description="an object whose answer promises less is rejected; of thresholds"
    )
    min_agreement: Fraction = Field(
        0.6,
        description="an object whose answer has less Dice with the specialist's is rejected; of "
        "thresholds",
    )

    @field_validator("generalist")
    @classmethod
    def _each_once(cls, value: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if isinstance(value, str):
            return value
        if len(set(value)) < len(value):
            raise ValueError("names a generalist twice")
        return value[0] if len(value) == 1 else value

    @property
    def generalists(self) -> tuple[str, ...]:
        """The names of all that are asked."""
        return (self.generalist,) if isinstance(self.generalist, str) else self.generalist

    @property
    def chosen_options(self) -> dict[str, Any]:
        """The options of the chosen generalist, where there is one."""
        (name,) = self.generalists
        return self.options.get(name, {})

    def only(self, name: str) -> "SamLabel":
        """The same section with one of its generalists."""
        return self.model_copy(update={"generalist": name})

    def of_specialist_alone(self) -> "SamLabel":
        """The same section with thresholds that make the pseudo-label the specialist's own."""
        alone = {"specialist_weight": 1.0, "min_predicted_iou": 0.0, "min_agreement": 0.0}
        return self.model_copy(update=alone)

    def narrowed(self) -> "SamLabel":
        """The same section with the options of the chosen generalists alone."""
        chosen = {name: self.options.get(name, {}) for name in self.generalists}
        return self.model_copy(update={"options": chosen})
