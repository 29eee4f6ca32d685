"""Row 20. Weights that are not those of the generalist are told before any image is read.

Each way in which a file can be wrong: tests/generalists/test_sam_weights.py and its neighbours.
"""

import pytest
import torch

from samssl_cli.artifacts.cases import Cases
from samssl_cli.errors import UsageError, WeightsError


def missing(path):
    pass


def empty(path):
    path.touch()


def folder(path):
    path.mkdir()


def page(path):
    path.write_text("<html>404: not found</html>\n")


def another_model(path):
    torch.save(torch.nn.Linear(2, 2).state_dict(), path)


WRONG = {
    "missing": (missing, "there is no such file"),
    "empty": (empty, "the file is empty"),
    "folder": (folder, "not a file"),
    "a web page": (page, "not readable as weights"),
    "another model": (another_model, r"missing.*image_encoder|image_encoder.*missing"),
}


@pytest.mark.parametrize("generalist", ["sam", "sam-med3d"])
@pytest.mark.parametrize(("make", "told"), WRONG.values(), ids=WRONG)
def test_row_20_wrong_weights_are_told_first(loop, tmp_path, monkeypatch, generalist, make, told):
    from samssl_cli.stages.sam_label import sam_label

    path = tmp_path / "weights.pth"
    make(path)
    for read in ("read_unlabeled", "read_labeled"):
        monkeypatch.setattr(Cases, read, lambda *_: pytest.fail("an image was read"))
    asked = loop.linked(
        tmp_path, "cases", "prompts", overrides=(f"sam_label.generalist={generalist}",)
    )
    paths = (asked.path(name) for name in ("cases", "prompts", "pseudo"))
    with pytest.raises((WeightsError, UsageError), match=told) as caught:
        sam_label(*paths, weights=path, device="cpu", **asked._common(False))
    assert str(path) in str(caught.value)
    assert not list(tmp_path.glob("pseudo*"))


def test_row_20_offline_without_weights_the_cure_is_named(samssl, loop, tmp_path):
    done = samssl(
        *("sam-label", loop.path("cases"), loop.path("prompts"), "-o", tmp_path / "x.zarr"),
        *("--generalist", "sam", "--recipe", loop.recipe_path),
        env={"SAMSSL_WEIGHTS": str(tmp_path / "none")},
    )
    assert done.code in (1, 2)
    assert "--checkpoint" in done.stderr
    assert "sam_vit_b_01ec64.pth" in done.stderr
    assert "Traceback" not in done.stderr
