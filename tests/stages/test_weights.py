import hashlib
import json
import math

import pytest
import safetensors
import safetensors.torch
import torch
from typer.testing import CliRunner

from samssl_cli.cli import app
from samssl_cli.errors import UsageError, WeightsError
from samssl_cli.generalists import state_dict
from samssl_cli.generalists.checkpoint_file import WeightsFacts
from samssl_cli.generalists.model_folder import sha256_of_folder
from samssl_cli.generalists.sam2 import Sam2
from samssl_cli.generalists.sam_architecture import OFFICIAL, build
from samssl_cli.generalists.state_dict import read_tensors
from samssl_cli.progress import Silent
from samssl_cli.stages import weights as stage


def convert(path, output, *, force=False):
    return stage.convert_weights(path, output, force=force, progress=Silent())


@pytest.fixture
def odd(tmp_path):
    """A checkpoint with tensors of many kinds beside an epoch; two of them share memory."""
    shared = torch.arange(12.0)
    tensors = {
        "module.half": torch.tensor([1.0, float("nan"), -0.0]).half(),
        "module.brain": torch.tensor([3.14159]).bfloat16(),
        "module.count": torch.tensor(7),
        "module.is_set": torch.tensor([True, False]),
        "module.turned": shared.view(3, 4).T,
        "module.part": shared[:3],
        "module.empty": torch.zeros(0, 4),
    }
    path = tmp_path / "odd.pth"
    torch.save({"state_dict": tensors, "epoch": 3}, path)
    return path


def test_a_copy_holds_the_same_bits_and_says_where_it_is_from(odd, tmp_path):
    copy = convert(odd, tmp_path / "new" / "odd.safetensors")

    source, found = read_tensors(odd, published="?"), safetensors.torch.load_file(copy)
    assert found.keys() == source.keys()
    assert "half" in found
    for key, value in source.items():
        assert found[key].dtype == value.dtype
        assert found[key].shape == value.shape
        assert found[key].contiguous().numel() == value.numel()
        bits = [tensor.contiguous().flatten().view(torch.uint8) for tensor in (found[key], value)]
        assert torch.equal(*bits)
    with safetensors.safe_open(copy, framework="pt") as file:
        metadata = file.metadata()
    assert metadata["source_sha256"] == hashlib.sha256(odd.read_bytes()).hexdigest()
    assert metadata["source_file"] == "odd.pth"
    assert [path.name for path in copy.parent.iterdir()] == ["odd.safetensors"]


def test_a_copy_is_up_to_date_or_of_another_file(odd, tmp_path):
    copy = convert(odd, tmp_path / "odd.safetensors")
    before = copy.stat().st_mtime_ns
    assert convert(odd, copy).stat().st_mtime_ns == before
    other = tmp_path / "other.pth"
    torch.save({"a": torch.zeros(2)}, other)

    with pytest.raises(WeightsError, match=r"was not made from .*other\.pth; --force replaces it"):
        convert(other, copy)
    convert(other, copy, force=True)
    assert safetensors.torch.load_file(copy).keys() == {"a"}


def test_a_copy_is_called_safetensors(odd, tmp_path):
    with pytest.raises(UsageError, match=r"ends in \.safetensors"):
        convert(odd, tmp_path / "odd.bin")


def test_what_cannot_be_read_leaves_nothing(tmp_path):
    path = tmp_path / "bad.pth"
    torch.save({"model": print}, path)
    with pytest.raises(WeightsError, match="holds Python objects"):
        convert(path, tmp_path / "bad.safetensors")
    assert [file.name for file in tmp_path.iterdir()] == ["bad.pth"]


@pytest.fixture(autouse=True)
def expanded_tensors_are_believed(monkeypatch):
    """Weights of these tests are one number, expanded, so that they are small on disk."""
    monkeypatch.setattr(state_dict, "_MOST_TIMES_THE_FILE", math.inf)


