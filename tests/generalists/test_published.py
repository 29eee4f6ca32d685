import json
import re
import subprocess
import sys

import pytest

from samssl_cli.errors import UsageError
from samssl_cli.generalists import GENERALISTS
from samssl_cli.generalists.published import (
    file_of,
    find_weights,
    matching_weights,
    named_weights,
    published_weights,
    weights_folder,
)
from samssl_cli.recipe import validate
from samssl_cli.registry import load

ROWS = published_weights()


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("SAMSSL_WEIGHTS", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_every_row_is_complete_and_fits_its_generalist(row):
    assert GENERALISTS[row.generalist].needs_checkpoint
    assert row.page.startswith("https://")
    assert row.licence
    assert row.source
    assert re.fullmatch("[0-9a-f]{64}|", row.sha256)
    assert re.fullmatch("[0-9a-f]{32}|", row.md5)
    options = load(GENERALISTS, row.generalist, kind="generalist").Options
    validate(options, row.options, where=row.name)
    assert json.dumps(vars(row))


@pytest.mark.parametrize("name", ["sam_vit_b", "sam_vit_l", "sam_vit_h"])
def test_the_file_names_of_sam_begin_their_md5_not_their_sha256(name):
    row = ROWS[name]
    digits = row.file.removesuffix(".pth").rpartition("_")[2]

    assert row.md5.startswith(digits)
    assert not row.sha256.startswith(digits)


def test_weights_are_named_by_row_or_by_file():
    assert named_weights("sam_vit_b") is named_weights("sam_vit_b_01ec64.pth")
    with pytest.raises(UsageError, match=r"unknown weights 'vit'; known: medsam.*sam_vit_b"):
        named_weights("vit")


def test_a_digest_is_looked_up_as_md5_only_where_there_is_no_sha256():
    sam, medsam = ROWS["sam_vit_b"], ROWS["medsam_vit_b"]

    assert matching_weights(sha256=sam.sha256, md5="?") is sam
    assert matching_weights(sha256="?", md5=sam.md5) is None
    assert matching_weights(sha256="?", md5=medsam.md5) is medsam


def test_the_folder_is_the_named_one_or_the_platforms(folder, monkeypatch, tmp_path):
    assert weights_folder() == folder
    monkeypatch.delenv("SAMSSL_WEIGHTS")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "shared"))
    assert weights_folder() == tmp_path / "shared" / "samssl" / "weights"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")  # which the standard says to ignore
    assert weights_folder().parts[-4:] == (".local", "share", "samssl", "weights")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert weights_folder().parts[-3:] == ("Application Support", "samssl", "weights")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert weights_folder() == tmp_path / "samssl" / "weights"


def test_a_converted_file_goes_before_the_published_one(folder):
    row = ROWS["sam_vit_b"]
    assert file_of(row) is None
    (folder / "sam_vit_b_01ec64.pth").touch()
    assert file_of(row) == folder / "sam_vit_b_01ec64.pth"
    (folder / "sam_vit_b_01ec64.safetensors").touch()
    assert file_of(row) == folder / "sam_vit_b_01ec64.safetensors"


def test_the_one_file_that_fits_the_options_is_found(folder):
    assert find_weights("sam", {}) is None
    for name in ("sam_vit_b_01ec64.pth", "medsam_vit_b.pth"):
        (folder / name).touch()

    assert find_weights("sam", {}) == folder / "sam_vit_b_01ec64.pth"
    assert find_weights("sam", {"preprocessing": "medsam"}) == folder / "medsam_vit_b.pth"
    assert find_weights("sam", {"architecture": "vit_l"}) is None
    assert find_weights("region-growing", {}) is None


def test_of_several_files_a_person_chooses(folder):
    for name in ("sam_vit_b_01ec64.pth", "sam_vit_h_4b8939.pth"):
        (folder / name).touch()

    with pytest.raises(UsageError, match=r"several.*01ec64\.pth, .*4b8939\.pth; name one with"):
        find_weights("sam", {})
    assert find_weights("sam", {"architecture": "vit_h"}) == folder / "sam_vit_h_4b8939.pth"


def test_weights_without_a_published_digest_match_nothing():
    assert not ROWS["medsam2_latest"].sha256 + ROWS["medsam2_latest"].md5
    assert matching_weights(sha256="0" * 64, md5="") is None


def test_sam2_and_medsam2_are_told_apart_by_the_variant(folder):
    for name in ("sam2.1_hiera_tiny.pt", "MedSAM2_latest.pt"):
        (folder / name).touch()

    assert find_weights("sam2", {}) == folder / "sam2.1_hiera_tiny.pt"
    assert find_weights("sam2", {"variant": "medsam2"}) == folder / "MedSAM2_latest.pt"


def test_how_to_get_weights_says_what_where_from_and_where_to(folder):
    told = ROWS["medsam_vit_b"].how_to_get()

    for part in ("medsam_vit_b.pth", "375 MB", "CC-BY-4.0", "bowang-lab/MedSAM", str(folder)):
        assert part in told
    assert "commercial" not in told


def test_reading_the_register_does_not_import_torch_or_numpy():
    code = (
        "import sys; from samssl_cli.generalists.published import published_weights;"
        "published_weights(); assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
