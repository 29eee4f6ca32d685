"""What a calibrated gate found on the labeled cases, in a sentence."""

from collections.abc import Mapping
from typing import Any


def gate_in_words(gate: Mapping[str, Any]) -> str:
    """How many objects passed and why, from what `pseudo.zarr` keeps of the gate."""
    if not gate["is_calibrated"]:
        return (
            "The gate could not be calibrated on the labeled cases: the generalist was left out, "
            "and the pseudo-labels are the specialist's own."
        )
    dice = gate["dice"]
    alone = ", ".join(f"{name} {_percent(one)}" for name, one in dice["generalists"].items())
    found = f"specialist {_percent(dice['specialist'])}, {alone}, gated {_percent(dice['gated'])}"
    if not gate["is_open"]:
        return (
            "The generalist did not help on the labeled cases and was left out (Dice out of fold: "
            f"{found}): the pseudo-labels are the specialist's own."
        )
    return (
        f"The gate let {gate['num_accepted']} of {gate['num_objects']} objects pass; Dice on the "
        f"labeled cases, out of fold: {found}.{_adapted(gate)}"
    )


def _adapted(gate: Mapping[str, Any]) -> str:
    """How those were asked that had learned from the labeled cases, now and in older labels."""
    if asked := gate.get("out_of_fold"):
        return (
            f" {' and '.join(asked)} was adapted to these cases, and asked about each with weights "
            "that left it out."
        )
    if flattered := gate.get("adapted"):
        return (
            f" {' and '.join(flattered)} was adapted on these very cases and looks better there "
            "than it is."
        )
    return ""


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
