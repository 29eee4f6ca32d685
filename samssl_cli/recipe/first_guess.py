"""The section of `prompt --first-guess`."""

from pydantic import Field

from samssl_cli.recipe.section import PositiveCount, Section, Tables


class FirstGuess(Section):
    """How unlabeled cases are guessed at without a trained specialist."""

    max_labeled: PositiveCount = Field(
        8, description="labeled cases that are looked at; of more, the first ones"
    )
    generalist: str = Field(
        "sam-med3d",
        description="whose features a guess uses that needs some: a row of `samssl list "
        "generalists`, or the path of a generalist.zarr; its options are those of [sam_label]",
    )
    options: Tables = Field(
        default_factory=dict,
        description="one table per first guess; that of the chosen one is used",
    )
