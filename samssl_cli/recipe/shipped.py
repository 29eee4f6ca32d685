"""Where recipes come from: those in the package, and what the first lines of a file say of it.

The comment that a recipe opens with is for people. Its first line says what the recipe is; a line
that begins with `Source:` and those after it, up to the next such word, say where it is from.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from samssl_cli.errors import RecipeError

SHIPPED = Path(__file__).parents[1] / "recipes"

_MAX_BYTES = 1_000_000
_HEADING = re.compile(r"([A-Z]\w*): ")


def shipped_recipes() -> dict[str, str]:
    """The names of the shipped recipes and what the first comment line of each says."""
    files = sorted(SHIPPED.glob("*.toml"), key=lambda path: path.stem)
    return {path.stem: opening(path)[0] for path in files}


def source_of(path: Path) -> str:
    """What the opening comment says after `Source:`, as one line; empty when it says nothing."""
    found, is_source = [], False
    for line in opening(path):
        if heading := _HEADING.match(line):
            is_source = heading[1] == "Source"
        if is_source:
            found.append(line.removeprefix("Source: ").strip())
    return " ".join(found)


def opening(path: Path) -> list[str]:
    """The comment lines that a recipe begins with, without `# `; further blanks stay."""
    return list(_comment(read_text(path)))


def read_text(path: Path) -> str:
    """The text of a recipe file.

    Raises:
        RecipeError: when it cannot be read, is no text, or larger than 1 MB.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise RecipeError(f"recipe {path}: larger than 1 MB, expected a short TOML file")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"recipe {path}: cannot be read as TOML: {error}") from error


def find_recipe(name_or_path: str) -> Path:
    """The file of a shipped recipe, or the file that is named.

    Raises:
        RecipeError: when it is neither; the message lists the shipped ones.
    """
    known = shipped_recipes()
    if name_or_path in known:
        return SHIPPED / f"{name_or_path}.toml"
    path = Path(name_or_path)
    if not path.is_file():
        raise RecipeError(
            f"there is no recipe {name_or_path!r}: neither a file nor one of {', '.join(known)}"
        )
    return path


def _comment(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if not line.startswith("#"):
            return
        yield line.lstrip("#").removeprefix(" ").rstrip()
