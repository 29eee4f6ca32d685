import pytest

from samssl_cli.checkup import weights
from samssl_cli.checkup.weights import check_weights
from samssl_cli.generalists.published import FOLDER_VARIABLE, published_weights

ROW = published_weights()["sam_vit_b"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    return tmp_path


def test_none_is_a_note(named, folder):
    found = named(check_weights())
    assert found["published-weights"].severity == "note"
    assert found["weights-folder"].facts["path"] == str(folder)


def test_a_whole_file_and_a_truncated_one(named, folder):
    file = folder / ROW.file
    with file.open("wb") as stream:
        stream.truncate(ROW.num_bytes)  # a hole, which takes no room
    found = named(check_weights())
    assert "published-weights" not in found
    assert found["sam_vit_b"].severity == "ok"
    assert found["sam_vit_b"].facts == {
        "path": str(file),
        "num_bytes": ROW.num_bytes,
        "generalist": "sam",
    }
    file.write_bytes(b"PK")
    found = named(check_weights())["sam_vit_b"]
    assert found.severity == "problem"
    assert f"samssl weights verify {file}" in found.cure


def test_a_converted_file_may_have_any_size(named, folder):
    (folder / ROW.safe_file).write_bytes(b"PK")
    assert named(check_weights())["sam_vit_b"].severity == "ok"


def test_a_folder_that_is_named_and_not_there(named, folder, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder / "gone"))
    assert named(check_weights())["weights-folder"].severity == "problem"


def test_a_package_that_lacks_its_weights(named, folder, monkeypatch):
    class Row:
        shipped = folder / "scout.safetensors"

    monkeypatch.setattr(weights, "GENERALISTS", {"scout": Row})
    assert named(check_weights())["scout"].severity == "problem"
