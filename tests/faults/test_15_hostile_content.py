"""Row 15. Nothing that is read can run code, nest without end, or be of any size."""

import json
import os

import pytest
import torch

from samssl_cli.errors import WeightsError

CANARY = "canary"


class Bomb:
    """Pickles to a call that leaves a folder behind."""

    def __reduce__(self):
        return os.mkdir, (CANARY,)


@pytest.fixture
def hostile(tmp_path):
    """Weights whose unpickling would run code, in every place that code could hide."""
    weights = tmp_path / "weights"
    weights.mkdir()
    for name, content in {
        "bare": Bomb(),
        "wrapped": {"model": {"a": torch.zeros(1), "b": Bomb()}},
        "optimizer": {"model_state_dict": {"a": torch.zeros(1)}, "optimizer": Bomb()},
    }.items():
        torch.save(content, weights / f"{name}.pth")
        torch.save(content, weights / f"{name}-old.pth", _use_new_zipfile_serialization=False)
    return weights


@pytest.mark.parametrize("generalist", ["sam", "sam-med3d"])
def test_row_15_weights_with_code_are_refused_and_the_code_never_runs(
    loop, tmp_path, monkeypatch, hostile, generalist
):
    from samssl_cli.stages.sam_label import sam_label

    monkeypatch.chdir(tmp_path)
    asked = loop.beside(overrides=(f"sam_label.generalist={generalist}",))
    paths = asked.path("cases"), asked.path("prompts"), tmp_path / "pseudo.zarr"
    files = sorted(hostile.iterdir())
    assert len(files) == 6
    for path in files:
        with pytest.raises(WeightsError, match="which could run code") as caught:
            sam_label(*paths, weights=path, device="cpu", **asked._common(False))
        assert str(path) in str(caught.value)
        assert "weights_only" not in str(caught.value)  # torch's advice is to run it
    assert {found.name for found in tmp_path.glob("[!.]*")} == {"weights"}


DEEP = 100_000
RECIPES = {
    "deep list": "[prompt]\nnum_sets = " + "[" * DEEP + "]" * DEEP,
    "deep table": "[" + ".".join("a" * 2000) + "]\n",
    "infinity": "[train_ssl]\nlearning_rate = 1e999\n",
    "nan": "[train_ssl]\nlearning_rate = nan\n",
    "huge number": "[train_ssl]\nsteps = " + "9" * 5000 + "\n",
    "yaml": "!!python/object/apply:os.mkdir [canary]\n",
    "huge file": "# " + "x" * 2_000_000 + "\n",
    "bytes": "\x00\x01\x02",
}


@pytest.mark.parametrize("text", RECIPES.values(), ids=RECIPES)
def test_row_15_a_hostile_recipe_is_one_clear_line(samssl, loop, tmp_path, text):
    (tmp_path / "r.toml").write_text(text)
    done = samssl(
        *("train-ssl", loop.path("cases"), "-o", "x.zarr", "--recipe", "r.toml"), cwd=tmp_path
    )
    assert (done.code, done.stdout) == (1, "")
    assert "samssl: recipe r.toml" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["r.toml"]


@pytest.mark.parametrize(
    "override",
    ["a.b=" + "[" * DEEP, "train_ssl.learning_rate=1e999", "train_ssl.steps=NaN"],
    ids=["deep", "infinity", "nan"],
)
def test_row_15_a_hostile_override(samssl, loop, tmp_path, override):
    done = samssl(
        *("train-ssl", loop.path("cases"), "-o", "x.zarr", "--set", override[:60_000]), cwd=tmp_path
    )
    assert done.code == 1
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


MANIFESTS = {
    "deep": '{"attributes": ' + "[" * DEEP + "]" * DEEP + "}",
    "infinity": '{"attributes": {"samssl": {"schema": 1e999, "kind": "cases"}}}',
    "another member": '{"attributes": {"samssl": {"members": {"../../etc": "0"}}}}',
}


@pytest.mark.parametrize("text", MANIFESTS.values(), ids=MANIFESTS)
@pytest.mark.parametrize("command", ["verify", "show"])
def test_row_15_a_hostile_manifest(samssl, tmp_path, text, command):
    (tmp_path / "x.zarr").mkdir()
    (tmp_path / "x.zarr/zarr.json").write_text(text)
    done = samssl(command, "x.zarr", cwd=tmp_path)
    assert (done.code, done.stdout) == (1, "")
    assert "zarr.json" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("depth", [1, DEEP])
def test_row_15_a_hostile_description(samssl, tmp_path, depth):
    value = json.dumps("!!python/object/apply:os.mkdir [canary]") if depth == 1 else "[" * depth
    (tmp_path / "dataset.json").write_text('{"labels": ' + value + "}")
    done = samssl("preprocess", ".", "-o", "x.zarr", cwd=tmp_path)
    assert (done.code, done.stdout) == (1, "")
    assert "dataset.json" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["dataset.json"]
