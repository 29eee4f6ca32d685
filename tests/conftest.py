"""A phantom data set and one run of the six stages on it, for all tests that only read them."""

import hashlib
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import traceback
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from samssl_cli.progress import Silent
from samssl_cli.recipe import Recipe, read_recipe
from samssl_cli.volumes.phantom import make_phantom_dataset

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch; tiny networks gain nothing from more

SHAPE = (24, 24, 16)

STAGES = ("preprocess", "train-ssl", "prompt", "sam-label", "retrain", "evaluate")
OUTPUTS = ("cases", "specialist", "prompts", "pseudo", "student", "scores")

TINY_RECIPE = """\
# Seconds for all six stages

[network]
name = "unet"
channels = [4, 8]

[train_ssl]
method = "mean-teacher"
steps = 8
patch_size = [16, 16, 16]
checkpoint_every = 2
learning_rate = 0.01

[retrain]
steps = 6
patch_size = [16, 16, 16]
checkpoint_every = 2

[prompt]
strategies = ["mask", "box", "points"]
num_sets = 2
min_component_voxels = 20

[sam_label]
generalist = "region-growing"
min_agreement = 0.0

[inference]
overlap = 0.25
"""


@dataclass(frozen=True)
class Loop:
    """The six stages on one data set, called as the commands call them."""

    data: Path
    out: Path
    recipe_path: Path
    overrides: tuple[str, ...] = ()
    labeled: int | tuple[str, ...] | None = 1
    split: Path | None = None
    num_workers: int = 1
    init: Path | None = None
    volumes_gb: float = 1.0
    notes: list[str] = field(default_factory=list)

    @property
    def recipe(self) -> Recipe:
        return read_recipe(str(self.recipe_path), self.overrides)

    def path(self, name: str) -> Path:
        return self.out / f"{name}.zarr"

    def preprocess(self, *, force: bool = False) -> Path:
        from samssl_cli.stages.preprocess import preprocess

        return preprocess(
            self.data,
            self.path("cases"),
            labeled=self.labeled,
            split_path=self.split,
            num_workers=self.num_workers,
            **self._common(force),
        )

    def train(self, *, force: bool = False, seed: int = 0) -> Path:
        from samssl_cli.stages.train_ssl import train_ssl

        cases, out = self.path("cases"), self.path("specialist")
        return train_ssl(
            cases, out, seed=seed, device="cpu", volumes_gb=self.volumes_gb, **self._common(force)
        )

    def prompt(self, *, force: bool = False, of: str = "specialist") -> Path:
        from samssl_cli.stages.prompt import prompt

        paths = (self.path(name) for name in ("cases", of, "prompts"))
        return prompt(*paths, seed=0, device="cpu", **self._common(force))

    def label(self, *, force: bool = False) -> Path:
        from samssl_cli.stages.sam_label import sam_label

        paths = (self.path(name) for name in ("cases", "prompts", "pseudo"))
        return sam_label(*paths, weights=None, device="cpu", **self._common(force))

    def retrain(self, *, force: bool = False) -> Path:
        from samssl_cli.stages.retrain import retrain

        paths = (self.path(name) for name in ("cases", "pseudo", "student"))
        return retrain(
            *paths,
            init_path=self.init,
            seed=0,
            device="cpu",
            volumes_gb=self.volumes_gb,
            **self._common(force),
        )

    def evaluate(
        self,
        what: str = "student",
        to: str = "scores",
        *,
        largest: tuple[str, ...] = (),
        force: bool = False,
    ) -> Path:
        from samssl_cli.stages.evaluate import evaluate

        paths = (self.path(name) for name in ("cases", what, to))
        return evaluate(*paths, largest_component=largest, device="cpu", **self._common(force))

    def stages(self) -> tuple[Callable[..., Path], ...]:
        return (
            self.preprocess,
            self.train,
            self.prompt,
            self.label,
            self.retrain,
            self.evaluate,
        )

    def to_student(self) -> "Loop":
        """Run everything that no held-out mask may reach."""
        for stage in self.stages()[:-1]:
            stage()
        return self

    def run(self) -> "Loop":
        self.to_student().evaluate()
        return self

    def beside(self, **changes: object) -> "Loop":
        """The same loop with something changed."""
        return replace(self, notes=[], **changes)

    def linked(self, out: Path, *names: str, **changes: object) -> "Loop":
        """A loop in another folder that finds these artifacts there, and writes the others."""
        for name in names:
            (out / f"{name}.zarr").symlink_to(self.path(name))
        return self.beside(out=out, **changes)

    def _common(self, force: bool) -> dict[str, object]:
        return {"recipe": self.recipe, "force": force, "progress": Notes(self.notes)}


