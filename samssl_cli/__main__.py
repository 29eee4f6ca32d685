"""The `samssl` command: run the program, and turn every known problem into a line and an exit code."""

import sys

from samssl_cli.cli.console import note_error
from samssl_cli.errors import Interrupted, SamsslError


def main() -> None:
    """Run `samssl` with the arguments of this process."""
    from samssl_cli.cli import app

    try:
        app()
    except (SamsslError, Interrupted) as problem:
        note_error(problem)
        sys.exit(problem.exit_code)
    except OSError as problem:  # a full disk, a path that cannot be written
        note_error(problem)
        sys.exit(1)


if __name__ == "__main__":
    main()
