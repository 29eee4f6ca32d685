import hashlib
from pathlib import Path

import numpy as np
import pytest

from samssl_cli.artifacts.draft import open_draft
from samssl_cli.artifacts.generalist import write_generalist
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.errors import MissingArtifactError, UsageError, WeightsError
from samssl_cli.progress import Silent
from samssl_cli.recipe import Recipe, SamLabel
from samssl_cli.stages.which_generalist import digest_of, which_generalist, with_found_weights


def asked(generalist, checkpoint=None, **options):
    section = SamLabel(generalist=str(generalist), options=options)
    return which_generalist(Recipe(sam_label=section), checkpoint)


@pytest.fixture
def base(tmp_path):
    path = tmp_path / "sam_vit_b_01ec64.pth"
    path.write_bytes(b"base")
    return path


@pytest.fixture
def artifact(tmp_path, base):
    """Changes to the base, made with the options of MedSAM; of `scout`, all there is."""

    def make(name="sam"):
        path = tmp_path / f"{name}.zarr"
        plan = Plan("generalist", "adapt", {"of": name}, seed=0, inputs={})
        needed = hashlib.sha256(base.read_bytes()).hexdigest() if name == "sam" else None
        options = {"preprocessing": "medsam", "axis": "i"} if name == "sam" else {}
        about = {"generalist": name, "options": options, "base_needed": needed}
        with open_draft(path, plan) as draft:
            write_generalist(draft.root, {"w": np.ones(2, np.float32)}, {})
            draft.seal(about)
        return path

    return make


def test_a_generalist_gets_weights_if_and_only_if_it_has_some():
    assert digest_of(asked("region-growing")) == {}
    with pytest.raises(UsageError, match="sam needs its weights"):
        digest_of(asked("sam"))
    with pytest.raises(UsageError, match=r"sam-med3d needs its weights.*sam_med3d_turbo\.pth"):
        digest_of(asked("sam-med3d"))
    with pytest.raises(UsageError, match="region-growing has no weights"):
        digest_of(asked("region-growing", Path("x.pth")))
    with pytest.raises(UsageError, match="unknown generalist 'sma'"):
        asked("sma")


def test_a_path_means_the_row_it_names_with_its_options_unless_others_are_asked_for(artifact):
    which = asked(artifact(), sam={"axis": "k"}, scout={"num_flips": 1})

    section = which.recipe.sam_label
    assert which.name == section.generalist == "sam"
    assert section.options == {"sam": {"preprocessing": "medsam", "axis": "k"}}


def test_the_path_is_no_part_of_the_recipe(artifact):
    path = artifact()

    assert asked(path).recipe == asked("sam", path).recipe


def test_changes_need_the_very_weights_they_were_made_from(artifact, base, tmp_path):
    path, other = artifact(), tmp_path / "other.pth"
    other.write_bytes(b"other")

    which = asked(path, base)
    assert digest_of(which) == {"weights": which.own.fingerprint}
    with pytest.raises(WeightsError, match=r"other\.pth: sha256 d9298a10d1b0.*holds changes to"):
        asked(path, other)
    with pytest.raises(UsageError, match=r"sam\.zarr holds changes to the weights .*--checkpoint"):
        digest_of(asked(path))


def test_they_are_found_in_the_weights_folder(artifact, base, tmp_path, monkeypatch):
    path, folder = artifact(), tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("SAMSSL_WEIGHTS", str(folder))
    (folder / "sam_vit_l_0b3195.pth").write_bytes(b"another")
    assert with_found_weights(asked(path), Silent()).file is None

    found = folder / base.name
    base.rename(found)

    assert with_found_weights(asked(path), Silent()).file == found


def test_whole_weights_need_no_others(artifact, base):
    path = artifact("scout")

    assert digest_of(asked(path)) == {"weights": asked(path).own.fingerprint}
    with pytest.raises(UsageError, match="holds all weights there are"):
        asked(path, base)


def test_what_does_not_go_together_is_refused(artifact, tmp_path):
    path = artifact("scout")
    with pytest.raises(UsageError, match=r"scout\.zarr holds weights of generalist scout, and sam"):
        asked("sam", path)
    with pytest.raises(UsageError, match=r"are both a generalist\.zarr"):
        asked(path, path)
    with pytest.raises(MissingArtifactError, match=r"none\.zarr: does not exist"):
        asked(tmp_path / "none.zarr")
