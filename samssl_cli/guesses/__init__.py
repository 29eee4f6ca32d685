"""First guesses about unlabeled images without any training: the FIRST_GUESSES table.

This table is readable without torch. A row's class has `Options`, a pydantic section, and
`build(options, labeled=..., num_classes=..., encoder=...)`, which returns a `FirstGuess`.
"""

from dataclasses import dataclass

from samssl_cli.registry import Entry


@dataclass(frozen=True)
class GuessEntry(Entry):
    """A row that also says, without importing the part, whether it looks through a generalist."""

    needs_encoder: bool
    """True when `build` must be given the features of a generalist."""


FIRST_GUESSES: dict[str, GuessEntry] = {
    "template": GuessEntry(
        "samssl_cli.guesses.template:Template",
        "the labeled volumes are registered to each image and their labels carried over; CPU",
        "Vercauteren et al., NeuroImage 45, 2009 (demons); Artaechevarria et al., TMI 28, 2009",
        needs_encoder=False,
    ),
    "prototype": GuessEntry(
        "samssl_cli.guesses.prototype:Prototype",
        "each place is compared with those of the labeled objects, in a generalist's features",
        "after Zhang et al., SemiSAM-O1 (round 0)",
        needs_encoder=True,
    ),
}
