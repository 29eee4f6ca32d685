"""Every knob of every stage: one pydantic section per concern, readable without torch.

A recipe is a TOML file with one table per section. `samssl ... --recipe NAME|FILE` picks one of
the recipes that ship with the package or reads a file; `--set section.key=value` changes single
values. What a recipe does not name keeps the default written here. The sections that a stage uses
are stored in the artifact it writes, and are part of its fingerprint.
"""

import json
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from samssl_cli.errors import RecipeError

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, strict=True)]
PositiveCount = Annotated[int, Field(ge=1, strict=True)]
Size = tuple[PositiveCount, PositiveCount, PositiveCount]
Names = Annotated[tuple[str, ...], Field(min_length=1)]

Model = TypeVar("Model", bound=BaseModel)

SHIPPED = Path(__file__).parent / "recipes"


class Section(BaseModel):
    """A table of a recipe: unknown keys are refused, values cannot change after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    without_effect: ClassVar[frozenset[str]] = frozenset()
    """Keys that change no result: they are no part of a fingerprint."""


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
        0.0, description="dropout rate; with 0, uamt's uncertainty comes from noise alone"
    )

    def with_norm(self, norm: Literal["instance", "batch"]) -> "Network":
        """The same network, with `norm` where the recipe left it open."""
        return self.model_copy(update={"norm": norm}) if self.norm == "auto" else self


class Augmentation(Section):
    """Random changes of a training patch; each range is drawn from uniformly."""

    rotation_rad: NonNegative = Field(0.35, description="largest rotation about each axis")
    scale: Annotated[float, Field(ge=0, lt=0.9)] = Field(
        0.25, description="largest relative change of size"
    )
    elastic: NonNegative = Field(
        0.08, description="largest elastic shift, as a fraction of half the patch"
    )
    affine_probability: Fraction = Field(1.0, description="how often a patch is warped")
    flip_axes: tuple[Annotated[int, Field(ge=0, le=2)], ...] = Field(
        (), description="axes that are mirrored half of the time (0 left-right, 1, 2)"
    )
    rotate90_axes: tuple[Annotated[int, Field(ge=0, le=2)], ...] = Field(
        (), description="two axes that span the plane of random quarter turns"
    )
    intensity_probability: Fraction = Field(
        0.5, description="how often each of the intensity changes below is applied"
    )
    brightness: NonNegative = Field(0.2, description="largest shift, in standard deviations")
    contrast: Annotated[float, Field(ge=0, lt=1)] = Field(0.3, description="largest scaling - 1")
    gamma: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.3, description="largest |log2| of the gamma curve"
    )
    noise_std: NonNegative = Field(0.15, description="largest noise, in standard deviations")
    blur_sigma_voxels: NonNegative = Field(1.0, description="largest Gaussian blur")
    bias_field: NonNegative = Field(0.3, description="largest smooth multiplicative drift")

    @model_validator(mode="after")
    def _plane_has_two_axes(self) -> "Augmentation":
        if len(set(self.rotate90_axes)) not in (0, 2) or len(self.rotate90_axes) not in (0, 2):
            raise ValueError("rotate90_axes names two different axes, or none")
        return self

    @model_validator(mode="after")
    def _flips_each_axis_once(self) -> "Augmentation":
        if len(set(self.flip_axes)) < len(self.flip_axes):
            raise ValueError("flip_axes names an axis twice")
        return self


class Optimization(Section):
    """How any network is fitted."""

    without_effect = frozenset({"checkpoint_every"})

    steps: PositiveCount = Field(6000, description="optimisation steps")
    optimizer: Literal["sgd", "adamw"] = Field("adamw", description="optimiser")
    learning_rate: Positive = Field(2e-3, description="rate at the start")
    momentum: Fraction = Field(0.9, description="of sgd")
    weight_decay: NonNegative = Field(1e-4, description="L2 penalty (decoupled for adamw)")
    schedule: Literal["constant", "cosine", "poly", "step"] = Field(
        "cosine", description="how the rate falls"
    )
    poly_power: Positive = Field(0.9, description="exponent of the poly schedule")
    decay_every: PositiveCount = Field(2500, description="steps between divisions by 10 (step)")
    max_gradient_norm: NonNegative = Field(
        12.0, description="clip gradients to this norm; 0 leaves them alone"
    )
    mixed_precision: bool = Field(True, description="half precision on CUDA; CPU always uses fp32")
    checkpoint_every: PositiveCount = Field(250, description="steps between saved states")


class Training(Optimization):
    """What `train-ssl` and `retrain` share."""

    method: str = Field("mean-teacher", description="a row of `samssl list methods`")
    method_options: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="one table per method; that of the chosen one is used"
    )
    patch_size: Size = Field((96, 96, 96), description="voxels of a training patch")
    labeled_batch: PositiveCount = Field(1, description="labeled patches per step")
    unlabeled_batch: Count = Field(1, description="unlabeled patches per step")
    foreground_probability: Fraction = Field(
        0.5, description="how often a labeled patch is centred on a labeled voxel"
    )

    def narrowed(self) -> Self:
        """The same section with the options of the chosen method alone."""
        chosen = {self.method: self.method_options.get(self.method, {})}
        return self.model_copy(update={"method_options": chosen})


class TrainSsl(Training):
    """The specialist, from labeled and unlabeled cases."""


class Retrain(Training):
    """The student, from labeled cases and pseudo-labels."""

    method: str = Field("supervised", description="a row of `samssl list methods`")
    sam_loss: Literal["dice-ce", "mse"] = Field(
        "dice-ce", description="how the student is held to the pseudo-label's probabilities"
    )
    sam_weight: NonNegative = Field(1.0, description="largest weight of the pseudo-label term")
    sam_schedule: Literal["constant", "ramp-up", "ramp-down"] = Field(
        "constant", description="how that weight moves; ramp-down is SemiSAM's"
    )
    sam_ramp_fraction: Fraction = Field(1.0, description="part of all steps that the ramp takes")


class Inference(Section):
    """Sliding-window prediction, always with the patch size of the training."""

    overlap: Annotated[float, Field(ge=0, lt=1)] = Field(0.5, description="of adjoining windows")
    window_batch: PositiveCount = Field(2, description="windows per forward pass")
    flips: bool = Field(
        False,
        description="mean of the predictions of all 8 mirrored volumes, in 8 times the time; a "
        "network that was trained without all augmentation.flip_axes gets worse by it",
    )


class Prompt(Section):
    """How the specialist's predictions become prompts."""

    strategies: Annotated[tuple[str, ...], Field(min_length=1)] = Field(
        ("mask", "box", "points"), description="rows of `samssl list strategies`, used together"
    )
    uncertainty: Literal["entropy", "stochastic"] = Field(
        "entropy", description="of one prediction, or of the mean of several with dropout and noise"
    )
    num_passes: PositiveCount = Field(8, description="predictions for stochastic uncertainty")
    input_noise_std: NonNegative = Field(0.1, description="noise of the stochastic passes")
    min_component_voxels: PositiveCount = Field(64, description="smaller islands are ignored")
    min_component_fraction: Fraction = Field(
        0.25, description="islands smaller than this part of the class's largest are ignored"
    )
    num_sets: PositiveCount = Field(3, description="prompt sets per object, all but one perturbed")
    perturbation: NonNegative = Field(
        0.1, description="size of the perturbations, relative to the object's mean half-width"
    )
    box_margin_voxels: Count = Field(2, description="added on every side of a box")
    num_positive: Count = Field(3, description="points inside the object")
    num_negative: Count = Field(2, description="points outside, near its border")
    confident: Annotated[float, Field(gt=0.5, lt=1)] = Field(
        0.8, description="probability from which a voxel counts as confident"
    )


