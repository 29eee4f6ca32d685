"""How long commands take that have nothing to do, beside a program of typer that does nothing.

Each turn is two processes. The results of such a pair cannot be equal; what is checked instead is
that both ended well and said what they are there to say. Python keeps the bytecode of both, in a
folder of its own, as an installed package has it: without, compiling it is half the time.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.suite import Entry, Pair

ROOT = Path(__file__).parents[2]

_UP_TO_DATE = "is up to date"

BARE = """\
import typer

app = typer.Typer()


@app.command()
def work(name: str = "nobody") -> None:
    "Do nothing for somebody."
    typer.echo(f"nothing to do for {name}")


@app.command()
def rest() -> None:
    "Do nothing at all."


app()
"""

RECIPE = """\
# The smallest network, for one step

[network]
name = "unet"
channels = [4, 8]

[train_ssl]
method = "supervised"
steps = 1
patch_size = [16, 16, 16]

[retrain]
steps = 1
patch_size = [16, 16, 16]

[prompt]
num_sets = 2

[sam_label]
generalist = "region-growing"
"""


@dataclass(frozen=True)
class Finished:
    """What a process said, and what it had to say."""

    code: int
    said: str
    expected: str

    @property
    def is_good(self) -> bool:
        """Whether it ended well and said it."""
        return self.code == 0 and self.expected in self.said


def failures(*finished: Finished) -> float:
    """How many processes did not do what they are there for."""
    return float(sum(not one.is_good for one in finished))


def pairs() -> Iterator[Pair]:
    """Help, version, and every stage whose artifact is there already."""
    with TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE, encoding="utf-8")
        bytecode = Path(folder) / "bytecode"
        theirs = partial(_run, bytecode, bare)
        bare_help = partial(theirs, "--help", expected="Do nothing at all")
        bare_work = partial(theirs, "work", expected="nothing to do for nobody")
        ours = partial(_run, bytecode, "-m", "samssl_cli")
        stages = _done(Path(folder), ours)
        for title, asked, peer in (
            ("--help", partial(ours, "--help", expected="preprocess"), bare_help),
            ("--version", partial(ours, "--version", expected="samssl "), bare_work),
            *(
                (f"{stage[0]}, up to date", partial(ours, *stage, expected=_UP_TO_DATE), bare_work)
                for stage in stages
            ),
        ):
            yield Pair(title, asked, peer, failures, tolerance=0.0)


def _run(bytecode: Path, *arguments: object, expected: str) -> Finished:
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(bytecode)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment,
    )
    return Finished(done.returncode, done.stdout + done.stderr, expected)


def _done(folder: Path, samssl: Callable[..., Finished]) -> list[list[object]]:
    """The arguments of every stage, and of `predict`, all of which have been done."""
    from samssl_cli.volumes.phantom import make_phantom_dataset

    data, recipe = folder / "data", folder / "recipe.toml"
    # Four test cases: for fewer, evaluate takes Student's quantile from scipy.
    make_phantom_dataset(data, num_train=2, num_labeled=1, num_test=4, shape=(24, 24, 16))
    recipe.write_text(RECIPE, encoding="utf-8")
    names = ("cases", "specialist", "prompts", "pseudo", "student", "scores", "predicted")
    cases, specialist, prompts, pseudo, student, scores, predicted = (
        folder / f"{name}.zarr" for name in names
    )
    commands: list[list[object]] = [
        ["preprocess", data, "-o", cases],
        ["train-ssl", cases, "-o", specialist],
        ["prompt", cases, specialist, "-o", prompts],
        ["sam-label", cases, prompts, "-o", pseudo],
        ["retrain", cases, pseudo, "-o", student],
        ["evaluate", cases, student, "-o", scores],
        ["predict", student, data / "imagesTs", "-o", predicted.with_suffix("")],
    ]
    for command in commands:
        command += ["--recipe", recipe]
        device = [] if command[0] == "preprocess" else ["--device", "cpu"]
        done = samssl(*command, *device, expected=str(folder))
        assert done.is_good, done.said
    return commands


ENTRY = Entry(
    name="startup",
    summary="commands without work, beside a program of typer that does nothing",
    pairs=pairs,
    needs={"typer": "typer"},
    repeats=9,
)