@pytest.fixture
def vit_b(tmp_path):
    """A ViT-B of zeros, 374 MB of memory but few on disk: each tensor is one number, expanded."""
    with torch.device("meta"):
        shapes = build(OFFICIAL["vit_b"]).state_dict()
    path = tmp_path / "zeros.pth"
    torch.save({key: torch.zeros(1).expand(value.shape) for key, value in shapes.items()}, path)
    return path


def test_verify_tells_model_size_and_digest(vit_b):
    facts = stage.verify_weights(vit_b)

    assert facts["generalist"] == "sam"
    assert facts["model"] == "Segment Anything or MedSAM, vit_b"
    # segment_anything's ViT-B has 93 735 472 parameters; one buffer of 2 x 128 stands beside them.
    assert (facts["num_tensors"], facts["num_parameters"]) == (314, 93_735_472 + 256)
    assert facts["sha256"] == hashlib.sha256(vit_b.read_bytes()).hexdigest()
    assert facts["digest"] == "unknown digest"
    assert facts["read_safely"] == "weights_only"


def test_verify_knows_a_published_digest(vit_b, monkeypatch):
    row = stage.named_weights("sam_vit_b")
    monkeypatch.setattr(stage, "sha256_of_weights", lambda path: row.sha256)
    facts = stage.verify_weights(vit_b)
    assert facts["published_as"] == "sam_vit_b"
    assert facts["digest"] == "the published SHA-256 of sam_vit_b_01ec64.pth"


def test_verify_tells_a_file_that_only_has_a_published_name(vit_b):
    fake = vit_b.rename(vit_b.with_name("sam_vit_b_01ec64.pth"))
    said = stage.verify_weights(fake)["digest"]
    assert said.startswith("unknown digest: the published sam_vit_b_01ec64.pth has ec2df627")


def test_verify_refuses_another_model(odd):
    with pytest.raises(WeightsError, match="not the expected Segment Anything model"):
        stage.verify_weights(odd)


def invoke(*arguments):
    return CliRunner().invoke(app, ["weights", *map(str, arguments)])


def test_the_commands(vit_b, tmp_path, monkeypatch):
    monkeypatch.setenv("SAMSSL_WEIGHTS", str(tmp_path))
    listed = invoke("list")
    assert "sha256 ec2df62732614e57" in listed.stdout
    assert "md5 3bb6db55bd0c9ca3" in listed.stdout
    assert json.loads(invoke("list", "--json").stdout)[0]["found"] is None
    missing = invoke("where", "sam_vit_b")
    assert isinstance(missing.exception, WeightsError)
    assert f"and put it into {tmp_path}" in str(missing.exception)

    verified = json.loads(invoke("verify", vit_b, "--json").stdout)
    assert verified["model"].endswith("vit_b")
    copy = tmp_path / "sam_vit_b_01ec64.safetensors"
    assert invoke("convert", vit_b, "-o", copy).stdout == f"{copy}\n"

    assert invoke("where", "sam_vit_b").stdout == f"{copy}\n"
    again = invoke("verify", copy).stdout
    assert "read_safely: safetensors" in again
    assert verified["sha256"] in again  # of the file it was converted from
    assert json.loads(invoke("list", "--json").stdout)[0]["found"] == str(copy)


def test_verify_reads_a_folder_of_transformers(tmp_path, monkeypatch):
    folder = tmp_path / "sam2-tiny"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "sam2_video"}')
    (folder / "model.safetensors").write_bytes(b"tensors")
    facts = WeightsFacts(model="SAM 2.1", num_tensors=1, num_parameters=2)
    monkeypatch.setattr(Sam2, "identify", staticmethod(lambda path: facts))

    found = stage.verify_weights(folder)

    assert (found["generalist"], found["model"], found["num_bytes"]) == ("sam2", "SAM 2.1", 28 + 7)
    assert found["sha256"] == sha256_of_folder(folder)
    assert (found["read_safely"], found["digest"]) == ("safetensors", "unknown digest")


def test_verify_names_what_a_folder_lacks(tmp_path):
    with pytest.raises(WeightsError, match=r"there is no config\.json in this folder"):
        stage.verify_weights(tmp_path)