class SamLabel(Section):
    """How the generalist is asked, and how far its answer is believed."""

    generalist: str | Names = Field(
        "region-growing",
        description="a row of `samssl list generalists`, or the path of a generalist.zarr, or "
        "several that are asked together",
    )
    options: dict[str, dict[str, Any]] = Field(
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

    def narrowed(self) -> "SamLabel":
        """The same section with the options of the chosen generalists alone."""
        chosen = {name: self.options.get(name, {}) for name in self.generalists}
        return self.model_copy(update={"options": chosen})


class Gate(Section):
    """How the calibrated gate learns what the answers are worth; see docs/gate.md."""

    num_draws: PositiveCount = Field(
        24,
        description="simulated specialists, shared among the labeled cases; each has four at least",
    )
    severity: tuple[NonNegative, Positive] = Field(
        (0.2, 1.4), description="how mistaken they are, from the best to the worst"
    )
    voxels_per_object: PositiveCount = Field(
        4000, description="voxels of each simulated object that are learned from"
    )
    penalty: Positive = Field(1e-3, description="L2 penalty of the logistic regression")
    standard_errors: NonNegative = Field(
        1.0,
        description="by how many the gated Dice has to exceed the specialist's, out of fold, for "
        "the generalist to be let in",
    )
    volume_margin: Annotated[float, Field(ge=1)] = Field(
        2.0,
        description="an object this many times larger or smaller than all that were seen keeps "
        "the specialist's label",
    )
    seed: Count = Field(0, description="of the simulated specialists and the voxels")

    @model_validator(mode="after")
    def _severity_rises(self) -> "Gate":
        if self.severity[0] > self.severity[1]:
            raise ValueError("severity names the smaller number first")
        return self


class PretrainScout(Optimization):
    """How `scout` learns from procedural scenes."""

    steps: PositiveCount = Field(3600, description="optimisation steps; each draws a new scene")
    batch_size: PositiveCount = Field(4, description="prompts per step")
    average_decay: Fraction = Field(
        0.995, description="of the running mean of the weights, which is what is kept"
    )


class Adapt(Optimization):
    """How a generalist is adapted to the labeled cases."""

    steps: PositiveCount = Field(300, description="most steps; the left-out labels say how many")
    learning_rate: Positive = Field(2e-4, description="rate at the start")
    schedule: Literal["constant", "cosine", "poly", "step"] = Field(
        "constant", description="how the rate falls"
    )
    checkpoint_every: PositiveCount = Field(25, description="steps between saved states")
    batch_size: PositiveCount = Field(4, description="prompts per step, replayed ones included")
    replay: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.5, description="share of them about procedural scenes, so that scout forgets no other"
    )
    average_decay: Fraction = Field(
        0.98, description="of the running mean of the weights, which is what is kept"
    )
    folds: Annotated[int, Field(ge=2, strict=True)] = Field(
        4, description="parts of the labeled cases, each left out once; two halves of a single case"
    )
    check_every: PositiveCount = Field(
        50, description="steps between answers to the prompts on the left-out cases"
    )
    prompts_per_case: PositiveCount = Field(8, description="prompts on each left-out case")
    lora_rank: PositiveCount = Field(
        4, description="of the low-rank updates to the encoder of sam and sam-med3d"
    )
    min_component_voxels: PositiveCount = Field(
        64, description="smaller islands of a label are not prompted"
    )
    min_component_fraction: Fraction = Field(
        0.25, description="nor those smaller than this part of the class's largest"
    )

    @property
    def num_replayed(self) -> int:
        """Prompts per step about procedural scenes; at least one is about a labeled case."""
        return min(round(self.replay * self.batch_size), self.batch_size - 1)

    @property
    def checks(self) -> tuple[int, ...]:
        """The steps after which the left-out cases are asked about, the last one among them."""
        return (*range(self.check_every, self.steps, self.check_every), self.steps)


