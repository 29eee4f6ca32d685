import argparse
import os
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from samssl_cli.errors import WeightsError
from samssl_cli.generalists.med3d_weights import load_med3d


@pytest.fixture
def published(med3d) -> dict:
    """A training state in the form of the published file."""
    linear = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(linear.parameters())
    linear(torch.ones(2)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [120, 180])
    return {
        "epoch": 800,
        "model_state_dict": med3d.state_dict(),
        "optimizer_state_dict": optimizer.state_dict(),
        "lr_scheduler_state_dict": scheduler.state_dict(),
        "losses": [1.5, np.float64(0.5)],
        "dices": [np.float32(0.25)],
        "best_loss": np.inf,
        "best_dice": np.float64(0.75),
        "args": argparse.Namespace(task_name="union", gpu_ids=[0, 1], lr=8e-4),
        "used_datas": ["data/brain", "data/heart"],
    }


def _same(model, other) -> bool:
    pairs = zip(model.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def test_the_published_form_is_read_without_running_code(published, med3d, tiny_shape, tmp_path):
    torch.save(published, tmp_path / "sam_med3d_turbo.pth")

    loaded = load_med3d(tmp_path / "sam_med3d_turbo.pth", device="cpu", architecture=tiny_shape)

    assert _same(loaded, med3d)
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_numpy_numbers_of_old_files_are_read(published, med3d, tiny_shape, tmp_path):
    torch.save(published, tmp_path / "new.pth", _use_new_zipfile_serialization=False)
    content = (tmp_path / "new.pth").read_bytes()
    assert b"numpy._core.multiarray" in content
    old = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    (tmp_path / "old.pth").write_bytes(old)

    assert _same(load_med3d(tmp_path / "old.pth", device="cpu", architecture=tiny_shape), med3d)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: weights,
        lambda weights: {"model_state_dict": {f"module.{key}": v for key, v in weights.items()}},
    ],
    ids=["bare", "from DataParallel"],
)
def test_other_forms_are_read_too(med3d, tiny_shape, tmp_path, wrap):
    torch.save(wrap(med3d.state_dict()), tmp_path / "weights.pth")

    assert _same(load_med3d(tmp_path / "weights.pth", device="cpu", architecture=tiny_shape), med3d)


def test_safetensors_are_read(med3d, tiny_shape, tmp_path):
    path = tmp_path / "weights.safetensors"
    safetensors.torch.save_file(med3d.state_dict(), path)

    assert _same(load_med3d(path, device="cpu", architecture=tiny_shape), med3d)


class _Bomb:
    """Pickles to a call that leaves a file behind: the canary."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


def _missing(path: Path, published: dict) -> None:
    pass


def _truncated(path: Path, published: dict) -> None:
    torch.save(published, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _code(path: Path, published: dict) -> None:
    torch.save(published | {"epoch": _Bomb(path.parent / "canary")}, path)


def _code_in_args(path: Path, published: dict) -> None:
    bomb = argparse.Namespace(lr=_Bomb(path.parent / "canary"))
    torch.save(published | {"args": bomb}, path)


def _code_in_a_number(path: Path, published: dict) -> None:
    array = np.array([_Bomb(path.parent / "canary")], dtype=object)
    torch.save(published | {"losses": array}, path)


def _no_weights(path: Path, published: dict) -> None:
    torch.save(published | {"model_state_dict": None}, path)


def _other_model(path: Path, published: dict) -> None:
    torch.save({"model_state_dict": torch.nn.Linear(2, 2).state_dict()}, path)


def _one_key_short(path: Path, published: dict) -> None:
    weights = published["model_state_dict"]
    short = {key: value for key, value in weights.items() if "iou_token" not in key}
    torch.save(published | {"model_state_dict": short}, path)


def _infinite(path: Path, published: dict) -> None:
    broken = {"image_encoder.neck.1.bias": torch.full((48,), torch.inf)}
    torch.save(published | {"model_state_dict": published["model_state_dict"] | broken}, path)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_missing, "there is no such file"),
        (_truncated, "not readable as weights"),
        (_code, r"refused: it holds Python objects \(.*mkdir\)"),
        (_code_in_args, r"refused: it holds Python objects \(.*mkdir\)"),
        (_code_in_a_number, r"refused: it holds Python objects"),
        (_no_weights, r"\d+ entries \(epoch, .*, …\) not a tensor; expected sam_med3d_turbo\.pth"),
        (
            _other_model,
            r"not the expected SAM-Med3D: \d+ entries .* missing; 2 entries \(weight, bias\) unexp",
        ),
        (_one_key_short, r"1 entry \(mask_decoder.iou_token.weight\) missing"),
        (_infinite, r"1 entry \(image_encoder.neck.1.bias\) not finite"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_a_wrong_file_is_refused_in_one_line(published, tiny_shape, tmp_path, make, says):
    path = tmp_path / "weights.pth"
    make(path, published)

    with pytest.raises(WeightsError, match=says) as caught:
        load_med3d(path, device="cpu", architecture=tiny_shape)

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "canary").exists()


def test_a_slice_by_slice_sam_is_another_model(sam, tiny_shape, tmp_path):
    torch.save(sam.state_dict(), tmp_path / "sam_vit_b.pth")

    with pytest.raises(WeightsError, match=r"not the expected SAM-Med3D.*huggingface\.co"):
        load_med3d(tmp_path / "sam_vit_b.pth", device="cpu", architecture=tiny_shape)


def test_a_tiny_model_is_not_the_published_one(med3d, tmp_path):
    torch.save(med3d.state_dict(), tmp_path / "tiny.pth")

    with pytest.raises(WeightsError, match=r"missing; \d+ entries .* of another shape"):
        load_med3d(tmp_path / "tiny.pth", device="cpu")
