"""`samssl predict CHECKPOINT IMAGES... -o DIR`."""

from pathlib import Path
from typing import Annotated

import typer

from samssl_cli.cli import options as opt
from samssl_cli.cli.console import TerminalProgress, say
from samssl_cli.errors import UsageError


def predict(
    checkpoint: Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="specialist or student")],
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGES...", help="NIfTI files or folders: CASE_0000.nii.gz or CASE.nii.gz"
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="folder for CASE.nii.gz")
    ],
    largest_component: Annotated[
        bool, typer.Option("--largest-component", help="keep one object per class")
    ] = False,
    probabilities: Annotated[
        bool,
        typer.Option("--probabilities", help="also write CASE_probabilities.nii.gz, per class"),
    ] = False,
    flips: Annotated[
        bool | None,
        typer.Option(
            "--flips/--no-flips", help="average over 8 mirrored images; train with flip_axes"
        ),
    ] = None,
    refine: Annotated[
        bool,
        typer.Option("--refine", help="let the generalist refine every prediction, as sam-label"),
    ] = False,
    generalist: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|PATH",
            help="that refines: a name or a generalist.zarr; default: the recipe's",
        ),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            "--checkpoint",
            metavar="[NAME=]FILE",
            help="the generalist's weights, .pth or .safetensors; see `samssl weights`",
        ),
    ] = None,
    embeddings: opt.Embeddings = None,
    embeddings_gb: opt.EmbeddingsGb = opt.DEFAULT_EMBEDDINGS_GB,
    as_json: Annotated[
        bool, typer.Option("--json", help="print summary.json instead of the paths")
    ] = False,
    device: opt.Device = "auto",
    shard: opt.Share = None,
    recipe: opt.RecipeName = opt.DEFAULT_RECIPE,
    overrides: opt.Overrides = None,
    force: Annotated[bool, typer.Option("--force", help="predict again what is there")] = False,
) -> None:
    """Segment new images: NIfTI in, NIfTI out, in the grid of the image."""
    from samssl_cli.stages.predict import predict as stage
    from samssl_cli.stages.prediction_folder import SUMMARY

    if generalist and not refine:
        raise UsageError(f"--generalist {generalist[0]}: a generalist is asked only with --refine")
    resolved = opt.resolve(
        recipe, overrides, inference__flips=flips, sam_label__generalist=generalist or None
    )
    with TerminalProgress() as progress:
        paths = stage(
            checkpoint,
            images,
            output,
            recipe=resolved,
            only_largest=largest_component,
            with_probabilities=probabilities,
            refine=refine,
            weights=opt.checkpoints(weights or []),
            device=device,
            force=force,
            progress=progress,
            embeddings=opt.embedding_cache(embeddings, embeddings_gb),
            shard=opt.shard(shard),
        )
    if as_json:
        say((output / SUMMARY).read_text(encoding="utf-8").rstrip())
    else:
        say("\n".join(str(path) for path in paths))
