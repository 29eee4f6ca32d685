"""`samssl demo [DIR]`: the whole loop on phantoms, each command printed before it runs."""

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from samssl_cli.cli.console import say, show_table
from samssl_cli.errors import UsageError

_STEPS = 270
_PATCH_SIZE = "[48,48,32]"  # of 56x56x40 phantoms
_RECORD = "demo.json"


def demo(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="where data and artifacts go")
    ] = Path("samssl-demo"),
    steps: Annotated[int, typer.Option(min=1, help="of each training")] = _STEPS,
    seed: Annotated[int, typer.Option(min=0, help="of the phantoms and of the training")] = 0,
) -> None:
    """Run the whole loop on a small phantom data set, on the CPU, in minutes."""
    from samssl_cli.cli.app import app
    from samssl_cli.report.score_files import bring_up_to_date
    from samssl_cli.report.scores_table import comparison_table

    _claim(directory, steps=steps, seed=seed)
    _make_data(directory / "data", seed)
    for command in demo_commands(directory, steps=steps, seed=seed):
        sys.stderr.write(f"\n$ samssl {shlex.join(command)}\n")
        app(command, standalone_mode=False)
    names = ("supervised", "specialist", "student")
    records = {
        name: json.loads(bring_up_to_date(directory / f"{name}-scores.zarr")) for name in names
    }
    show_table(comparison_table(records, title="all three, on the test cases"))
    say(directory)


def demo_commands(directory: Path, *, steps: int, seed: int) -> Iterator[list[str]]:
    """The commands of the loop as a person would type them after `samssl`."""

    def at(name: str) -> str:
        return str(directory / name)

    cases = at("cases.zarr")
    train = [*_TRAINING, "--steps", str(steps), "--seed", str(seed)]
    yield ["preprocess", at("data"), "-o", cases, "--labeled", "1", "--recipe", "quick"]
    supervised = ["train-ssl", cases, "-o", at("supervised.zarr"), "--method", "supervised"]
    yield [*supervised, *train, "--set", f"train_ssl.patch_size={_PATCH_SIZE}"]
    specialist = ["train-ssl", cases, "-o", at("specialist.zarr"), *train]
    yield [*specialist, "--set", f"train_ssl.patch_size={_PATCH_SIZE}"]
    prompts = ["prompt", cases, at("specialist.zarr"), "-o", at("prompts.zarr")]
    yield [*prompts, *_TRAINING, "--seed", str(seed)]
    yield ["sam-label", cases, at("prompts.zarr"), "-o", at("pseudo.zarr"), *_TRAINING, *_ASKING]
    student = ["retrain", cases, at("pseudo.zarr"), "-o", at("student.zarr"), *train]
    yield [*student, "--set", f"retrain.patch_size={_PATCH_SIZE}"]
    beside = []
    for name in ("supervised", "specialist"):
        scores = at(f"{name}-scores.zarr")
        yield ["evaluate", cases, at(f"{name}.zarr"), "-o", scores, *_TRAINING, "--no-sanity"]
        beside += ["--beside", f"{name}={scores}"]
    evaluate = ["evaluate", cases, at("student.zarr"), "-o", at("student-scores.zarr"), *_TRAINING]
    yield [*evaluate, *_ASKING, "--report", at("report"), *beside]


_TRAINING = ("--recipe", "quick", "--device", "cpu")
_ASKING = (
    *("--generalist", "scout"),
    *("--set", "sam_label.options.scout.num_flips=2"),  # phantoms are small: fewer, coarser views
    *("--set", "sam_label.options.scout.budget=40000"),
)


def _claim(directory: Path, *, steps: int, seed: int) -> None:
    """Note what this demo is made with; raise a `UsageError` where there is another one."""
    record, wanted = directory / _RECORD, json.dumps({"steps": steps, "seed": seed})
    found = record.read_text(encoding="utf-8").strip() if record.exists() else None
    if found == wanted:
        return
    if found is not None or (directory / "data").exists():
        made_with = found or f"no {_RECORD}"
        raise UsageError(
            f"{directory}: holds another demo or other data ({made_with}, expected {wanted}); "
            "name another DIR, as in: samssl demo DIR"
        )
    directory.mkdir(parents=True, exist_ok=True)
    unfinished = record.with_suffix(".part")
    unfinished.write_text(wanted + "\n", encoding="utf-8")
    unfinished.replace(record)


def _make_data(data: Path, seed: int) -> None:
    """Write the phantoms, unless an earlier demo did."""
    from samssl_cli.volumes.phantom import make_phantom_dataset

    if not (data / "dataset.json").exists():
        sys.stderr.write(f"making phantoms in {data}\n")
        make_phantom_dataset(data, num_train=8, num_labeled=1, num_test=4, seed=seed)
