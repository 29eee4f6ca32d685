"""Weights: files of tensors, a config of transformers, and kept embeddings."""

import hashlib
import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from samssl_cli.progress import Silent
from tests.fuzz import edits
from tests.fuzz.target import Target, no_edits, noisy_with, write_file

WORDS = (b"posix\nsystem\n", b"c__builtin__\neval\n", b"ctorch\nload\n", b"R.", b"\x80\x02", b"PK")
TOML_OR_JSON = (b"NaN", b"1e999", b"[" * 5000, b'{"a":' * 5000, b'"\\ud800"', b'"sam2_video"')

_KEY = "0f" * 32
_HEADER: edits.Tree = {
    "header": {
        "__metadata__": {"format": "pt"},
        "a.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b": {"dtype": "F16", "shape": [4], "data_offsets": [24, 32]},
    }
}


def header_tree() -> edits.Tree:
    """The header of a .safetensors file."""
    return _HEADER


def write_safetensors(data: bytes, folder: Path) -> None:
    """A file whose header says what the edits make of it, with 32 bytes of tensors."""
    header = edits.as_bytes(edits.applied(_HEADER, edits.parse(data)).get("header"))
    content = struct.pack("<Q", len(header)) + header + bytes(32)
    (folder / "x.safetensors").write_bytes(content)


def pth_examples() -> list[bytes]:
    """State dicts as torch writes them now, and as it once did."""
    import torch

    found = []
    for is_zip in (True, False):
        stream = io.BytesIO()
        state = {"model": {"a.weight": torch.ones(2, 3), "b": torch.ones(4).half()}, "epoch": 3}
        torch.save(state, stream, _use_new_zipfile_serialization=is_zip)
        found.append(stream.getvalue())
    return found


def read_weights(folder: Path, output: Path) -> None:
    """Load the tensors, and copy them."""
    from samssl_cli.generalists.state_dict import check_state_dict, read_state_dict
    from samssl_cli.stages.weights import convert_weights

    path = next(folder.iterdir())
    state = read_state_dict(path, published="x.pth")
    convert_weights(path, output / "copy.safetensors", force=False, progress=Silent())
    check_state_dict(state, state, path, model="x", cure="y")


def config_examples() -> list[bytes]:
    """A config of the right type, and one of another."""
    kinds = ("sam2_video", "sam")
    return [json.dumps({"model_type": kind, "a": {"b": [1, 2]}}).encode() for kind in kinds]


def write_config(data: bytes, folder: Path) -> None:
    """A folder as transformers saves a model."""
    (folder / "config.json").write_bytes(data)
    (folder / "model.safetensors").write_bytes(b"\2" + bytes(7) + b"{}")


def read_config(folder: Path, _: Path) -> None:
    """Read the config, and the digest of the folder."""
    from samssl_cli.generalists.model_folder import read_model_config, sha256_of_folder

    sha256_of_folder(folder)
    read_model_config(folder, model_type="sam2_video")


def embedding_examples() -> list[bytes]:
    """What `np.save` writes."""
    stream = io.BytesIO()
    np.save(stream, np.arange(6, dtype=np.float16).reshape(2, 3), allow_pickle=False)
    return [stream.getvalue()]


def write_embedding(data: bytes, folder: Path) -> None:
    """An entry with the right digest, as an attacker would make it; its time may be changed."""
    path = folder.parent / "out" / _KEY[:2] / f"{_KEY}.npy"
    path.parent.mkdir()
    path.write_bytes(hashlib.sha256(_KEY.encode() + data).digest() + data)


def read_embedding(_: Path, output: Path) -> Any:
    """Look the entry up; one that is no array is absent."""
    from samssl_cli.generalists.embedding_cache import EmbeddingCache

    return EmbeddingCache(output, max_gb=1).get(_KEY)


WEIGHTS: dict[str, Target] = {
    "pth": Target(
        "weights as torch saves them",
        pth_examples,
        write_file("x.pth"),
        (read_weights,),
        noisy_with(*WORDS),
    ),
    "safetensors": Target(
        "the header of a .safetensors file",
        no_edits,
        write_safetensors,
        (read_weights,),
        lambda data, rng: edits.changed(data, header_tree(), rng),
    ),
    "model-folder": Target(
        "config.json of a folder of transformers",
        config_examples,
        write_config,
        (read_config,),
        noisy_with(*TOML_OR_JSON),
    ),
    "embedding": Target(
        "a kept embedding",
        embedding_examples,
        write_embedding,
        (read_embedding,),
        noisy_with(b"|O", b"'descr'", b"(1000000000000,)", b"<f8", b"}"),
    ),
}
