"""How good prompts, pseudo-labels and probabilities were, on held-out masks: to be read, not used.

For `evaluate` only. Everything is measured on the preprocessed grid, where the stages work.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samssl_cli.metrics.calibration import reliability
from samssl_cli.metrics.quality import acceptance_rate, prompt_quality, pseudo_label_quality
from samssl_cli.stages.sanity import Asked
from samssl_cli.stages.sources import Look
from samssl_cli.volumes.voxels import likeliest

Label = NDArray[np.uint8]


def diagnose(
    look: Look, asked: Asked | None, reference: Label, class_names: Sequence[str]
) -> dict[str, Any]:
    """Diagnose one case; what does not apply to it is left out.

    Args:
        look: what is scored: its probability, and its prompts or its pseudo-label.
        asked: the prompts and the pseudo-label that would follow from a checkpoint's prediction.
        reference: (I, J, K) held-out label on the same grid.
        class_names: background first.

    Returns:
        "reliability", "prompts", "pseudo_labels": class name to JSON values, for each class.
    """
    classes = list(enumerate(class_names))[1:]
    found: dict[str, Any] = {
        "reliability": {
            name: reliability(look.probability[index], reference == index).to_json()
            for index, name in classes
        }
    }
    objects = asked.objects if asked else look.objects
    if objects is not None:
        found["prompts"] = {
            name: vars(prompt_quality(objects, reference, index)) for index, name in classes
        }
    pseudo = _pseudo(look, asked)
    if pseudo is not None:
        label, acceptance, records = pseudo
        rates = acceptance_rate(records)
        found["pseudo_labels"] = {
            name: {
                **vars(pseudo_label_quality(label, acceptance, reference, index)),
                **vars(rates[index]),
            }
            for index, name in classes
        }
    return found


def _pseudo(
    look: Look, asked: Asked | None
) -> tuple[Label, NDArray[np.bool_], list[dict[str, Any]]] | None:
    """Label, acceptance and records of the pseudo-label that is diagnosed, if there is one."""
    if asked is not None and asked.pseudo is not None:
        return likeliest(asked.pseudo.probability), asked.pseudo.acceptance, asked.records
    if look.pseudo is not None:
        return look.pseudo.label, look.pseudo.acceptance > 0, look.pseudo.objects
    return None
