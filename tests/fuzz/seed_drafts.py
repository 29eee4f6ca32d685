"""What a killed run leaves, of every stage that reads it again: made when it is first asked for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from samssl_cli.errors import SamsslError
from samssl_cli.progress import Progress, Silent
from samssl_cli.recipe import Recipe, read_recipe
from tests.fuzz import edits, seeds

_OWNER = "process 1 on elsewhere"


class _KilledError(Exception):
    """In the middle of the work."""


class _Kills(Silent):
    """Ends a run after so many units of work."""

    def __init__(self, num_units: int) -> None:
        self._left = num_units

    def advance(self, detail: Any = None) -> None:
        self._left -= 1
        if not self._left:
            raise _KilledError


def _train(output: Path, progress: Progress) -> None:
    from samssl_cli.stages.train_ssl import train_ssl

    recipe = _recipe("train_ssl.checkpoint_every=1", "train_ssl.average_decay=0.5")
    train_ssl(
        _sound("cases"),
        output,
        seed=0,
        recipe=recipe,
        volumes_gb=1.0,
        device="cpu",
        force=False,
        progress=progress,
    )


def _label(output: Path, progress: Progress) -> None:
    from samssl_cli.stages.sam_label import sam_label

    sam_label(
        _sound("cases"),
        _sound("prompts"),
        output,
        weights=None,
        recipe=_recipe("sam_label.gate=calibrated", "gate.num_draws=2"),
        device="cpu",
        force=False,
        progress=progress,
    )


def _evaluate(output: Path, progress: Progress) -> None:
    from samssl_cli.stages.evaluate import evaluate

    evaluate(
        _sound("cases"),
        _sound("specialist"),
        output,
        recipe=_recipe(),
        device="cpu",
        force=False,
        progress=progress,
    )


def _preprocess(output: Path, progress: Progress) -> None:
    from samssl_cli.stages.preprocess import preprocess

    preprocess(
        seeds.sound() / "data",
        output,
        labeled=1,
        split_path=None,
        recipe=_recipe(),
        num_workers=1,
        force=False,
        progress=progress,
    )


def _adapt(output: Path, progress: Progress) -> None:
    from samssl_cli.stages.adapt import adapt

    recipe = _recipe(
        "sam_label.generalist=scout",
        "sam_label.options.scout.num_flips=1",
        "sam_label.options.scout.budget=14000",
        "adapt.steps=2",
        "adapt.checkpoint_every=1",
        "adapt.batch_size=1",
        "adapt.prompts_per_case=1",
        "adapt.min_component_voxels=1",
    )
    with _small_scout() as weights:
        adapt(
            _sound("cases"),
            output,
            weights=weights,
            recipe=recipe,
            seed=0,
            device="cpu",
            force=False,
            progress=progress,
        )


@contextmanager
def _small_scout() -> Iterator[Path]:
    """Weights of a thinner network with smaller views, which is what there is meanwhile."""
    import torch
    from safetensors.torch import save_file

    from samssl_cli.generalists import scout_network
    from samssl_cli.training import lessons

    path = seeds.sound() / "small-scout.safetensors"
    with (
        mock.patch.multiple(scout_network, _FINEST=4, _BLOCKS=(1, 1, 1, 1)),
        mock.patch.multiple(lessons, SHAPES=((24, 24, 24),), _SCENE_SIZE=(32, 32, 32)),
    ):
        if not path.exists():
            torch.manual_seed(5)
            save_file(scout_network.ScoutNetwork().state_dict(), path)
        yield path


STAGES: dict[str, tuple[Callable[[Path, Progress], None], int]] = {
    "train-ssl": (_train, 2),
    "sam-label": (_label, 2),
    "evaluate": (_evaluate, 1),
    "preprocess": (_preprocess, 4),
    "adapt": (_adapt, 4),
}
"""Name of a stage to what it does, and the units of work after which it is killed."""


@cache
def draft(stage: str) -> edits.Tree:
    """What a killed run of a stage leaves, beside the locks of one that had shards."""
    folder = seeds.sound() / "drafts" / stage
    if not folder.exists():
        _kill(stage, folder)
    return edits.read(folder)


def resume(stage: str, folder: Path) -> None:
    """Run a stage again in the folder in which it was killed, or anything else lies."""
    run, _ = STAGES[stage]
    run(folder / "x.zarr", Silent())


def _kill(stage: str, folder: Path) -> None:
    run, num_units = STAGES[stage]
    folder.mkdir(parents=True)
    try:
        run(folder / "x.zarr", _Kills(num_units))
    except _KilledError:
        for lock in (".x.zarr", ".x.zarr.shard-1-of-2", ".x.zarr.shards"):
            (folder / f"{lock}.lock").touch()
            (folder / f"{lock}.owner").write_text(_OWNER)
        return
    raise SamsslError(f"{stage}: was done before it was killed")


def _sound(name: str) -> Path:
    return seeds.sound() / f"{name}.zarr"


def _recipe(*overrides: str) -> Recipe:
    return read_recipe(str(seeds.sound() / "recipe.toml"), overrides)
