"""The options of `sam`: what it is shown of a volume and told, and which answer is kept."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from samssl_cli.generalists.sam_axes import AxesName
from samssl_cli.generalists.sam_candidates import MultimaskName
from samssl_cli.generalists.sam_predictor import ClicksName, PrecisionName
from samssl_cli.generalists.sam_weights import ArchitectureName
from samssl_cli.generalists.sam_window import Window, WindowName
from samssl_cli.recipe import Count, Positive, PositiveCount, Section


def _as_it_was_called(value: object) -> object:
    """Read true and false, which older recipes have, as the names of today."""
    if isinstance(value, bool):
        return "rated" if value else "off"
    return value


class SamOptions(Section):
    """Options of `sam`."""

    architecture: ArchitectureName = Field(
        "auto", description="vit_b, vit_l or vit_h; auto reads it from the weights"
    )
    preprocessing: Literal["sam", "medsam"] = Field(
        "sam", description="medsam for the weights of MedSAM, which saw other pictures"
    )
    axis: AxesName = Field(
        "k",
        description="slices are cut across this axis; auto: the one with fewest slices; all: "
        "across each of the three, averaging the probabilities of those that looked",
    )
    max_anisotropy: float = Field(
        3.0,
        ge=1,
        description="of axis = all: only those axes answer whose pixels are at most this many "
        "times longer than wide",
    )
    mosaic: PositiveCount | Literal["fit"] = Field(
        1,
        description="neighbouring slices along each side of one picture, encoded at once; fit: so "
        "many that one picture holds the volume",
    )
    channel: Count | None = Field(
        None, description="shown in grey; by default channel 0, or three channels as RGB"
    )
    window: WindowName = Field(
        "percentiles",
        description="which intensities are black and white: percentiles of all voxels, of the "
        "tissue (all but air, where there is much), of what is around the object, or fixed numbers",
    )
    window_percentiles: tuple[float, float] = Field(
        (0.5, 99.5), description="intensities shown as black and as white, unless they are fixed"
    )
    window_fixed: tuple[float, float] | None = Field(
        None, description="the same of window = fixed, on the scale of cases.zarr"
    )
    box_margin: Count = Field(
        2, description="pixels around the mask's own box on a slice, kept inside the 3D box"
    )
    use_mask_prompt: bool = Field(
        True, description="pass the mask on as logits, besides the box that it gives"
    )
    mask_logit: Positive = Field(8.0, description="logit of a mask prompt, inside")
    clicks: ClicksName = Field(
        "together",
        description="one-by-one: each further click on a slice comes with the logits of the answer "
        "before it, positive ones first",
    )
    multimask: Annotated[MultimaskName, BeforeValidator(_as_it_was_called)] = Field(
        "off",
        description="of three masks, keep the one that SAM rates best, or that agrees best with "
        "the prompt's mask",
    )
    encode_batch: PositiveCount = Field(
        1, description="neighbouring pictures per encoder pass; all of them, asked for or not"
    )
    image_size: Annotated[int, Field(ge=64, multiple_of=16)] | None = Field(
        None,
        description="pixels along a side of what the encoder sees, positions interpolated; 512 "
        "takes less than a quarter of the time, and changes the answers; by default the weights'",
    )
    precision: PrecisionName = Field(
        "float32",
        description="of the encoder; bfloat16 takes less time on GPUs and CPUs that have it, and "
        "changes the answers a little",
    )
    decode_batch: PositiveCount = Field(32, description="prompts per decoder pass")

    @model_validator(mode="after")
    def _percentiles_rise(self) -> "SamOptions":
        low, high = self.window_percentiles
        if not 0 <= low < high <= 100:
            raise ValueError("window_percentiles are two rising numbers from 0 to 100")
        return self

    @model_validator(mode="after")
    def _fixed_window_has_ends(self) -> "SamOptions":
        if (self.window == "fixed") != (self.window_fixed is not None):
            raise ValueError("window = fixed and window_fixed go together")
        if self.window_fixed is not None and not self.window_fixed[0] < self.window_fixed[1]:
            raise ValueError("window_fixed are two rising numbers")
        return self

    @property
    def intensities(self) -> Window:
        """The three keys of the window as one rule."""
        return Window(self.window, self.window_percentiles, self.window_fixed)
