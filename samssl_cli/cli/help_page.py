"""The list of commands under its two titles, in plain text.

Typer draws it with rich if it may, but importing what it takes to draw is two thirds of the time
that `samssl --help` took.
"""

from typing import Any

from typer.core import TyperGroup

_LONGEST_LINE = 200  # of a summary, which is wrapped and not cut


class TitledCommands(TyperGroup):
    """A group whose help lists each command under its `rich_help_panel`."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write one section per title, in the order in which the commands were added."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is None or command.hidden:
                continue
            title = getattr(command, "rich_help_panel", None)
            rows = sections.setdefault(title if isinstance(title, str) else "Commands", [])
            rows.append((name, command.get_short_help_str(_LONGEST_LINE)))
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl(rows)
