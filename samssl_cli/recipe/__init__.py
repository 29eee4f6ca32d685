"""Every knob of every stage: one pydantic section per concern, readable without torch.

A recipe is a TOML file with one table per section. `samssl ... --recipe NAME|FILE` picks one of
the recipes that ship with the package or reads a file; `--set section.key=value` changes single
values. What a recipe does not name keeps the default written here. The sections that a stage uses
are stored in the artifact it writes, and are part of its fingerprint.
"""

from samssl_cli.recipe.adapt import Adapt
from samssl_cli.recipe.augmentation import Augmentation
from samssl_cli.recipe.evaluate import Evaluate
from samssl_cli.recipe.first_guess import FirstGuess
from samssl_cli.recipe.gate import Gate
from samssl_cli.recipe.inference import Inference
from samssl_cli.recipe.network import Network
from samssl_cli.recipe.optimization import Optimization
from samssl_cli.recipe.preprocess import Preprocess
from samssl_cli.recipe.pretrain_scout import PretrainScout
from samssl_cli.recipe.prompt import Prompt
from samssl_cli.recipe.reading import read_recipe, validate
from samssl_cli.recipe.sam_label import SamLabel
from samssl_cli.recipe.section import (
    Count,
    Fraction,
    Names,
    NonNegative,
    Positive,
    PositiveCount,
    Section,
    Size,
)
from samssl_cli.recipe.shipped import shipped_recipes
from samssl_cli.recipe.training import Retrain, Training, TrainSsl
from samssl_cli.recipe.whole import Recipe

__all__ = [
    "Adapt",
    "Augmentation",
    "Count",
    "Evaluate",
    "FirstGuess",
    "Fraction",
    "Gate",
    "Inference",
    "Names",
    "Network",
    "NonNegative",
    "Optimization",
    "Positive",
    "PositiveCount",
    "Preprocess",
    "PretrainScout",
    "Prompt",
    "Recipe",
    "Retrain",
    "SamLabel",
    "Section",
    "Size",
    "TrainSsl",
    "Training",
    "read_recipe",
    "shipped_recipes",
    "validate",
]
