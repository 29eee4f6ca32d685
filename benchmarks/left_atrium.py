"""The Left Atrium benchmark: methods, alone and with a generalist, by labels and seeds.

    python benchmarks/left_atrium.py --data la --work runs/la --recipe la --labels 1 2 4 8 \
      --seeds 0 1 2 --generalist sam-med3d --checkpoint sam_med3d_turbo.pth

Everything is done by `samssl` commands, each in a process of its own (`--dry-run` prints them).
What is finished is up to date and skipped, what was stopped resumes: run the same command again.
When all is there, docs/benchmark-left-atrium.md is written (`--page` names another file).

Four rows for each method, each the last checkpoint of a fixed number of steps:

    alone           train-ssl, N steps
    continued       that specialist trained for N steps more, the pseudo-labels' weight being 0
    self-training   ... for N steps more on its own labels, at the recipe's weight
    +SAM            ... for N steps more on what the generalist makes of them

The last three differ in nothing but the pseudo-labels. `--start scratch` begins the last two, as
the pipelines do, from random weights; continued training always begins with the specialist.
"""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import left_atrium_page
from left_atrium_grid import Command, Grid

from samssl_cli.errors import Interrupted, SamsslError, UsageError
from samssl_cli.recipe import Recipe, read_recipe

PROGRAM = (sys.executable, "-m", "samssl_cli")
PAGE = Path(__file__).parents[1] / "docs" / "benchmark-left-atrium.md"

Run = Callable[[Command, Path], str]
"""Run the command that `samssl` is given, log its stderr to a file, and give its stdout."""


class Processes:
    """Run `samssl` in processes of their own, and pass on a signal that asks to stop."""

    def __init__(self, threads: int) -> None:
        """Let every process have so many threads."""
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
        self._environment = {**os.environ, **dict.fromkeys(names, str(threads))}
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = threading.Event()
        self.code = 0
        """Exit code of the first command that failed."""

    def __call__(self, command: Command, log: Path) -> str:
        """Run one command; raise `SystemExit` with its code when it does not end with 0."""
        if self._stopped.is_set():
            raise SystemExit(self.code)
        sys.stderr.write(f"$ {spelled(command)}\n")
        log.parent.mkdir(parents=True, exist_ok=True)
        words = [*PROGRAM, *command]
        with log.open("a", encoding="utf-8") as errors:
            process = subprocess.Popen(
                words, stdout=subprocess.PIPE, stderr=errors, text=True, env=self._environment
            )
            self._running.add(process)
            result, _ = process.communicate()
            self._running.discard(process)
        if process.returncode:
            self._fail(process.returncode, command, log)
        return result

    @property
    def is_running(self) -> bool:
        """Whether any process runs now."""
        return bool(self._running)

    def stop(self, signum: int, _frame: object = None) -> None:
        """Ask every process to save its state, and start no other."""
        self.code = self.code or Interrupted(signum).exit_code
        self._stopped.set()
        for process in tuple(self._running):
            process.send_signal(signum)

    def _fail(self, code: int, command: Command, log: Path) -> None:
        is_first = not self._stopped.is_set()
        self._stopped.set()
        self.code = self.code or code
        if is_first:
            last = log.read_text(encoding="utf-8").splitlines()[-8:]
            told = "\n".join(last)
            sys.stderr.write(f"{told}\nleft_atrium: {spelled(command)} ended with {code} ({log})\n")
        raise SystemExit(self.code)


def main() -> None:
    """Print the commands, or run them and write the page."""
    arguments = read_arguments()
    try:
        grid = grid_of(arguments)
    except SamsslError as problem:
        sys.exit(f"left_atrium: {problem}")
    if arguments.dry_run:
        sys.stdout.writelines(f"{spelled(command)}\n" for command in grid.commands())
        return
    processes = Processes(arguments.threads)
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(signum, processes.stop)
    compared = run(grid, processes, jobs=arguments.jobs)
    typed = ["python", "benchmarks/left_atrium.py", *sys.argv[1:]]
    text = left_atrium_page.page(grid, compared, typed=typed, threads=arguments.threads)
    before = arguments.page.read_text(encoding="utf-8") if arguments.page.exists() else ""
    arguments.page.write_text(left_atrium_page.replaced(before, text), encoding="utf-8")
    sys.stdout.write(f"{arguments.page}\n")


