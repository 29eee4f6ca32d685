"""All sections of a run together."""

from typing import Any, Literal

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

    preprocess: Preprocess = Preprocess()
    network: Network = Network()
    augmentation: Augmentation = Augmentation()
    train_ssl: TrainSsl = TrainSsl()
    prompt: Prompt = Prompt()
    first_guess: FirstGuess = FirstGuess()
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
