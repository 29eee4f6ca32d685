"""`--refine`: a prediction is put to the generalist, and the two are combined as sam-label would.

What `evaluate` and `predict` share. Nothing here opens an artifact but the generalist's weights.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe
from samssl_cli.stages.asking import (
    ask,
    check_strategies,
    choose_weights,
    generalist_record,
    load_generalist,
    place_prompts,
    weights_digest,
)
from samssl_cli.stages.inputs import check_option_tables

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from samssl_cli.generalists.combine import Answer, Combined
    from samssl_cli.generalists.embedding_cache import EmbeddingCache
    from samssl_cli.generalists.types import Generalist
    from samssl_cli.prompts.types import ObjectPrompts


@dataclass(frozen=True)
class Refinement:
    """Who refines predictions, and how it is asked; nothing is loaded yet."""

    recipe: Recipe
    """Its sections prompt and sam_label are used."""
    weights: Path | None
    digest: Mapping[str, str]

    @property
    def made_with(self) -> dict[str, Any]:
        """What decides the result, as JSON values."""
        record = generalist_record(self.recipe.sam_label, self.digest)
        return {"refined_by": record, **self.recipe.options("prompt", "sam_label")}

    def load(self, device: str, embeddings: "EmbeddingCache | None") -> "Generalist":
        """Build the generalist with its weights, on a device."""
        return load_generalist(
            self.recipe.sam_label, self.weights, device, digest=self.digest, embeddings=embeddings
        )


@dataclass(frozen=True)
class Refined:
    """A prediction with what the generalist said of it, on the preprocessed grid."""

    objects: "tuple[ObjectPrompts, ...]"
    """Placed on the prediction."""
    answers: "list[Answer]"
    """One for each object."""
    combined: "Combined"
    """The specialist and the answers together."""


def plan_refinement(recipe: Recipe, weights: Path | None, progress: Progress) -> Refinement:
    """Find the generalist of a recipe with its weights, in the weights folder when none are named.

    Raises:
        UsageError: when a generalist or strategy is unknown, or the weights do not fit it.
        WeightsError: when they cannot be read.
    """
    check_option_tables(recipe)
    check_strategies(recipe.prompt)
    recipe = recipe.narrowed()
    chosen = choose_weights(recipe.sam_label, weights, progress)
    return Refinement(recipe, chosen, weights_digest(recipe.sam_label.generalist, chosen))


def refine(
    generalist: "Generalist",
    embed: Callable[[], Any],
    probability: "NDArray[np.float32]",
    uncertainty: "NDArray[np.float32]",
    recipe: Recipe,
    *,
    seed: int,
) -> Refined:
    """Prompt every object of a prediction, ask about it, and combine.

    Args:
        generalist: to ask.
        embed: encodes the image for it; called only when there is an object.
        probability: (classes, I, J, K) of the prediction.
        uncertainty: (I, J, K) of the prediction.
        recipe: its sections prompt and sam_label are used.
        seed: of the case.
    """
    import numpy as np

    from samssl_cli.generalists.combine import combine

    objects = place_prompts(probability, uncertainty, recipe.prompt, seed=seed)
    answers = ask(generalist, embed, objects, recipe.sam_label)
    kept = probability.astype(np.float16).astype(np.float32)  # as prompts.zarr keeps it
    return Refined(objects, answers, combine(kept, answers, recipe.sam_label))
