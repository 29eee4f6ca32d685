"""What asks for no work is answered without the libraries that do the work."""

import subprocess
import sys
import time

import pytest

WORK = (  # what only work needs
    *("torch", "monai", "zarr", "segment_anything", "matplotlib", "nibabel", "SimpleITK"),
    *("scipy.ndimage", "scipy.spatial", "scipy.stats"),
)
ARRAYS = (*WORK, "numpy", "scipy", "safetensors", "filelock")
DRAWING = (*ARRAYS, "rich")
PROGRAM = """
import sys
from samssl_cli.__main__ import main
sys.argv[0] = "samssl"
try:
    main()
except SystemExit as leaving:
    assert not leaving.code, leaving.code
found = [name for name in {slow} if name in sys.modules]
assert not found, found
"""


def run(*arguments, slow=WORK):
    started = time.monotonic()
    command = [sys.executable, "-c", PROGRAM.format(slow=slow), *map(str, arguments)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    return finished, time.monotonic() - started


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("recipe", "--help"),
        ("train-ssl", "--help"),
        ("--version",),
        ("list",),
        ("weights", "list"),
        ("recipe", "list"),
        ("recipe", "show", "la"),
        ("doctor", "--help"),
    ],
    ids=str,
)
def test_help_version_and_list(arguments):
    finished, duration_s = run(*arguments, slow=DRAWING)
    assert finished.stdout
    assert finished.stderr == ""
    assert duration_s < 8  # 0.4 s on a quiet machine; torch alone would take 3


@pytest.mark.parametrize(
    "stage", ["preprocess", "train-ssl", "prompt", "sam-label", "retrain", "evaluate"]
)
def test_up_to_date(loop, phantom, recipe_path, stage):
    cases = loop.path("cases")
    arguments = {
        "preprocess": (phantom, "-o", cases, "--labeled", 1),
        "train-ssl": (cases, "-o", loop.path("specialist")),
        "prompt": (cases, loop.path("specialist"), "-o", loop.path("prompts")),
        "sam-label": (cases, loop.path("prompts"), "-o", loop.path("pseudo")),
        "retrain": (cases, loop.path("pseudo"), "-o", loop.path("student")),
        "evaluate": (cases, loop.path("student"), "-o", loop.path("scores")),
    }
    finished, _ = run(stage, *arguments[stage], "--recipe", recipe_path, slow=DRAWING)
    assert "is up to date" in finished.stderr


def test_predicted_already(loop, phantom, recipe_path, tmp_path):
    predict = ("predict", loop.path("student"), phantom / "imagesTs", "-o", tmp_path)
    options = ("--recipe", recipe_path, "--device", "cpu")
    run(*predict, *options, slow=())
    finished, _ = run(*predict, *options, slow=DRAWING)
    assert "is up to date" in finished.stderr


def test_show_and_verify(loop):
    run("show", loop.path("student"))
    run("verify", loop.path("cases"), slow=ARRAYS)