class Notes(Silent):
    """Progress that keeps what it was told."""

    def __init__(self, notes: list[str]) -> None:
        self.notes = notes

    def note(self, message: str) -> None:
        self.notes.append(message)


@pytest.fixture(scope="session")
def recipe_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.toml"
    path.write_text(TINY_RECIPE)
    return path


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 labeled, 2 unlabeled and 2 test cases; read only."""
    root = tmp_path_factory.mktemp("phantom")
    make_phantom_dataset(root, num_train=4, num_labeled=2, num_test=2, shape=SHAPE)
    return root


@pytest.fixture(scope="session")
def loop(phantom: Path, recipe_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Loop:
    """All six stages, done once; read only."""
    return Loop(phantom, tmp_path_factory.mktemp("loop"), recipe_path).run()


@pytest.fixture
def new_loop(tmp_path: Path, phantom: Path, recipe_path: Path) -> Loop:
    """A loop on the phantom of which nothing has run yet."""
    return Loop(phantom, tmp_path / "out", recipe_path)


@pytest.fixture(scope="session")
def output_of() -> dict[str, str]:
    """Give the name of the artifact that a stage writes."""
    return dict(zip(STAGES, OUTPUTS, strict=True))


@pytest.fixture(scope="session")
def command(phantom: Path, recipe_path: Path) -> Callable[..., list[object]]:
    """Give the arguments of a stage that reads artifacts in one folder and writes to another."""

    def arguments(stage: str, inputs: Path, output: Path, *more: object) -> list[object]:
        cases = inputs / "cases.zarr"
        reads: dict[str, list[object]] = {
            "preprocess": [phantom, "--labeled", 1, "--workers", 1],
            "train-ssl": [cases],
            "prompt": [cases, inputs / "specialist.zarr"],
            "sam-label": [cases, inputs / "prompts.zarr"],
            "retrain": [cases, inputs / "pseudo.zarr"],
            "evaluate": [cases, inputs / "student.zarr"],
        }
        device = [] if stage == "preprocess" else ["--device", "cpu"]
        return [stage, *reads[stage], "-o", output, "--recipe", recipe_path, *device, *more]

    return arguments


@dataclass(frozen=True)
class Finished:
    """What a `samssl` process left."""

    code: int
    """Its exit code; minus the signal that killed it."""
    stdout: str
    stderr: str
    duration_s: float


class CommandLine:
    """Run `samssl` commands, each in a process of its own, without waiting for imports."""

    def __init__(self, scratch: Path) -> None:
        """Start the process that the others are forked from; see `driver.py`."""
        driver = Path(__file__).with_name("driver.py")
        command = [sys.executable, "-W", "error::ResourceWarning", str(driver)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._scratch = scratch

    def __call__(
        self,
        *arguments: object,
        after_s: float | None = None,
        after_path: Path | None = None,
        signum: int = signal.SIGKILL,
        cwd: Path | None = None,
        env: Mapping[str, str | None] | None = None,
        streams: Mapping[str, str] | None = None,
    ) -> Finished:
        """Run a command to its end, or send it a signal after a time or once a path exists.

        A variable of `env` that is None is unset; `streams` puts stdout or stderr elsewhere.
        """
        order = {
            **self._order(0, arguments),
            "signal": int(signum),
            "after_s": after_s,
            "after_path": None if after_path is None else str(after_path),
            "cwd": None if cwd is None else str(cwd),
            "env": dict(env or {}),
            **{name: str(path) for name, path in (streams or {}).items()},
        }
        return self._run([order], unread=streams or ())[0]

    def together(
        self, *commands: Sequence[object], envs: Sequence[Mapping[str, str]] = ()
    ) -> list[Finished]:
        """Run several commands at the same time to their ends, perhaps with an environment each."""
        orders = [self._order(number, one) for number, one in enumerate(commands)]
        for order, env in zip(orders, envs, strict=False):
            order["env"] = dict(env)
        return self._run(orders)

    def _order(self, number: int, arguments: Sequence[object]) -> dict[str, object]:
        streams = {name: str(self._scratch / f"{name}.{number}") for name in ("stdout", "stderr")}
        never = {"signal": 0, "after_s": None, "after_path": None, "cwd": None, "env": {}}
        return {"arguments": [str(argument) for argument in arguments], **never, **streams}

    def _run(
        self, orders: Sequence[Mapping[str, object]], *, unread: Collection[str] = ()
    ) -> list[Finished]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(orders) + "\n")
        self._process.stdin.flush()
        answers = json.loads(self._process.stdout.readline())
        texts = [
            {
                name: "" if name in unread else Path(str(order[name])).read_text("utf-8")
                for name in ("stdout", "stderr")
            }
            for order in orders
        ]
        return [Finished(**one, **text) for one, text in zip(answers, texts, strict=True)]

    def close(self) -> None:
        self._process.communicate()


@pytest.fixture(scope="session")
def samssl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommandLine]:
    """Run the command line as a person does: arguments in; exit code, stdout and stderr out."""
    command_line = CommandLine(tmp_path_factory.mktemp("streams"))
    yield command_line
    command_line.close()


class Ranks:
    """Forked processes that find in their environment what torchrun would tell them."""

    def __init__(self, size: int, work: Callable[[], Any], folder: Path) -> None:
        """Start `work` on each."""
        self._folder = folder
        folder.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.pids = [self._fork(rank, size, port, work) for rank in range(size)]

    def answers(self) -> list[Any]:
        """What each gave, or the problem it met: its name, its exit code and its message.

        Of one that was killed, the signal, negative.
        """
        return [self.answer(rank) for rank in range(len(self.pids))]

    def answer(self, rank: int) -> Any:
        """That of one."""
        code = os.waitstatus_to_exitcode(os.waitpid(self.pids[rank], 0)[1])
        return code or pickle.loads((self._folder / str(rank)).read_bytes())

    def _fork(self, rank: int, size: int, port: int, work: Callable[[], Any]) -> int:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which do nothing here
            child = os.fork()
        if child == 0:
            os.environ |= {
                "RANK": str(rank),
                "WORLD_SIZE": str(size),
                "LOCAL_RANK": str(rank),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
            }
            try:
                (self._folder / str(rank)).write_bytes(pickle.dumps(_outcome(work)))
            finally:
                os._exit(0)
        return child


def _outcome(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except BaseException as problem:
        traceback.print_exc()
        return type(problem).__name__, getattr(problem, "exit_code", None), str(problem)


@pytest.fixture
def on_ranks(tmp_path: Path) -> Callable[[int, Callable[[], Any]], Ranks]:
    """Start work on several processes: `on_ranks(2, work).answers()`."""
    return lambda size, work: Ranks(size, work, tmp_path / f"ranks-{os.urandom(4).hex()}")


@pytest.fixture(scope="session")
def hashes() -> Callable[[Path], dict[str, str]]:
    """Give the sha256 of every file under a folder, by its path in it."""

    def of(root: Path) -> dict[str, str]:
        files = sorted(path for path in root.rglob("*") if path.is_file())
        return {
            path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
        }

    return of
