"""Short names for a generalist with the options that certain weights ask for.

`--generalist medsam` means generalist `sam` with `preprocessing = "medsam"`. The recipe, and so the
artifact, holds what is meant and not the short name.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """A row of the GENERALISTS table, and some of its options."""

    generalist: str
    options: Mapping[str, str]


PRESETS: dict[str, Preset] = {
    "sam-vit-b": Preset("sam", {"preprocessing": "sam", "architecture": "vit_b"}),
    "sam-vit-l": Preset("sam", {"preprocessing": "sam", "architecture": "vit_l"}),
    "sam-vit-h": Preset("sam", {"preprocessing": "sam", "architecture": "vit_h"}),
    "medsam": Preset("sam", {"preprocessing": "medsam"}),
}


def spelled_out(name: str) -> tuple[str, dict[str, str]]:
    """The generalist that a name means, and the options to set, as `section.key` to a value."""
    if name not in PRESETS:
        return name, {}
    preset = PRESETS[name]
    section = f"sam_label.options.{preset.generalist}"
    return preset.generalist, {f"{section}.{key}": value for key, value in preset.options.items()}
