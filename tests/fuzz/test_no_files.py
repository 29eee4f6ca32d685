"""In the place of a file lies something that is none, or that has no end."""

import pytest

from tests.fuzz import edits, seeds
from tests.fuzz.test_hostile import refused

NO_FILES = {
    "a pipe": {"$fifo": 1},
    "a device": {"$link": "/dev/zero"},
    "a folder": {"$link": "."},
    "a link to itself": {"$loop": 1},
}
SMALL = [
    ("dataset", "dataset.json"),
    ("dataset", "split.json"),
    ("labels", "zarr.json"),
    ("labels", "phantom_001/zarr.json"),
    ("labels", "phantom_001/label/zarr.json"),
]


@pytest.mark.parametrize("what", NO_FILES.values(), ids=NO_FILES)
@pytest.mark.parametrize(("target", "file"), SMALL)
def test_a_small_file_is_a_file(target, file, what, warm):
    refused(warm(target), edits.as_input([["set", [file], what]]))


@pytest.mark.parametrize(("target", "file"), SMALL)
def test_a_small_file_is_small(target, file, warm):
    """Eighty megabytes, of which the first four bytes are JSON."""
    refused(warm(target), edits.as_input([["set", [file], {"$times": ["[1],", 20_000_000]}]]))


@pytest.mark.parametrize("what", NO_FILES.values(), ids=NO_FILES)
@pytest.mark.parametrize(("name", "target"), [("data", "dataset"), ("pseudo.zarr", "labels")])
def test_a_volume_or_a_chunk_is_a_file(name, target, what, warm):
    for file in [file for file in seeds.tree(name) if not file.endswith(".json")][::3]:
        refused(warm(target), edits.as_input([["set", [file], what]]))
