"""Row 19. What may change when a run is resumed, and what may not.

May: the device, the number of workers, TensorBoard, the place. May not: anything that decides the
result, the number of steps included (the learning rate falls with it). `--force` begins anew.
"""

import json

import pytest
import torch

from samssl_cli.artifacts.manifest import METADATA, group_metadata
from samssl_cli.errors import StaleArtifactError

UNFINISHED = ("--set", "train_ssl.checkpoint_every=1000")


@pytest.fixture
def stopped(samssl, loop, command, tmp_path):
    """A training that a signal has stopped: its output."""
    output = tmp_path / "specialist.zarr"
    part = tmp_path / "specialist.zarr.part"
    arguments = command("train-ssl", loop.out, output, "--steps", 30, *UNFINISHED)
    assert samssl(*arguments, after_path=part, signum=10).code == 85
    return output


CHANGES = {
    "more steps": (("--steps", 40), "options.train_ssl.steps: 30 -> 40"),
    "rate": (("--set", "train_ssl.learning_rate=0.5"), "train_ssl.learning_rate: 0.01 -> 0.5"),
    "seed": (("--seed", 7), "seed: 0 -> 7"),
    "method": (("--method", "supervised"), 'train_ssl.method: "mean-teacher" -> "supervised"'),
    "network": (("--set", "network.channels=[8,8]"), "network.channels: [4, 8] -> [8, 8]"),
}


@pytest.mark.parametrize(("more", "told"), CHANGES.values(), ids=CHANGES)
def test_row_19_another_plan_is_refused_with_the_difference(
    samssl, loop, command, stopped, hashes, more, told
):
    before = hashes(stopped.parent)
    steps = () if "--steps" in more else ("--steps", 30)
    done = samssl(*command("train-ssl", loop.out, stopped, *steps, *UNFINISHED, *more))
    assert (done.code, done.stdout) == (1, "")
    assert f"{stopped}.part was made otherwise" in done.stderr
    assert told in done.stderr
    assert hashes(stopped.parent) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="auto would take the CUDA device")
def test_row_19_what_decides_nothing_may_change(samssl, loop, command, stopped, tmp_path, hashes):
    pytest.importorskip("tensorboard")
    changed = ("--steps", 30, *UNFINISHED, "--device", "auto", "--tensorboard", tmp_path / "logs")
    done = samssl(*command("train-ssl", loop.out, stopped, *changed))
    assert done.code == 0, done.stderr
    assert "resumed after step" in done.stderr
    whole = tmp_path / "whole/specialist.zarr"
    samssl(*command("train-ssl", loop.out, whole, "--steps", 30, *UNFINISHED))
    assert hashes(stopped) == hashes(whole)


def test_row_19_an_unfinished_run_of_another_layout_is_not_continued(loop, copied):
    folder = copied("prompts")
    part = (folder / "prompts.zarr").rename(folder / "prompts.zarr.part")
    stored = json.loads((part / METADATA).read_bytes())["attributes"]["samssl"]
    names = ("kind", "schema", "stage", "options", "seed", "inputs")
    plan = {name: stored[name] for name in names} | {"schema": 0}
    (part / METADATA).write_bytes(group_metadata({"samssl": {"plan": plan}}))
    for name in ("cases", "specialist"):
        (folder / f"{name}.zarr").symlink_to(loop.path(name))
    older = loop.beside(out=folder)
    with pytest.raises(StaleArtifactError, match=r"schema: 0 -> 1"):
        older.prompt()
    older.prompt(force=True)
    assert older.path("prompts").exists()
