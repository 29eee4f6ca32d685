"""The options that several commands share."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from samssl_cli.errors import UsageError

if TYPE_CHECKING:
    from samssl_cli.artifacts.shard import Shard
    from samssl_cli.generalists.embedding_cache import EmbeddingCache
    from samssl_cli.recipe import Recipe
    from samssl_cli.stages.panel import Weights

Cases = Annotated[Path, typer.Argument(metavar="CASES", help="cases.zarr, made by preprocess")]
Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="PATH", help="where the artifact goes")
]
RecipeName = Annotated[
    str, typer.Option("--recipe", metavar="NAME|FILE", help="a shipped recipe or a TOML file")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="change one value of the recipe"),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="of everything that is random")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda, cuda:N or mps")]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="replace an artifact made from other inputs or options, or a damaged one; "
        "never one that is current and whole",
    ),
]
Steps = Annotated[
    int | None, typer.Option("--steps", min=1, help="optimisation steps; default: the recipe's")
]
VolumesGb = Annotated[
    float,
    typer.Option(
        "--volumes-gb",
        min=0,
        envvar="SAMSSL_VOLUMES_GB",
        help="memory for decoded volumes; the others lie in a temporary file: the same result",
    ),
]
TensorBoard = Annotated[
    Path | None, typer.Option("--tensorboard", metavar="DIR", help="also log the curves here")
]
Embeddings = Annotated[
    Path | None,
    typer.Option(
        "--embeddings",
        metavar="DIR",
        envvar="SAMSSL_EMBEDDINGS",
        help="keep what a SAM computed of each slice here, and look it up: the same result, sooner",
    ),
]
EmbeddingsGb = Annotated[
    float,
    typer.Option(
        "--embeddings-gb",
        envvar="SAMSSL_EMBEDDINGS_GB",
        help="size of that folder, above which what was unused longest goes",
    ),
]

Share = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="K/N|auto",
        help="do the K-th of N shares of the cases, beside processes that do the others; auto: as "
        "the Slurm array says",
    ),
]

DEFAULT_EMBEDDINGS_GB = 50.0  # 23 800 slices of SAM, 2 MiB each
DEFAULT_RECIPE = "default"
DEFAULT_VOLUMES_GB = 1.0

_GENERALIST = "sam_label.generalist"


def resolve(name: str, overrides: list[str] | None, **values: Any) -> "Recipe":
    """Read a recipe, apply `--set`, then the options that have a flag of their own.

    `values` maps `section__key` to a value; None leaves the recipe's.
    """
    import json

    from samssl_cli.recipe import read_recipe

    dotted = {key.replace("__", "."): value for key, value in values.items() if value is not None}
    flags = [f"{key}={json.dumps(value)}" for key, value in _spelled_out(dotted).items()]
    return read_recipe(name, [*(overrides or []), *flags])


def _spelled_out(flags: dict[str, Any]) -> dict[str, Any]:
    """The same flags without short names of generalists, such as `medsam`."""
    named = flags.get(_GENERALIST)
    if named is None:
        return flags
    from samssl_cli.generalists.presets import spelled_out

    meant = [spelled_out(name) for name in ([named] if isinstance(named, str) else named)]
    spelled = {**flags, _GENERALIST: [name for name, _ in meant]}
    for _, options in meant:
        spelled |= options
    return spelled


def split_name(word: str) -> tuple[str | None, Path]:
    """Read `[NAME=]PATH`; what exists as it stands is a path, whatever signs are in it."""
    name, equals, path = word.partition("=")
    is_named = bool(equals) and not Path(word).exists()
    return (name, Path(path)) if is_named else (None, Path(word))


def shard(text: str | None) -> "Shard | None":
    """Read `--shard K/N` or `--shard auto`."""
    if text is None:
        return None
    import os

    from samssl_cli.stages.sharding import read_shard

    return read_shard(text, os.environ)


def embedding_cache(folder: Path | None, max_gb: float) -> "EmbeddingCache | None":
    """The cache of `--embeddings`, or none."""
    if folder is None:
        return None
    from samssl_cli.generalists.embedding_cache import EmbeddingCache

    return EmbeddingCache(folder, max_gb=max_gb)


def checkpoints(values: list[str]) -> "Weights":
    """Read `[NAME=]FILE` options: one file without a name, or any number with one.

    Raises:
        UsageError: when it is not said whose a file is.
    """
    read = [split_name(value) for value in values]
    if len(read) == 1 and read[0][0] is None:
        return read[0][1]
    found: dict[str, Path] = {}
    for name, path in read:
        if name is None or name in found:
            raise UsageError(
                f"--checkpoint {path}: say once whose each file is: --checkpoint NAME={path}"
            )
        found[name] = path
    return found


def named_once(values: Iterable[str]) -> dict[str, Path]:
    """Read `[NAME=]SCORES` options; without a name, scores are called after their file.

    Raises:
        UsageError: when two have the same name.
    """
    found: dict[str, Path] = {}
    for value in values:
        given, path = split_name(value)
        name = given if given is not None else path.name.removesuffix(".zarr")
        if name in found:
            raise UsageError(
                f"{path} and {found[name]} are both called {name}; name them: NAME={path}"
            )
        found[name] = path
    return found