class Evaluate(Section):
    """Which cases are scored, how predictions are cleaned first, and what stands beside them."""

    cases: Literal["test", "unlabeled", "held-out"] = Field(
        "test", description="held-out: every unlabeled or test case that has a reference"
    )
    blur_sigma_voxels: Positive = Field(1.5, description="of the blur + largest-component control")
    tolerance: Positive = Field(
        2.0, description="surfaces this close agree for nsd; in mm, or in voxels with in_voxels"
    )
    in_voxels: bool | None = Field(
        None,
        description="distances and volumes in voxels, as the literature on h5 data prints; left "
        "out: in voxels where the data knows no voxel size, else in mm and ml",
    )
    sanity: bool = Field(
        True,
        description="score beside it an image-blind template and, for a checkpoint, the generalist "
        "with its prompts and with prompts from the reference",
    )
    known_as: str = Field(
        "",
        description="the data set's name in the register of what generalists were trained on; "
        "empty: the name it has",
    )


class Recipe(Section):
    """All sections of a run."""

    preprocess: Preprocess = Preprocess()
    network: Network = Network()
    augmentation: Augmentation = Augmentation()
    train_ssl: TrainSsl = TrainSsl()
    prompt: Prompt = Prompt()
    sam_label: SamLabel = SamLabel()
    gate: Gate = Gate()
    retrain: Retrain = Retrain()
    inference: Inference = Inference()
    evaluate: Evaluate = Evaluate()
    pretrain_scout: PretrainScout = PretrainScout()
    adapt: Adapt = Adapt()

    def narrowed(self) -> "Recipe":
        """The same recipe without the options of methods and generalists that are not chosen."""
        return self.model_copy(
            update={
                "train_ssl": self.train_ssl.narrowed(),
                "retrain": self.retrain.narrowed(),
                "sam_label": self.sam_label.narrowed(),
            }
        )

    def with_norm(self, norm: Literal["instance", "batch"]) -> "Recipe":
        """The same recipe, with `network.norm` decided."""
        return self.model_copy(update={"network": self.network.with_norm(norm)})

    def options(self, *sections: str) -> dict[str, Any]:
        """The named sections as plain JSON values, without what changes no result."""
        found = {name: getattr(self, name) for name in sections}
        return {
            name: section.model_dump(mode="json", exclude=set(section.without_effect))
            for name, section in found.items()
        }


