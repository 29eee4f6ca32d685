"""The `samssl` command: run it, and turn every known problem into a line and an exit code."""

import os
import sys
from pathlib import Path

from samssl_cli.cli.console import note_error
from samssl_cli.errors import Interrupted, SamsslError
from samssl_cli.stages.signals import leave_on_signals

_OUT_OF_MEMORY = (
    "out of memory: use a smaller patch_size, labeled_batch, unlabeled_batch or "
    "inference.window_batch (--set), or --device cpu. What is done is kept"
)


def main() -> None:
    """Run `samssl` with the arguments of this process."""
    leave_on_signals()  # before typer, torch and others take seconds to import
    _open_missing_streams()
    _let_no_plugin_look_on()
    from samssl_cli.cli import app

    try:
        app()
    except (SamsslError, Interrupted) as problem:
        note_error(problem)
        sys.exit(problem.exit_code)
    except (RuntimeError, MemoryError) as problem:
        if not _is_out_of_memory(problem):
            raise
        note_error(f"{problem}\n{_OUT_OF_MEMORY}")
        sys.exit(1)
    except OSError as problem:  # a full disk, a path that cannot be written
        note_error(problem)
        sys.exit(1)


def _is_out_of_memory(problem: Exception) -> bool:
    """Whether numpy or torch got no memory, on a device or not; neither is imported here."""
    is_told = "can't allocate memory" in str(problem) or "not enough memory" in str(problem)
    is_of_torch = type(problem).__name__ == "OutOfMemoryError"
    return isinstance(problem, MemoryError) or is_of_torch or is_told


def _let_no_plugin_look_on() -> None:
    """Keep pydantic from asking every package of the environment for a plugin, for each command."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def _open_missing_streams() -> None:
    """Write nowhere where the caller closed stdout or stderr, as in `samssl ... >&-`."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  (for good)


if __name__ == "__main__":
    main()
