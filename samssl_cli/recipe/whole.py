"""All sections of a run together."""

from typing import Any, Literal

from pydantic import Field

from samssl_cli.recipe.adapt import Adapt
from samssl_cli.recipe.augmentation import Augmentation
from samssl_cli.recipe.evaluate import Evaluate
from samssl_cli.recipe.first_guess import FirstGuess
from samssl_cli.recipe.gate import Gate
from samssl_cli.recipe.inference import Inference
from samssl_cli.recipe.network import Network
from samssl_cli.recipe.preprocess import Preprocess
from samssl_cli.recipe.pretrain_scout import PretrainScout
from samssl_cli.recipe.prompt import Prompt
from samssl_cli.recipe.sam_label import SamLabel
from samssl_cli.recipe.section import Section
from samssl_cli.recipe.training import Retrain, TrainSsl


class Recipe(Section):
    """All sections of a run."""

    preprocess: Preprocess = Field({}, validate_default=True)
    network: Network = Field({}, validate_default=True)
    augmentation: Augmentation = Field({}, validate_default=True)
    train_ssl: TrainSsl = Field({}, validate_default=True)
    prompt: Prompt = Field({}, validate_default=True)
    first_guess: FirstGuess = Field({}, validate_default=True)
    sam_label: SamLabel = Field({}, validate_default=True)
    gate: Gate = Field({}, validate_default=True)
    retrain: Retrain = Field({}, validate_default=True)
    inference: Inference = Field({}, validate_default=True)
    evaluate: Evaluate = Field({}, validate_default=True)
    pretrain_scout: PretrainScout = Field({}, validate_default=True)
    adapt: Adapt = Field({}, validate_default=True)

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
        without = {name: set(getattr(self, name).without_effect) for name in sections}
        # The serializer of the whole recipe is there; a section would have to build its own.
        dumped = self.model_dump(mode="json", include=set(sections), exclude=without)
        return {name: dumped[name] for name in sections}
