"""Row 22. An artifact is what is in it, not where it lies or what the clock says."""

import os
import shutil
import subprocess
import time

import pytest

from samssl_cli.artifacts.store import find_all_damage

NAMES = ("cases", "specialist", "prompts", "pseudo", "student", "scores")
COPIES = {
    "cp -r": "cp -r {source}/. {target}",
    "cp -a": "cp -a {source}/. {target}",
    "rsync": "rsync -r {source}/ {target}",
    "tar": "tar -C {source} -cf - . | tar -C {target} -xf -",
    "zip": "cd {source} && python3 -m zipfile -c {target}.zip *.zarr && "
    "python3 -m zipfile -e {target}.zip {target}",
}


@pytest.fixture
def moved(loop, tmp_path):
    """Copy all six artifacts as a person would, and run the loop beside them."""

    def move(command):
        target = tmp_path / "another disk"
        target.mkdir()
        places = {"source": f"'{loop.out}'", "target": f"'{target}'"}
        subprocess.run(command.format(**places), shell=True, check=True)
        return loop.beside(out=target)

    return move


def check_up_to_date(moved):
    for stage in moved.stages():
        stage()
    assert [note.rpartition("/")[2] for note in moved.notes] == [
        f"{name}.zarr is up to date" for name in NAMES
    ]


@pytest.mark.parametrize("how", COPIES)
def test_row_22_a_copy_is_as_good(moved, how):
    if shutil.which(how.split()[0]) is None and how != "zip":
        pytest.skip(f"{how} is not installed")
    copy = moved(COPIES[how])
    check_up_to_date(copy)
    assert all(find_all_damage(copy.path(name)) == [] for name in NAMES)


@pytest.mark.parametrize("when", [0, time.time() + 10 * 365 * 86400], ids=["1970", "in ten years"])
def test_row_22_no_time_means_anything(moved, when):
    copy = moved(COPIES["cp -r"])
    for path in copy.out.rglob("*"):
        os.utime(path, (when, when))
    check_up_to_date(copy)


def test_row_22_the_clock_may_go_back(samssl, moved, command, tmp_path, hashes, monkeypatch):
    """A run of yesterday, by its clock, goes on from states of today."""
    copy = moved(COPIES["cp -r"])
    (copy.out / "prompts.zarr").rename(copy.out / "prompts.zarr.whole")
    monkeypatch.setattr(time, "time", lambda: 86400.0)
    copy.prompt()
    assert hashes(copy.path("prompts")) == hashes(copy.out / "prompts.zarr.whole")


def test_row_22_no_artifact_knows_where_it_lies(loop):
    places = [str(place).encode() for place in (loop.out, loop.data, loop.recipe_path)]
    for path in loop.out.rglob("*.zarr/**/*"):
        if path.is_file():
            assert not any(place in path.read_bytes() for place in places), path
