"""Write docs/recipes.md from the recipe's own models: python docs/write_recipes.py."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from samssl_cli.generalists import GENERALISTS
from samssl_cli.guesses import FIRST_GUESSES
from samssl_cli.methods import METHODS
from samssl_cli.recipe import Recipe, shipped_recipes
from samssl_cli.recipe.describing import kind
from samssl_cli.registry import load

PAGE = Path(__file__).with_name("recipes.md")

_OPENING = """\
# Recipes

<!-- Written by docs/write_recipes.py from samssl_cli/recipe/; a test keeps it up to date. -->

A recipe is a TOML file with one table per section. `--recipe NAME|FILE` picks a shipped recipe or
reads a file; what a recipe leaves out keeps the default below. `--set section.key=value` changes
one value and may be given several times; it is read as JSON, and as plain text when it is none:

    samssl train-ssl cases.zarr -o a.zarr --recipe la --set train_ssl.steps=3000
    samssl train-ssl cases.zarr -o b.zarr --set 'train_ssl.patch_size=[64, 64, 32]'

`samssl recipe show NAME|FILE` prints a whole recipe, with what each key is and what a file leaves
out; `samssl recipe new` writes that into a file to be edited, which `--recipe` then reads:

    samssl recipe show la --set train_ssl.steps=3000
    samssl recipe new mine -o mine.toml --from la --set network.dropout=0.2

An option with a flag of its own (`--steps`, `--method`, `--network`, `--strategy`, `--generalist`,
`--spacing-mm`, `--on`) wins over `--set`, which wins over the file. An unknown section or key is
refused. The sections that a stage uses are stored in the artifact it writes and are part of its
fingerprint: `samssl show ARTIFACT` prints them.
"""


def page() -> str:
    """The whole page as Markdown."""
    parts = [_OPENING, "## Shipped recipes\n", *_shipped()]
    for name, field in Recipe.model_fields.items():
        parts += _section(f"[{name}]", field.annotation)
    for name in METHODS:
        options = load(METHODS, name, kind="method").Options
        parts += _section(f"[train_ssl.method_options.{name}]", options)
    for name in GENERALISTS:
        options = load(GENERALISTS, name, kind="generalist").Options
        parts += _section(f"[sam_label.options.{name}]", options)
    for name in FIRST_GUESSES:
        options = load(FIRST_GUESSES, name, kind="first guess").Options
        parts += _section(f"[first_guess.options.{name}]", options)
    return "\n".join(parts)


def _shipped() -> Iterator[str]:
    yield "| name | what it is |\n|---|---|"
    yield from (f"| `{name}` | {summary} |" for name, summary in shipped_recipes().items())
    yield ""


def _section(title: str, model: Any) -> Iterator[str]:
    """One heading, the model's first line, and a table of its keys."""
    assert issubclass(model, BaseModel)
    yield f"## `{title}`\n"
    yield f"{(model.__doc__ or '').splitlines()[0]}\n"
    if "method_options" in title:
        yield "The same keys serve `retrain`: `[retrain.method_options.…]`.\n"
    schema = model.model_json_schema()
    if not schema.get("properties"):
        yield "No keys.\n"
        return
    yield "| key | value | default | meaning |\n|---|---|---|---|"
    for name, described in schema["properties"].items():
        default = json.dumps(described["default"]) if "default" in described else "{}"
        meaning = described.get("description", "").replace("|", "\\|")
        yield f"| `{name}` | {kind(described)} | `{default}` | {meaning} |"
    yield ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
