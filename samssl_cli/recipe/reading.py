"""From names, files and `--set` overrides to a recipe; what is wrong is said in plain words."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from samssl_cli.errors import RecipeError
from samssl_cli.recipe.shipped import find_recipe, read_text
from samssl_cli.recipe.whole import Recipe

Model = TypeVar("Model", bound=BaseModel)


def read_recipe(name_or_path: str, overrides: Iterable[str] = ()) -> Recipe:
    """Read a shipped recipe or a file, and apply `section.key=value` overrides.

    Raises:
        RecipeError: naming the file, the section, the key and what was expected there.
    """
    path = find_recipe(name_or_path)
    try:
        table: dict[str, Any] = tomllib.loads(read_text(path))
    except (ValueError, RecursionError) as error:  # no TOML; a number of thousands of digits
        raise RecipeError(f"recipe {path}: cannot be read as TOML: {error}") from error
    for override in overrides:
        _apply(table, override)
    return validate(Recipe, table, where=f"recipe {name_or_path}")


def validate(model: type[Model], table: Mapping[str, Any], *, where: str) -> Model:
    """Build `model` from `table`; a `RecipeError` lists every wrong key in plain words."""
    try:
        return model.model_validate(table)
    except ValidationError as error:
        lines = [f"{_dotted(item['loc'])}: {item['msg']}" for item in error.errors()]
        raise RecipeError("\n  - ".join([f"{where} is not valid:", *lines])) from error


def _apply(table: dict[str, Any], override: str) -> None:
    """Set one dotted key in place: `train_ssl.learning_rate=0.01`."""
    dotted, equals, text = override.partition("=")
    *parents, key = dotted.strip().split(".")
    if not equals or not parents or not key:
        raise RecipeError(f"--set {override!r}: expected section.key=value")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise RecipeError(f"--set {override!r}: {parent!r} is a value, not a section")
    table[key] = _value(text.strip())
    if not _is_text([override, table[key]]):
        raise RecipeError(
            f"--set {override[:200]!r}: cannot be written as text: it holds half a character (a "
            "surrogate), or is nested too deeply"
        )


def _value(text: str) -> Any:
    """Read a number, true/false, a list or a quoted string; anything else is a plain string."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # no JSON, or a number of thousands of digits
        return text


def _is_text(value: Any) -> bool:
    """Whether it can be written as UTF-8; what the shell hands over need not be."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True


def _dotted(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "recipe"
