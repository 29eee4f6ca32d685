"""Attacks that are known by name, each written out once."""

import gzip
import os
import pickle
import zipfile

import nibabel as nib
import numpy as np
import pytest
import torch

from samssl_cli.artifacts.members import write_member
from samssl_cli.errors import SamsslError
from samssl_cli.generalists.state_dict import read_state_dict
from tests.fuzz import edits, guard, seeds
from tests.fuzz.target import judge
from tests.fuzz.targets import TARGETS

MB = 1_000_000


def header(*dims, dtype=np.int16):
    """The bytes of a NIfTI header that declares so many voxels, and of none of them."""
    declared = nib.Nifti1Header()
    declared.set_data_shape(dims)
    declared.set_data_dtype(dtype)
    declared["magic"], declared["vox_offset"] = b"n+1", 352
    return declared.binaryblock + bytes(4)


class Runs:
    """What a pickle does when it is read."""

    def __reduce__(self):
        return os.system, ("touch canary",)


def refused(target, data, match=""):
    verdict = judge(target, data)
    assert verdict.is_fine, verdict
    assert verdict.told, "was taken"
    assert match in verdict.told, verdict.told


VOLUMES = {
    "32767 voxels along each axis": header(32767, 32767, 32767),
    "seven axes": header(*[32767] * 7),
    "gzip bomb": gzip.compress(header(500, 500, 500) + bytes(250 * MB), 1),
    "gzip bomb in the extension": gzip.compress(
        header(2, 2, 2)[:348] + b"\1" * 4 + bytes(300 * MB)
    ),
    "gzip of gzip": gzip.compress(gzip.compress(header(2, 2, 2))),
    "NIfTI-2 with XML inside": b"\x1c\2\0\0n+2\0\r\n\x1a\n"
    + b"<!DOCTYPE x [<!ENTITY a 'a'>]>" * 20,
    "text": b"n+1 is what it says",
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(600),
}


@pytest.mark.parametrize("data", VOLUMES.values(), ids=VOLUMES)
def test_a_hostile_volume_is_refused(data, warm):
    refused(warm("nifti"), data)


def test_a_volume_that_would_be_kilometres_long_on_the_common_grid_is_refused(warm):
    files = list(seeds.tree("data"))
    image, label = (
        next(name for name in files if name.startswith(folder))
        for folder in ("imagesTs", "labelsTs")
    )
    long = nib.Nifti1Image(np.ones((12, 12, 12), np.int16), np.diag([1e6, 1e6, 1e6, 1]))
    edit = ["set", [image], edits.encoded(long.to_bytes())]
    refused(warm("dataset"), edits.as_input([edit, ["remove", [label], None]]), "limit")


NAMES = [
    "../../outside",
    "/etc/passwd",
    "a\x00b",
    "..",
    ".",
    "",
    "x" * 300,
    "\ud800",
    "CON/../..",
    "a/b",
]


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_names_do_not_lead_out(name, warm):
    """As a case in split.json, a class in dataset.json, a member and a file of an artifact."""
    split = ["set", ["split.json"], {"labeled": [name]}]
    refused(warm("dataset"), edits.as_input([split]))
    member = next(path for path in seeds.tree("pseudo.zarr") if path.count("/") == 1)
    case = member.split("/")[0]
    manifest = ["zarr.json", "attributes", "samssl", "members", case]
    refused(warm("labels"), edits.as_input([["rename", manifest, name]]))
    files = [member, "attributes", "samssl_member", "files", "label/zarr.json"]
    refused(warm("labels"), edits.as_input([["rename", files, name]]))


def array_edits():
    """What an array may say that zarr would obey."""
    codecs = [{"name": "bytes", "configuration": {"endian": "little"}}]
    sharding = {
        "name": "sharding_indexed",
        "configuration": {
            "chunk_shape": [1, 1, 1],
            "codecs": codecs,
            "index_codecs": codecs,
            "index_location": "end",
        },
    }
    nested = {**sharding, "configuration": {**sharding["configuration"], "codecs": [sharding]}}
    grid = ["chunk_grid", "configuration", "chunk_shape"]
    return {
        "unknown codec": [["codecs"], [{"name": "numcodecs.pickle", "configuration": {}}]],
        "no codecs": [["codecs"], []],
        "sharding in sharding": [["codecs"], [nested]],
        "chunks of nothing": [grid, [0, 0, 0]],
        "chunks of 10^12": [grid, [10**12] * 3],
        "shape of 10^12": [["shape"], [10**12] * 3],
        "negative shape": [["shape"], [-1, 12, 12]],
        "Python objects": [["data_type"], "object"],
        "another format": [["zarr_format"], 2],
        "a group": [["node_type"], "group"],
        "storage": [["storage_transformers"], [{"name": "x"}]],
        "an unknown key": [["attributes_of_mine"], {"must_understand": False}],
        "flat names": [["chunk_key_encoding"], {"name": "v2"}],
    }


@pytest.mark.parametrize(("path", "value"), array_edits().values(), ids=array_edits())
def test_a_hostile_array_is_refused_before_zarr_reads_it(path, value, warm):
    file = next(name for name in seeds.tree("pseudo.zarr") if name.endswith("/label/zarr.json"))
    refused(warm("labels"), edits.as_input([["set", [file, *path], value]]), "label")


def test_a_chunk_that_unpacks_to_more_than_it_may_is_refused(tmp_path, warm):
    write_member(tmp_path / "x", {"a": np.zeros(100 * MB, np.uint8)}, {}, staging=tmp_path / "s")
    bomb = (tmp_path / "x/a/c/0").read_bytes()
    assert len(bomb) < MB / 10
    file = next(name for name in seeds.tree("pseudo.zarr") if "/label/c/" in name)
    refused(warm("labels"), edits.as_input([["set", [file], edits.encoded(bomb)]]), "unpacks")


