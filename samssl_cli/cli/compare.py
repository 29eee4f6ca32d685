"""`samssl compare [NAME=]SCORES...`."""

from pathlib import Path
from typing import Annotated

import typer

from samssl_cli.cli.console import TerminalProgress, say, show_table
from samssl_cli.cli.options import split_name
from samssl_cli.errors import UsageError


def compare(
    scores: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]SCORES...",
            help="scores.zarr of evaluate, the baseline first; a NAME given again is another run "
            "(seed) of that model",
        ),
    ],
    metric: Annotated[
        list[str] | None, typer.Option(help="as in scores.csv; default: dice and HD95")
    ] = None,
    row: Annotated[
        str | None,
        typer.Option(
            help="of the scores, such as raw; headline: each one's own; default: the common one"
        ),
    ] = None,
    class_name: Annotated[
        list[str] | None,
        typer.Option("--class", metavar="CLASS", help="default: the mean of all, then each"),
    ] = None,
    on_common_cases: Annotated[
        bool, typer.Option("--on-common-cases", help="leave out cases that some were not scored on")
    ] = False,
    level: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="of the intervals, and 1 - that of the tests")
    ] = 0.95,
    as_json: Annotated[
        bool, typer.Option("--json", help="print one JSON document instead of the sentences")
    ] = False,
) -> None:
    """Tell whether models differ: paired by case, with intervals and adjusted p-values."""
    import json

    from samssl_cli.report import comparison as report
    from samssl_cli.stages.compare import compare as stage

    with TerminalProgress() as progress:
        compared = stage(
            runs_by_model(scores),
            metrics=metric or (),
            row=row,
            classes=class_name or (),
            on_common_cases=on_common_cases,
            level=level,
            progress=progress,
        )
    show_table(report.model_table(compared))
    document = report.as_json(compared)
    lines = "\n".join(report.sentences(compared))
    say(json.dumps(document, indent=2, allow_nan=False) if as_json else lines)


def runs_by_model(words: list[str]) -> dict[str, list[Path]]:
    """Read `[NAME=]SCORES` arguments; without a name, scores are called after their file.

    Raises:
        UsageError: when a model that was not given a name is called like another.
    """
    models: dict[str, list[Path]] = {}
    unnamed: set[str] = set()
    for word in words:
        given, path = split_name(word)
        is_named = given is not None
        name = given if given is not None else path.name.removesuffix(".zarr")
        if name in unnamed or (name in models and not is_named):
            raise UsageError(
                f"{models[name][0]} and {path} would both be called {name!r}: name the models, as "
                f"in first={models[name][0]} second={path}; one name for all runs of one model"
            )
        unnamed |= set() if is_named else {name}
        models.setdefault(name, []).append(path)
    return models
