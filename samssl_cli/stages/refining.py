"""`--refine`: a prediction is put to the generalists, and all are combined as sam-label would.

What `evaluate` and `predict` share. Nothing here opens an artifact but the generalists' weights.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from samssl_cli.errors import UsageError
from samssl_cli.generalists import GENERALISTS
from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe, SamLabel
from samssl_cli.stages.asking import ask, check_strategies, place_prompts
from samssl_cli.stages.inputs import check_option_tables
from samssl_cli.stages.panel import (
    Panel,
    Weights,
    asks_nobody,
    choose_panel,
    load_panel,
    which_generalists,
    with_rows,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from samssl_cli.generalists.combine import Answer, Combined
    from samssl_cli.generalists.embedding_cache import EmbeddingCache
    from samssl_cli.generalists.types import Generalist
    from samssl_cli.prompts.types import ObjectPrompts
    from samssl_cli.stages.which_generalist import Which


@dataclass(frozen=True)
class Refinement:
    """Who refines predictions, and how they are asked; nothing is loaded yet."""

    recipe: Recipe
    """Its sections prompt and sam_label are used."""
    panel: Panel

    @property
    def made_with(self) -> dict[str, Any]:
        """What decides the result, as JSON values."""
        records = [one.record for one in self.panel]
        return {"refined_by": records, **self.recipe.options("prompt", "sam_label")}

    def load(self, device: str, embeddings: "EmbeddingCache | None") -> "Sequence[Generalist]":
        """Build the generalists with their weights, on a device."""
        return load_panel(self.panel, device, embeddings)


@dataclass(frozen=True)
class Refined:
    """A prediction with what the generalists said of it, on the preprocessed grid."""

    objects: "tuple[ObjectPrompts, ...]"
    """Placed on the prediction."""
    answers: "list[Answer]"
    """One for each object."""
    combined: "Combined"
    """The specialist and the answers together."""


def plan_refinement(recipe: Recipe, weights: Weights, progress: Progress) -> Refinement:
    """Find the generalists of a recipe with their weights, in the weights folder when not named.

    Raises:
        UsageError: when a generalist or strategy is unknown, the weights do not fit it, nobody is
            asked, or the gate would have to be calibrated.
        WeightsError: when they cannot be read.
    """
    check_option_tables(recipe)
    check_strategies(recipe.prompt)
    check_gate_refines(recipe.sam_label)
    found = which_generalists(recipe, weights)
    check_somebody_refines(found)
    _check_no_labels_are_needed(found)
    return Refinement(with_rows(recipe, found), choose_panel(found, None, progress))


def check_gate_refines(options: SamLabel) -> None:
    """Raise a `UsageError` for a gate that learns on labeled cases, which are not at hand."""
    if options.gate == "calibrated":
        raise UsageError(
            '--refine: sam_label.gate = "calibrated" learns on the labeled cases of sam-label, and '
            "none are at hand; add --set sam_label.gate=thresholds"
        )


def _check_no_labels_are_needed(found: "Sequence[Which]") -> None:
    for which in found:
        if GENERALISTS[which.name].needs_labeled:
            raise UsageError(
                f"--refine: generalist {which.name} looks at the labeled cases, and a checkpoint "
                "has none; name another, such as --generalist scout (evaluate has them at hand)"
            )


def check_somebody_refines(found: "Sequence[Which]") -> None:
    """Raise a `UsageError` where nobody is asked, as in a recipe of self-training."""
    if asks_nobody(found):
        raise UsageError(
            "--refine: generalist none asks nobody, and a prediction alone is not refined; add "
            "--generalist with one that answers, or leave out --refine"
        )


def refine(
    generalists: "Sequence[Generalist]",
    embed: Callable[[], list[Any]],
    probability: "NDArray[np.float32]",
    uncertainty: "NDArray[np.float32]",
    recipe: Recipe,
    *,
    seed: int,
) -> Refined:
    """Prompt every object of a prediction, ask about it, and combine.

    Args:
        generalists: to ask.
        embed: encodes the image for each of them; called only when there is an object.
        probability: (classes, I, J, K) of the prediction.
        uncertainty: (I, J, K) of the prediction.
        recipe: its sections prompt and sam_label are used.
        seed: of the case.
    """
    import numpy as np

    from samssl_cli.generalists.combine import combine

    objects = place_prompts(probability, uncertainty, recipe.prompt, seed=seed)
    answers = ask(generalists, embed, objects, recipe.sam_label)
    kept = probability.astype(np.float16).astype(np.float32)  # as prompts.zarr keeps it
    return Refined(objects, answers, combine(kept, answers, recipe.sam_label))