def weights(tmp_path, name, value):
    path = tmp_path / name
    torch.save(value, path)
    return path


def test_pickles_are_not_run(tmp_path, monkeypatch, warm):
    warm("pth")
    monkeypatch.chdir(tmp_path)
    for content in (pickle.dumps(Runs()), pickle.dumps({"a": Runs()}, protocol=2)):
        refused(TARGETS["pth"], content)
    path = weights(tmp_path, "x.pth", {"model": Runs()})
    refused(TARGETS["pth"], path.read_bytes(), "posix.system")
    stored = np.array([Runs()], dtype=object)
    np.save(tmp_path / "x.npy", stored, allow_pickle=True)
    assert judge(warm("embedding"), (tmp_path / "x.npy").read_bytes()).is_fine
    assert not (tmp_path / "canary").exists()


def sparse():
    place, value = torch.zeros(2, 1), torch.ones(1)
    return torch.sparse_coo_tensor(place, value, (10**6, 10**6), check_invariants=False)


HOSTILE_TENSORS = {
    "one number as 10^12": (lambda: torch.ones(1).half().expand(10**6, 10**6), "claim to be"),
    "sparse": (sparse, "plain"),
    "nowhere": (lambda: torch.ones(3, device="meta"), "plain"),
}


@pytest.mark.parametrize(("tensor", "match"), HOSTILE_TENSORS.values(), ids=HOSTILE_TENSORS)
@pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning")
def test_tensors_that_are_more_than_their_file_are_refused(tensor, match, tmp_path):
    path = weights(tmp_path, "x.pth", {"a": tensor()})
    verdict = guard.judge(
        lambda: read_state_dict(path, published="x"), named=(str(path),), writable=tmp_path
    )
    assert verdict.is_fine, verdict
    assert match in verdict.told


def test_a_compressed_checkpoint_is_refused(tmp_path):
    plain = weights(tmp_path, "plain.pth", {"a": torch.zeros(10_000_000)})
    packed = tmp_path / "packed.pth"
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as to:
        for name in source.namelist():
            to.writestr(name, source.read(name))
    with pytest.raises(SamsslError, match="torch compresses nothing"):
        read_state_dict(packed, published="x")


HEADERS = {
    "longer than the file": [["a.weight", "data_offsets"], [0, 10**12]],
    "of 10^12 numbers": [["a.weight", "shape"], [10**6, 10**6]],
    "overlapping": [["b", "data_offsets"], [0, 8]],
    "negative": [["a.weight", "shape"], [-2, -3]],
    "of another type": [["a.weight", "dtype"], "PICKLE"],
}


@pytest.mark.parametrize(("path", "value"), HEADERS.values(), ids=HEADERS)
def test_a_safetensors_header_that_lies_is_refused(path, value, warm):
    refused(warm("safetensors"), edits.as_input([["set", ["header", *path], value]]), "readable")


SOUND = '{"file_ending": ".nii", "channel_names": {"0": "x"}, "labels": {"b": 0, "a": 1}}'
TEXTS = {
    "nested deeply": {"$times": ["[", 100_000]},
    "objects nested deeply": {"$times": ['{"a":', 100_000]},
    "a huge number": {"$text": '{"labels": ' + "9" * 5000 + "}"},
    "NaN": {"$text": SOUND.replace("1", "NaN")},
    "infinity": {"$text": SOUND.replace("1", "1e999")},
    "the same key twice": {"$text": '{"labels": {"a": 0}, "labels": {"b": 1}}'},
    "not UTF-8": {"$base64": "//79/A=="},
    "half a character": {"$text": '{"name": "\\ud800", "labels": {}}'},
    "too long": {"$times": [" ", 11 * MB]},
}


@pytest.mark.parametrize("content", TEXTS.values(), ids=TEXTS)
def test_hostile_json_is_refused(content, warm):
    for file in ("dataset.json", "split.json"):
        refused(warm("dataset"), edits.as_input([["set", [file], content]]), file)
    refused(warm("labels"), edits.as_input([["set", ["zarr.json"], content]]), "zarr.json")


RECIPES = {
    "a date for a number": b"[train_ssl]\nsteps = 1979-05-27\n",
    "a date in options": b"[sam_label.options.sam]\nx = 1979-05-27\n",
    "NaN in options": b"[train_ssl.method_options.uamt]\nx = nan\n",
    "NaN": b"[train_ssl]\nlearning_rate = nan\n",
    "infinity": b"[preprocess]\nmax_volume_gb = inf\n",
    "nested deeply": b"x = " + b"[" * 5000,
    "dotted deeply": b"a" + b".a" * 5000 + b" = 1\n",
    "a huge number": b"[train_ssl]\nsteps = " + b"9" * 5000,
    "the same table twice": b"[train_ssl]\n[train_ssl]\n",
    "NUL": b'[network]\nname = "a\0"\n',
}


@pytest.mark.parametrize("content", RECIPES.values(), ids=RECIPES)
def test_a_hostile_recipe_is_refused(content, warm):
    refused(warm("recipe"), content, "recipe")


OVERRIDES = {
    "nested deeply": b"train_ssl.method_options.a.b=" + b"[" * 5000,
    "dotted deeply": b"a" + b".a" * 5000 + b"=1",
    "a huge number": b"train_ssl.steps=" + b"9" * 5000,
    "half a character": b'sam_label.options.sam.x="\\ud800"',
    "no UTF-8": b"sam_label.options.sam.x=\xff",
    "NaN": b"sam_label.options.sam.x=NaN",
}


@pytest.mark.parametrize("content", OVERRIDES.values(), ids=OVERRIDES)
def test_a_hostile_override_is_refused(content, warm):
    refused(warm("set"), content)
