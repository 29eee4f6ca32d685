"""The watchman sees what he is there for."""

import pickle
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from samssl_cli.errors import DataError
from tests.fuzz.guard import judge


def refuse(message):
    raise DataError(message)


def swallow():
    """What a product might do: run a program, and hide that it failed."""
    try:
        subprocess.run(["true"], check=False)
    except Exception:
        return


DEEDS = {
    "crash": (lambda _: {}["x"], "KeyError outside"),
    "refusal without a name": (lambda _: refuse("no"), "refusal names no file"),
    "hang": (lambda _: time.sleep(9), "Hang outside"),
    "memory": (lambda _: np.ones(30 << 20), "memory"),
    "write elsewhere": (lambda out: (out.parent / "x").write_text(""), "forbidden open"),
    "folder elsewhere": (lambda out: (out.parent / "x").mkdir(), "forbidden os.mkdir"),
    "removal elsewhere": (lambda out: Path("/etc/hostname").unlink(), "forbidden os.remove"),
    "program": (lambda _: swallow(), "forbidden subprocess.Popen"),
    "code": (lambda _: eval("1 + 1"), "forbidden exec"),
    "pickle": (lambda _: pickle.loads(pickle.dumps(Path())), "forbidden pickle.find_class"),
}


@pytest.mark.parametrize(("deed", "place"), DEEDS.values(), ids=DEEDS)
def test_a_broken_promise_is_seen(deed, place, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    verdict = judge(lambda: deed(out), named=("x.nii",), writable=out, seconds=0.3, megabytes=100)
    assert not verdict.is_fine
    assert verdict.place.startswith(place)


def test_what_is_allowed_is_fine(tmp_path):
    def work():
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "b").write_text("x")
        (tmp_path / "a").rename(tmp_path / "c")
        (tmp_path / "link").symlink_to(tmp_path / "c")
        (tmp_path / "link").rename(tmp_path / "same")
        (tmp_path / "same").unlink()
        refuse(f"{tmp_path}/x.nii: is no volume")

    verdict = judge(work, named=("x.nii",), writable=tmp_path)
    assert verdict.is_fine
    assert verdict.told.endswith("x.nii: is no volume")
