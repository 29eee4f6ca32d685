"""`samssl list [TABLE]`."""

from typing import TYPE_CHECKING, Annotated

import typer

from samssl_cli.cli.console import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from samssl_cli.registry import Entry


def list_parts(
    table: Annotated[
        str | None,
        typer.Argument(
            metavar="[TABLE]",
            help="methods, networks, generalists, strategies, guesses, metrics or recipes; "
            "default: all",
        ),
    ] = None,
) -> None:
    """List the exchangeable parts: what each does, and where it comes from."""
    tables = _tables()
    if table is not None and table not in {*tables, "recipes"}:
        raise typer.BadParameter(f"no table {table!r}; there are {', '.join([*tables, 'recipes'])}")
    blocks = [_entries(name, rows) for name, rows in tables.items() if table in (None, name)]
    if table in (None, "recipes"):
        blocks.append(_recipes())
    say("\n\n".join(blocks))


def _tables() -> "dict[str, Mapping[str, Entry]]":
    from samssl_cli.generalists import GENERALISTS
    from samssl_cli.guesses import FIRST_GUESSES
    from samssl_cli.methods import METHODS
    from samssl_cli.metrics import METRICS
    from samssl_cli.networks import NETWORKS
    from samssl_cli.prompts import STRATEGIES

    return {
        "methods": METHODS,
        "networks": NETWORKS,
        "generalists": GENERALISTS,
        "strategies": STRATEGIES,
        "guesses": FIRST_GUESSES,
        "metrics": METRICS,
    }


def _recipes() -> str:
    from samssl_cli.recipe import shipped_recipes
    from samssl_cli.recipe.shipped import find_recipe, source_of

    rows = {
        name: f"{summary}\n[{source_of(find_recipe(name))}]"
        for name, summary in shipped_recipes().items()
    }
    return _block("recipes", rows)


def _entries(title: str, rows: "Mapping[str, Entry]") -> str:
    return _block(title, {name: f"{row.summary}\n[{row.source}]" for name, row in rows.items()})


def _block(title: str, rows: "Mapping[str, str]") -> str:
    """A title, and under it the names with their lines in a column of their own."""
    width = max(map(len, rows), default=0) + 2
    lines = [
        f"  {name:<{width}}" + text.replace("\n", f"\n  {'':<{width}}")
        for name, text in rows.items()
    ]
    return "\n".join([title, *lines])
