import json
import subprocess
import sys

import pytest

from samssl_cli.errors import WeightsError
from samssl_cli.generalists.model_folder import (
    is_model_folder,
    num_bytes_of_folder,
    read_model_config,
    sha256_of_folder,
)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "config.json").write_text(json.dumps({"model_type": "sam2_video"}))
    (path / "model.safetensors").write_bytes(b"tensors")
    return path


def test_a_folder_is_known_by_its_config(folder, tmp_path):
    artifact = tmp_path / "generalist.zarr"
    artifact.mkdir()
    (artifact / "zarr.json").write_text("{}")

    assert is_model_folder(folder)
    assert not is_model_folder(artifact)
    assert not is_model_folder(tmp_path / "nowhere")


def test_the_digest_covers_config_and_tensors_and_nothing_else(folder):
    first = sha256_of_folder(folder)
    (folder / "processor_config.json").write_text("{}")
    assert sha256_of_folder(folder) == first
    assert num_bytes_of_folder(folder) == 28 + 7

    (folder / "config.json").write_text(json.dumps({"model_type": "sam2_video", "image_size": 8}))
    second = sha256_of_folder(folder)
    (folder / "model.safetensors").write_bytes(b"Tensors")
    assert len({first, second, sha256_of_folder(folder)}) == 3


def test_a_pickle_is_not_taken_for_tensors(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")

    with pytest.raises(WeightsError, match=r"refused: pytorch_model\.bin may hold code") as caught:
        sha256_of_folder(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_what_is_missing_or_empty_is_named(folder, name):
    (folder / name).write_bytes(b"")
    with pytest.raises(WeightsError, match=f"{name}: the file is empty"):
        sha256_of_folder(folder)

    (folder / name).unlink()
    with pytest.raises(WeightsError, match=f"there is no {name} in this folder"):
        sha256_of_folder(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "model_type 'None', expected 'sam2_video'"),
        ('{"model_type": "sam3_video"}', "model_type 'sam3_video', expected 'sam2_video'"),
    ],
)
def test_the_config_of_another_model_is_refused(folder, text, message):
    (folder / "config.json").write_text(text)

    with pytest.raises(WeightsError, match=message):
        read_model_config(folder, model_type="sam2_video")


def test_looking_at_a_folder_does_not_import_torch():
    code = (
        "import sys, samssl_cli.generalists.model_folder;"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
