"""A table of plain text, for a terminal as for a log.

Drawing it with a library would take longer to import than `samssl evaluate` takes to find that
there is nothing to do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

_GAP = "  "
_NARROWEST = 4  # of a column of names; where not even this fits, the terminal breaks the line

Row = Sequence[str]


@dataclass(frozen=True)
class PlainTable:
    """Names to the left, numbers to the right of them."""

    title: str
    """One line or several."""
    names: tuple[str, ...]
    """Headings of the leading columns: texts that are folded where the table is too wide."""
    numbers: tuple[str, ...]
    """Headings of the others, which are never folded."""
    blocks: Sequence[Sequence[Row]]
    """Rows of at most one cell per column; a rule parts one block from the next."""


def table_lines(table: PlainTable, width: int) -> Iterator[str]:
    """The lines of a table, `width` wide at most if its names can be folded that far."""
    yield from map(_printable, table.title.splitlines())
    headings = (*table.names, *table.numbers)
    rows = [[list(map(_printable, row)) for row in block] for block in table.blocks]
    widths = _widths(headings, [row for block in rows for row in block])
    num_names = len(table.names)
    _make_room(widths, num_names, width)
    yield from _row_lines(headings, widths, num_names)
    for block in rows:
        yield "-" * (sum(widths) + len(_GAP) * (len(widths) - 1))
        for row in block:
            yield from _row_lines(row, widths, num_names)


def _widths(headings: Row, rows: Sequence[Row]) -> list[int]:
    columns = zip_longest(headings, *rows, fillvalue="")
    return [max(map(_cells, column)) for column in columns]


def _make_room(widths: list[int], num_names: int, width: int) -> None:
    """Take from the widest column of names until the line fits, or they are as narrow as may be."""
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    for _ in range(excess):
        widest = max(range(num_names), key=widths.__getitem__)
        if widths[widest] <= _NARROWEST:
            return
        widths[widest] -= 1


def _row_lines(row: Row, widths: Sequence[int], num_names: int) -> Iterator[str]:
    """One line, and more where names are folded; numbers stand in the first."""
    folded = [
        _folded(text, width) if index < num_names else [text]
        for index, (text, width) in enumerate(zip(row, widths, strict=False))
    ]
    for line in zip_longest(*folded, fillvalue=""):
        cells = zip(line, widths, strict=False)
        padded = [_pad(*cell, to_right=index >= num_names) for index, cell in enumerate(cells)]
        yield _GAP.join(padded).rstrip()


def _folded(text: str, width: int) -> list[str]:
    lines, line = [], ""
    for character in text:
        if line and _cells(line + character) > width:
            lines.append(line)
            line = ""
        line += character
    return [*lines, line]


def _pad(text: str, width: int, *, to_right: bool) -> str:
    blanks = " " * (width - _cells(text))
    return blanks + text if to_right else text + blanks


def _printable(text: str) -> str:
    """Names come from files of others: no character of theirs steers the terminal."""
    return "".join(one if one.isprintable() else "?" for one in text)


def _cells(text: str) -> int:
    """How many cells of a terminal a text takes: two for each wide character, as of Chinese."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(one) else 2 if east_asian_width(one) in "WF" else 1 for one in text)
