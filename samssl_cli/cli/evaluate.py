"""`samssl evaluate cases.zarr WHAT -o scores.zarr`."""

from pathlib import Path
from typing import Annotated

import typer

from samssl_cli.cli import options as opt
from samssl_cli.cli.console import TerminalProgress, say, show_table
from samssl_cli.errors import UsageError


def evaluate(
    cases: opt.Cases,
    what: Annotated[
        Path, typer.Argument(metavar="WHAT", help="a checkpoint, prompts.zarr or pseudo.zarr")
    ],
    output: opt.Output,
    on: Annotated[
        str | None, typer.Option(help="test, unlabeled or held-out (both); for a checkpoint")
    ] = None,
    largest_component: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLASS",
            help="reduce only these classes to one object in the cleaned rows; default: all",
        ),
    ] = None,
    in_voxels: Annotated[
        bool | None,
        typer.Option("--voxels/--mm", help="unit of distances and volumes; default: mm and ml"),
    ] = None,
    sanity: Annotated[
        bool | None,
        typer.Option(
            "--sanity/--no-sanity",
            help="also score an image-blind template, and the generalist alone; default: yes",
        ),
    ] = None,
    refine: Annotated[
        bool,
        typer.Option(
            "--refine", help="also score what the generalist makes of the predictions of WHAT"
        ),
    ] = False,
    generalist: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|PATH",
            help="to ask beside the prediction: a name or a generalist.zarr; default: the recipe's",
        ),
    ] = None,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]FILE", help="the weights of a generalist, .pth or .safetensors"
        ),
    ] = None,
    known_as: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="the data set, in the register of what SAMs have seen"),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="also write report.html and its figures here"),
    ] = None,
    beside: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]SCORES", help="another model's scores.zarr to show in the report"
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="print the scores as JSON instead of the path")
    ] = False,
    embeddings: opt.Embeddings = None,
    embeddings_gb: opt.EmbeddingsGb = opt.DEFAULT_EMBEDDINGS_GB,
    device: opt.Device = "auto",
    shard: opt.Share = None,
    recipe: opt.RecipeName = opt.DEFAULT_RECIPE,
    overrides: opt.Overrides = None,
    force: opt.Force = False,
) -> None:
    """Score predictions against the held-out references, on the grid of the images."""
    import json

    from samssl_cli.report.score_files import bring_up_to_date
    from samssl_cli.report.scores_table import score_table
    from samssl_cli.stages.evaluate import evaluate as stage

    resolved = opt.resolve(
        recipe,
        overrides,
        evaluate__cases=on,
        evaluate__in_voxels=in_voxels,
        evaluate__sanity=sanity,
        evaluate__known_as=known_as,
        sam_label__generalist=generalist or None,
    )
    others = opt.named_once(beside or [])
    if others and report is None:
        raise UsageError("--beside is for the report: name a folder for it with --report DIR")
    cache = opt.embedding_cache(embeddings, embeddings_gb)
    with TerminalProgress() as progress:
        path = stage(
            cases,
            what,
            output,
            recipe=resolved,
            largest_component=largest_component or (),
            refine=refine,
            weights=opt.checkpoints(checkpoint or []),
            device=device,
            force=force,
            progress=progress,
            embeddings=cache,
            shard=opt.shard(shard),
        )
        if path is None:  # other shards have still to do theirs
            return
        page = report and _write_report(cases, what, path, report, others, progress)
    text = bring_up_to_date(path)  # as the stage left it; a report may have taken minutes
    show_table(score_table(json.loads(text), title=f"{what} on {cases}"))
    say(text.rstrip("\n") if as_json else path)
    if page is not None and not as_json:
        say(page)


def _write_report(
    cases: Path,
    what: Path,
    scores: Path,
    folder: Path,
    beside: dict[str, Path],
    progress: TerminalProgress,
) -> Path:
    from samssl_cli.stages.reporting import report  # draws with matplotlib

    return report(cases, what, scores, folder, beside=beside, progress=progress)
