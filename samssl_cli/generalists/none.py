"""No generalist at all: the control that every generalist has to beat.

The stages ask nobody where this row is named. The pseudo-label is the specialist's own, without
the islands that were too small to be prompted, and the next student is trained on it:
self-training.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from samssl_cli.errors import UsageError
from samssl_cli.recipe import Section, validate


class Nobody:
    """Stand where a generalist is named, so that nobody is asked.

    Source: Lee, ICML 2013 workshop (pseudo-labels); docs/experiments.md has the rounds measured.
    """

    needs_checkpoint: ClassVar[bool] = False

    class Options(Section):
        """Options of `none`."""

    @classmethod
    def build(cls, options: Mapping[str, Any], *, checkpoint: Path | None, device: str) -> NoReturn:
        """Refuse: there is nothing to build.

        Raises:
            RecipeError: when there are options, as it has none.
            UsageError: otherwise.
        """
        validate(cls.Options, options, where="sam_label.options.none")
        raise UsageError("generalist none asks nobody; name one that answers")
