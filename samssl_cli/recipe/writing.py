"""From a recipe to TOML with every key and what it is: read back, it is the same recipe."""

import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from samssl_cli.errors import RecipeError
from samssl_cli.recipe.describing import kind
from samssl_cli.recipe.section import Section
from samssl_cli.recipe.whole import Recipe

_WIDTH = 100
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def as_toml(recipe: Recipe, opening: Iterable[str] = ()) -> str:
    """Write every section and key, with a comment above each.

    Args:
        recipe: what to write.
        opening: lines of the comment that the text begins with.

    Raises:
        RecipeError: when an option has a value that TOML cannot hold, such as none.
    """
    lines = [f"# {' '.join(line.splitlines())}".rstrip() for line in opening]
    for name, section in recipe:
        lines += ["", *_section(name, section)]
    return "\n".join(lines).lstrip("\n") + "\n"


def _section(name: str, section: Section) -> Iterator[str]:
    """A table: its plain keys first, since TOML counts what follows a table within it to that."""
    yield f"[{name}]"
    yield from _comment((type(section).__doc__ or "").splitlines()[0])
    properties = type(section).model_json_schema()["properties"]
    values = dict(section)
    for key, value in values.items():
        if not isinstance(value, dict):
            yield ""
            yield from _comment(_described(properties[key]))
            yield _line(key, value, where=name)
    for key, table in values.items():
        if isinstance(table, dict):
            yield ""
            yield f"[{name}.{key}]"
            yield from _comment(_described(properties[key]))
            yield from _options(f"{name}.{key}", table)


def _options(where: str, tables: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """One table per method or generalist; what its keys are is told by docs/recipes.md."""
    for name, options in tables.items():
        yield ""
        yield f"[{where}.{_key(name)}]"
        yield from (_line(key, value, where=f"{where}.{name}") for key, value in options.items())


def _described(schema: Mapping[str, Any]) -> str:
    """A key's description, what it takes, and what it is when a recipe leaves it out."""
    may_be = kind(dict(schema)).replace("`", '"')
    default = schema.get("default")
    left_out = "" if default in (None, "") else f"; default {_value(default)}"
    return f"{schema['description']} ({may_be}{left_out})"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _line(key: str, value: object, *, where: str) -> str:
    if value is None and "." not in where:  # a key of the recipe's own: its default
        return f"# {key} ="
    try:
        return f"{_key(key)} = {_value(value)}"
    except TypeError as error:
        raise RecipeError(
            f"{where}.{key}: {value!r} cannot be written as TOML; expected text, a number, true or "
            "false, a list or a table"
        ) from error


def _value(value: object) -> str:
    """A value as TOML has it, which for text, numbers and flags is what JSON has.

    Raises:
        TypeError: when it is of a type that a recipe does not have.
    """
    if isinstance(value, Mapping):
        pairs = (f"{_key(key)} = {_value(one)}" for key, one in value.items())
        return "{ " + ", ".join(pairs) + " }" if value else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str | bool | int):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    raise TypeError(type(value).__name__)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _value(key)
