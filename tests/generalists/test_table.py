import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

import samssl_cli
from samssl_cli.errors import RecipeError, UsageError
from samssl_cli.generalists import GENERALISTS
from samssl_cli.generalists.types import Featured
from samssl_cli.registry import load


@pytest.mark.parametrize("name", GENERALISTS)
def test_every_row_loads_and_keeps_its_word(name):
    entry = GENERALISTS[name]
    part = load(GENERALISTS, name, kind="generalist")

    assert part.needs_checkpoint is entry.needs_checkpoint
    assert hasattr(part, "identify") or not entry.needs_checkpoint
    assert entry.summary
    assert entry.source
    assert all(field.description for field in part.Options.model_fields.values())


@pytest.mark.parametrize("name", GENERALISTS)
def test_those_with_features_and_no_others_can_be_looked_through(name):
    part = load(GENERALISTS, name, kind="generalist")

    assert GENERALISTS[name].has_features is issubclass(part, Featured)


@pytest.mark.parametrize("name", [name for name, row in GENERALISTS.items() if row.shipped])
def test_weights_in_the_package_have_a_model_card_and_get_into_the_wheel(name):
    shipped, package = GENERALISTS[name].shipped, Path(samssl_cli.__file__).parent
    card = shipped.with_suffix(".md").read_text(encoding="utf-8")
    assert card.startswith("# ")
    assert package in shipped.parents
    project = tomllib.loads((package.parent / "pyproject.toml").read_text(encoding="utf-8"))
    # hatchling takes every file of a package but those that git ignores
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"] == {"packages": ["samssl_cli"]}
    ignored = (package.parent / ".gitignore").read_text(encoding="utf-8").split()
    for path in (shipped, shipped.with_suffix(".md")):
        parts = path.relative_to(package.parent).parts
        assert not any(fnmatch(part, line.strip("/")) for part in parts for line in ignored)


@pytest.mark.parametrize("name", GENERALISTS)
def test_unknown_options_are_refused(name):
    part = load(GENERALISTS, name, kind="generalist")

    with pytest.raises(
        RecipeError, match=rf"sam_label.options.{name} is not valid:\s+- colour: Extra"
    ):
        part.build({"colour": "red"}, checkpoint=None, device="cpu")


def test_sam_without_weights_says_which_files_there_are_and_where():
    sam = load(GENERALISTS, "sam", kind="generalist")

    with pytest.raises(UsageError, match=r"sam_vit_b_01ec64\.pth.*facebookresearch.*bowang-lab"):
        sam.build({}, checkpoint=None, device="cpu")


def test_region_growing_refuses_weights():
    growing = load(GENERALISTS, "region-growing", kind="generalist")

    with pytest.raises(UsageError, match=r"drop --checkpoint some\.pth"):
        growing.build({}, checkpoint=Path("some.pth"), device="cpu")


def test_reading_the_table_does_not_import_torch():
    code = (
        "import sys, samssl_cli.generalists, samssl_cli.generalists.checkpoint_file;"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