def run(grid: Grid, run: Run, *, jobs: int = 1) -> dict[tuple[int, str], str]:
    """Do what is not done yet; give what `compare` says for each label count and method, as JSON.

    Raises:
        SystemExit: with the code of the first command that failed or was stopped.
    """

    def follow(cell: tuple[int, str, int]) -> None:
        for command in grid.chain(*cell):
            run(command, grid.folder(*cell) / "log.txt")

    for labels in grid.labels:
        run(grid.preprocess(labels), grid.cases(labels).with_name("log.txt"))
    with ThreadPoolExecutor(jobs) as pool:
        for done in [pool.submit(follow, cell) for cell in grid.cells()]:
            done.result()
    return {
        (labels, method): run(grid.comparison(labels, method), grid.work / "log.txt")
        for labels in grid.labels
        for method in grid.methods
    }


def spelled(command: Command) -> str:
    """The command as a person types it."""
    return f"samssl {shlex.join(command)}"


def grid_of(arguments: argparse.Namespace) -> Grid:
    """The grid that was asked for; without --steps, the steps are those of the recipe's train-ssl.

    Raises:
        RecipeError: when there is no such recipe, or it does not go with an override.
        UsageError: when no generalist has a say, so that +SAM would be self-training.
    """
    recipe = read_recipe(arguments.recipe, arguments.overrides)
    generalists = tuple(arguments.generalist or recipe.sam_label.generalists)
    _check_generalist_has_a_say(recipe, generalists)
    return Grid(
        data=arguments.data,
        work=arguments.work,
        split=arguments.split,
        recipe=arguments.recipe,
        overrides=tuple(arguments.overrides),
        methods=tuple(arguments.methods),
        labels=tuple(arguments.labels),
        seeds=tuple(arguments.seeds),
        steps=arguments.steps or recipe.train_ssl.steps,
        generalists=generalists,
        checkpoints=tuple(arguments.checkpoint),
        start=arguments.start,
        device=arguments.device,
    )


def _check_generalist_has_a_say(recipe: Recipe, generalists: Sequence[str]) -> None:
    if "none" in generalists:
        raise UsageError(
            "generalist none asks nobody, which makes +SAM self-training; add --generalist with "
            "one that answers"
        )
    if recipe.sam_label.gate == "thresholds" and recipe.sam_label.specialist_weight == 1:
        raise UsageError(
            "sam_label.specialist_weight is 1 in this recipe, which makes +SAM self-training; "
            "add --set sam_label.specialist_weight=0.5, or --set sam_label.gate=calibrated"
        )


def read_arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="the Left Atrium data, in any layout of samssl")
    add("--work", type=Path, required=True, help="folder for all artifacts, kept to resume")
    add("--split", type=Path, help="JSON file with the roles; default: the layout's")
    add("--methods", nargs="+", default=["supervised", "mean-teacher", "uamt"])
    add("--labels", nargs="+", type=int, default=[1, 2, 4, 8], help="numbers of labeled cases")
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--steps", type=int, help="of every training; default: those of the recipe's train-ssl")
    add("--recipe", default="la", help="a shipped recipe or a TOML file")
    add("--set", dest="overrides", action="append", default=[], help="as of every command")
    add("--generalist", action="append", help="default: the recipe's")
    add("--checkpoint", action="append", default=[], help="its weights: [NAME=]FILE")
    add("--start", choices=("specialist", "scratch"), default="specialist", help="see above")
    add("--device", default="auto")
    add("--threads", type=int, default=1, help="of each process")
    add("--jobs", type=int, default=1, help="chains at the same time")
    add("--page", type=Path, default=PAGE, help="where the result goes")
    add("--dry-run", action="store_true", help="print the commands, and run none")
    return parser.parse_args(words)


if __name__ == "__main__":
    main()
