"""`samssl recipe`: a recipe spelled out, and a file to edit."""

import re
from collections.abc import Sequence
from pathlib import Path

from samssl_cli.errors import RecipeError, UsageError
from samssl_cli.generalists import GENERALISTS
from samssl_cli.methods import METHODS
from samssl_cli.networks import NETWORKS
from samssl_cli.progress import Progress
from samssl_cli.prompts import STRATEGIES
from samssl_cli.recipe import Recipe, shipped_recipes
from samssl_cli.recipe.shipped import find_recipe, opening
from samssl_cli.recipe.writing import as_toml
from samssl_cli.registry import check_name
from samssl_cli.stages.inputs import check_option_tables
from samssl_cli.volumes.whole_file import write_whole

_NAME = re.compile(r"\w[\w.+-]*")


def spell_out(name_or_path: str, recipe: Recipe, overrides: Sequence[str]) -> str:
    """Every key of a recipe as TOML with comments, under what its file says of itself.

    Args:
        name_or_path: a shipped recipe or a file.
        recipe: what it says once `overrides` are applied.
        overrides: the `section.key=value` that were given.

    Raises:
        UsageError: when it names a part that does not exist.
    """
    check_parts(recipe)
    said = opening(find_recipe(name_or_path)) or [f"All keys of {name_or_path}"]
    return as_toml(recipe, [*said, *_changes(overrides)])


def write_new(
    name: str,
    output: Path,
    *,
    start: str,
    recipe: Recipe,
    overrides: Sequence[str],
    force: bool,
    progress: Progress,
) -> Path:
    """Write a recipe of one's own, to be edited: all keys of `start` with the overrides applied.

    Raises:
        UsageError: when the name is one of a shipped recipe or no plain word, the file would not be
            called .toml, or a part that is named does not exist.
        RecipeError: when there is another file at `output`, and not `force`.
    """
    _check_new(name, output)
    check_parts(recipe)
    said = opening(find_recipe(start))
    first = f"{name}: made from {start}" + (f" ({said[0]})" if said else "")
    content = as_toml(recipe, [first, *said[1:], *_changes(overrides)]).encode()
    if output.exists() and not force and output.read_bytes() != content:
        raise RecipeError(
            f"{output} exists and says something else, perhaps what you wrote there; name another "
            "file, or replace it with --force"
        )
    output.parent.mkdir(parents=True, exist_ok=True)
    write_whole(output, content)
    progress.note(f"edit {output}, then: samssl train-ssl ... --recipe {output}")
    return output


def check_parts(recipe: Recipe) -> None:
    """Raise a `UsageError` for a part that the tables do not have.

    A generalist may also be the path of a `generalist.zarr`, which need not be there yet.
    """
    check_option_tables(recipe)
    check_name(NETWORKS, recipe.network.name, kind="network")
    for section in (recipe.train_ssl, recipe.retrain):
        check_name(METHODS, section.method, kind="method")
    for strategy in recipe.prompt.strategies:
        check_name(STRATEGIES, strategy, kind="strategy")
    for generalist in recipe.sam_label.generalists:
        if Path(generalist).suffix != ".zarr":
            check_name(GENERALISTS, generalist, kind="generalist")


def _check_new(name: str, output: Path) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a recipe: use letters, digits, '-', '_' and '.'")
    if name in shipped_recipes():
        raise UsageError(
            f"{name!r} ships with samssl, and --recipe {name} would go on to mean that: give yours "
            f"another name, as in: samssl recipe new my-{name} --from {name} -o my-{name}.toml"
        )
    if output.suffix != ".toml":
        raise UsageError(f"-o {output}: expected a name that ends in .toml")
    if output.is_dir():
        raise UsageError(f"-o {output} is a folder: name a file, as in {output / name}.toml")


def _changes(overrides: Sequence[str]) -> list[str]:
    return [f"Changed: {', '.join(one.strip() for one in overrides)}"] if overrides else []
