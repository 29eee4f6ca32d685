"""`samssl sam-label cases.zarr prompts.zarr -o pseudo.zarr`."""

from pathlib import Path
from typing import Annotated

import typer

from samssl_cli.cli import options as opt
from samssl_cli.cli.console import TerminalProgress, say_path


def sam_label(
    cases: opt.Cases,
    prompts: Annotated[Path, typer.Argument(metavar="PROMPTS", help="prompts.zarr")],
    output: opt.Output,
    generalist: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|PATH",
            help="see `samssl list generalists`; or a generalist.zarr, made by adapt; several are "
            "asked together; default: the recipe's",
        ),
    ] = None,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[NAME=]FILE",
            help="the weights of a generalist, .pth or .safetensors (see `samssl weights`); for "
            "changes that adapt made, those that they were made from",
        ),
    ] = None,
    embeddings: opt.Embeddings = None,
    embeddings_gb: opt.EmbeddingsGb = opt.DEFAULT_EMBEDDINGS_GB,
    device: opt.Device = "auto",
    shard: opt.Share = None,
    recipe: opt.RecipeName = opt.DEFAULT_RECIPE,
    overrides: opt.Overrides = None,
    force: opt.Force = False,
) -> None:
    """Ask the generalist to answer the prompts, and keep the answers as pseudo-labels."""
    from samssl_cli.stages.sam_label import sam_label as stage

    resolved = opt.resolve(recipe, overrides, sam_label__generalist=generalist or None)
    cache = opt.embedding_cache(embeddings, embeddings_gb)
    with TerminalProgress() as progress:
        path = stage(
            cases,
            prompts,
            output,
            weights=opt.checkpoints(checkpoint or []),
            recipe=resolved,
            device=device,
            force=force,
            progress=progress,
            embeddings=cache,
            shard=opt.shard(shard),
        )
    say_path(path)
