import hashlib
import os
from pathlib import Path

import pytest
import safetensors.torch
import torch

from samssl_cli.errors import WeightsError
from samssl_cli.generalists.checkpoint_file import sha256_of_weights
from samssl_cli.generalists.sam_architecture import OFFICIAL, build, detect
from samssl_cli.generalists.sam_weights import load_sam


def test_the_architecture_is_read_from_the_shapes(sam):
    found = detect(sam.state_dict())

    assert (found.image_size, found.patch_size, found.embed_dim) == (64, 8, 32)
    assert (found.num_heads, found.window_size, found.is_global) == (2, 3, (False, True))
    assert (found.mlp_dim, found.decoder_mlp_dim) == (128, 64)


@pytest.mark.parametrize("name", OFFICIAL)
def test_the_published_sizes_are_recognised(name):
    with torch.device("meta"):
        weights = build(OFFICIAL[name]).state_dict()

    assert detect(weights) == OFFICIAL[name]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda weights: weights,
        lambda weights: {"model": weights, "epoch": 3},
        lambda weights: {"state_dict": {f"module.{key}": v for key, v in weights.items()}},
        lambda weights: {key: v.half() for key, v in weights.items()},
    ],
    ids=["bare", "model", "state_dict from DataParallel", "half precision"],
)
def test_a_loaded_model_computes_what_the_saved_one_did(sam, tmp_path, wrap):
    torch.save(wrap(sam.state_dict()), tmp_path / "sam.pth")
    pixels = torch.arange(3 * 64 * 64).reshape(1, 3, 64, 64) % 251

    loaded = load_sam(tmp_path / "sam.pth", device="cpu")

    expected = sam.image_encoder(sam.preprocess(pixels))
    found = loaded.image_encoder(loaded.preprocess(pixels))
    torch.testing.assert_close(found, expected, atol=2e-2, rtol=0)
    assert not loaded.training
    assert found.dtype == torch.float32


def test_safetensors_are_read_too(sam, tmp_path):
    safetensors.torch.save_file(sam.state_dict(), tmp_path / "sam.safetensors")

    loaded = load_sam(tmp_path / "sam.safetensors", device="cpu")

    assert all(
        torch.equal(a, b) for a, b in zip(loaded.parameters(), sam.parameters(), strict=True)
    )


def test_the_digest_is_that_of_the_file(tiny_sam):
    expected = hashlib.sha256(tiny_sam.read_bytes()).hexdigest()

    assert sha256_of_weights(tiny_sam) == expected


class _Bomb:
    """Pickles to a call that leaves a file behind: the canary."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self):
        return os.mkdir, (str(self.canary),)


def _missing(path: Path, weights: dict) -> None:
    pass


def _folder(path: Path, weights: dict) -> None:
    path.mkdir()


def _empty(path: Path, weights: dict) -> None:
    path.touch()


def _text(path: Path, weights: dict) -> None:
    path.write_text("<html>404: not found</html>\n")


def _truncated(path: Path, weights: dict) -> None:
    torch.save(weights, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _code(path: Path, weights: dict) -> None:
    torch.save({"model": _Bomb(path.parent / "canary")}, path)


def _tensor(path: Path, weights: dict) -> None:
    torch.save(torch.zeros(3), path)


def _numbers(path: Path, weights: dict) -> None:
    torch.save({"epoch": 3, "dice": 0.9}, path)


def _other_model(path: Path, weights: dict) -> None:
    torch.save(torch.nn.Linear(2, 2).state_dict(), path)


def _adapters(path: Path, weights: dict) -> None:
    torch.save(weights | {"image_encoder.blocks.0.adapter.weight": torch.zeros(1)}, path)


def _one_key_short(path: Path, weights: dict) -> None:
    torch.save({key: v for key, v in weights.items() if "iou_token" not in key}, path)


def _reshaped(path: Path, weights: dict) -> None:
    torch.save(weights | {"image_encoder.neck.1.bias": torch.zeros(9)}, path)


def _nan(path: Path, weights: dict) -> None:
    broken = weights["image_encoder.neck.1.bias"].clone()
    broken[0] = float("nan")
    torch.save(weights | {"image_encoder.neck.1.bias": broken}, path)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_missing, "there is no such file"),
        (_folder, "this is not a file"),
        (_empty, "the file is empty"),
        (_text, "not readable as weights"),
        (_truncated, "not readable as weights"),
        (_code, r"refused: it holds Python objects \(.*mkdir\)"),
        (_tensor, "holds a Tensor, not a dictionary"),
        (_numbers, r"2 entries \(epoch, dice\) not a tensor"),
        (
            _other_model,
            r"\d+ entries \(.*, .*, .*, …\) missing; 2 entries \(weight, bias\) unexpect",
        ),
        (_adapters, r"1 entry \(image_encoder.blocks.0.adapter.weight\) unexpected"),
        (_one_key_short, r"1 entry \(mask_decoder.iou_token.weight\) missing"),
        (_reshaped, r"1 entry \(image_encoder.neck.1.bias\) of another shape"),
        (_nan, r"1 entry \(image_encoder.neck.1.bias\) not finite"),
    ],
    ids=lambda value: value.__name__.strip("_") if callable(value) else "",
)
def test_a_wrong_file_is_refused_in_one_line(sam, tmp_path, make, says):
    path = tmp_path / "weights.pth"
    make(path, sam.state_dict())

    with pytest.raises(WeightsError, match=says) as caught:
        load_sam(path, device="cpu")

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "canary").exists()


def test_a_damaged_safetensors_file_is_refused(tmp_path):
    (tmp_path / "sam.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")

    with pytest.raises(WeightsError, match=r"sam\.safetensors"):
        load_sam(tmp_path / "sam.safetensors", device="cpu")


def test_a_named_architecture_is_insisted_on(tiny_sam):
    with pytest.raises(WeightsError, match=r"missing.*of another shape.*architecture to auto"):
        load_sam(tiny_sam, device="cpu", architecture="vit_b")
