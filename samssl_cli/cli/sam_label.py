"""`samssl sam-label cases.zarr prompts.zarr -o pseudo.zarr`."""

from pathlib import Path
from typing import Annotated

import typer

from samssl_cli.cli import options as opt
from samssl_cli.cli.console import TerminalProgress, say


def sam_label(
    cases: opt.Cases,
    prompts: Annotated[Path, typer.Argument(metavar="PROMPTS", help="prompts.zarr")],
    output: opt.Output,
    generalist: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="see `samssl list generalists`; or a generalist.zarr, made by adapt",
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="its weights, .pth or .safetensors (see `samssl weights`); for changes that adapt "
            "made, those that they were made from",
        ),
    ] = None,
    embeddings: opt.Embeddings = None,
    embeddings_gb: opt.EmbeddingsGb = opt.DEFAULT_EMBEDDINGS_GB,
    device: opt.Device = "auto",
    recipe: opt.RecipeName = opt.DEFAULT_RECIPE,
    overrides: opt.Overrides = None,
    force: opt.Force = False,
) -> None:
    """Ask the generalist to answer the prompts, and keep the answers as pseudo-labels."""
    from samssl_cli.stages.sam_label import sam_label as stage

    resolved = opt.resolve(recipe, overrides, sam_label__generalist=generalist)
    cache = opt.embedding_cache(embeddings, embeddings_gb)
    with TerminalProgress() as progress:
        path = stage(
            cases,
            prompts,
            output,
            weights=checkpoint,
            recipe=resolved,
            device=device,
            force=force,
            progress=progress,
            embeddings=cache,
        )
    say(path)
