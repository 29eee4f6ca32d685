"""Score one case: its label maps, row by row, and the diagnosis of what led to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samssl_cli.artifacts.cases import Cases, UnlabeledCase
from samssl_cli.artifacts.heldout import HeldOutLabels
from samssl_cli.artifacts.scores import CaseScores
from samssl_cli.generalists.types import Generalist
from samssl_cli.metrics.postprocess import blur_largest_component, largest_component
from samssl_cli.metrics.score import score_case
from samssl_cli.recipe import Recipe
from samssl_cli.stages.diagnosis import diagnose
from samssl_cli.stages.sanity import Asked, Template, ask_beside, prompt_records
from samssl_cli.stages.score_rows import (
    BLURRED,
    HEADLINE,
    ORACLE_PROMPTS,
    OWN_PROMPTS,
    RAW,
    REFINED,
    REFINED_HEADLINE,
    TEMPLATE,
)
from samssl_cli.stages.sources import Look, Source
from samssl_cli.volumes import geometry
from samssl_cli.volumes.geometry import Geometry, from_native_label, to_native_label
from samssl_cli.volumes.voxels import likeliest

Label = NDArray[np.uint8]


@dataclass(frozen=True)
class Scorer:
    """Everything that scoring a case takes, opened once."""

    cases: Cases
    references: HeldOutLabels
    source: Source
    recipe: Recipe
    one_object: Sequence[int]
    """Classes that are reduced to their largest component in the cleaned rows."""
    template: Template | None
    generalists: Sequence[Generalist]
    """Asked beside the prediction; empty for none."""
    is_refined: bool
    """Whether the generalists are part of the prediction."""

    def score(self, name: str) -> CaseScores:
        """Predict, clean, ask beside, compare."""
        case, reference = self.cases.read_unlabeled(name), self.references.read(name)
        look = self.source.look(case)
        num_classes = self.cases.facts.num_classes
        here = from_native_label(reference.astype(np.uint8), case.geometry, num_classes)
        asked = self._ask(case, look, here)
        labels = self._label_maps(case.geometry, look, asked)
        return CaseScores(
            prediction=labels[REFINED_HEADLINE if self.is_refined else HEADLINE],
            grid=case.geometry.native,
            rows=self._compare(labels, reference, case.geometry),
            pseudo_label=self._pseudo_label(case.geometry, asked),
            prompts=prompt_records(asked.objects if asked else look.objects or ()),
            diagnosis=diagnose(look, asked, here, self.cases.facts.class_names),
        )

    def _ask(self, case: UnlabeledCase, look: Look, reference: Label) -> Asked | None:
        if not self.generalists or look.uncertainty is None:
            return None
        beside = reference if self.recipe.evaluate.sanity else None
        return ask_beside(
            self.generalists, case, look.probability, look.uncertainty, beside, self.recipe
        )

    def _label_maps(self, where: Geometry, look: Look, asked: Asked | None) -> dict[str, Label]:
        """The label map (native) of each row."""
        native = geometry.to_native_probability(look.probability, where)
        labels = cleaned(native, self.recipe.evaluate.blur_sigma_voxels, self.one_object)
        if self.template is not None:
            labels[TEMPLATE] = self._native(self.template.label(where.shape), where)
        if asked is not None:
            labels |= self._asked_label_maps(where, asked)
        return labels

    def _asked_label_maps(self, where: Geometry, asked: Asked) -> dict[str, Label]:
        labels: dict[str, Label] = {}
        if self.is_refined and asked.pseudo is not None:
            raw = likeliest(geometry.to_native_probability(asked.pseudo.probability, where))
            labels |= {REFINED: raw, REFINED_HEADLINE: largest_component(raw, self.one_object)}
        if asked.alone is not None and asked.oracle is not None:
            labels[OWN_PROMPTS] = self._native(asked.alone, where)
            labels[ORACLE_PROMPTS] = self._native(asked.oracle, where)
        return labels

    def _pseudo_label(self, where: Geometry, asked: Asked | None) -> Label | None:
        if asked is None or asked.pseudo is None:
            return None
        return self._native(likeliest(asked.pseudo.probability), where)

    def _native(self, label: Label, where: Geometry) -> Label:
        return to_native_label(label, where, self.cases.facts.num_classes)

    def _compare(
        self, labels: Mapping[str, Label], reference: NDArray[np.integer], where: Geometry
    ) -> dict[str, list[dict[str, object]]]:
        options, spacing_mm = self.recipe.evaluate, where.native.spacing_mm
        return {
            row: [
                vars(score)
                for score in score_case(
                    label,
                    reference,
                    spacing_mm,
                    self.cases.facts.num_classes,
                    tolerance=options.tolerance,
                    in_voxels=bool(options.in_voxels),
                )
            ]
            for row, label in labels.items()
        }


def cleaned(
    probability: NDArray[np.float32], blur_sigma_voxels: float, one_object: Sequence[int]
) -> dict[str, Label]:
    """The label map of each row that cleans a prediction; (classes, I, J, K) to (I, J, K) each."""
    raw = likeliest(probability)
    return {
        RAW: raw,
        HEADLINE: largest_component(raw, one_object),
        BLURRED: blur_largest_component(probability, blur_sigma_voxels, one_object),
    }