def shipped_recipes() -> dict[str, str]:
    """The names of the shipped recipes and what the first comment line of each says."""
    return {
        path.stem: path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        for path in sorted(SHIPPED.glob("*.toml"))
    }


def read_recipe(name_or_path: str, overrides: Iterable[str] = ()) -> Recipe:
    """Read a shipped recipe or a file, and apply `section.key=value` overrides.

    Raises:
        RecipeError: naming the file, the section, the key and what was expected there.
    """
    path = _find(name_or_path)
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"recipe {path}: cannot be read as TOML: {error}") from error
    for override in overrides:
        _apply(table, override)
    return validate(Recipe, table, where=f"recipe {name_or_path}")


def validate(model: type[Model], table: Mapping[str, Any], *, where: str) -> Model:
    """Build `model` from `table`; a `RecipeError` lists every wrong key in plain words."""
    try:
        return model.model_validate(table)
    except ValidationError as error:
        lines = [f"{_dotted(item['loc'])}: {item['msg']}" for item in error.errors()]
        raise RecipeError("\n  - ".join([f"{where} is not valid:", *lines])) from error


def _find(name_or_path: str) -> Path:
    shipped = SHIPPED / f"{name_or_path}.toml"
    if name_or_path in shipped_recipes():
        return shipped
    path = Path(name_or_path)
    if not path.is_file():
        known = ", ".join(shipped_recipes())
        raise RecipeError(f"there is no recipe {name_or_path!r}: neither a file nor one of {known}")
    return path


def _apply(table: dict[str, Any], override: str) -> None:
    """Set one dotted key in place: `train_ssl.learning_rate=0.01`."""
    dotted, equals, text = override.partition("=")
    *parents, key = dotted.strip().split(".")
    if not equals or not parents or not key:
        raise RecipeError(f"--set {override!r}: expected section.key=value")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise RecipeError(f"--set {override!r}: {parent!r} is a value, not a section")
    table[key] = _value(text.strip())


def _value(text: str) -> Any:
    """Read a number, true/false, a list or a quoted string; anything else is a plain string."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _dotted(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "recipe"
