"""The commands of the loop, as a person types them."""

from collections.abc import Callable
from pathlib import Path

import pytest

STAGES = ("preprocess", "train-ssl", "prompt", "sam-label", "retrain", "evaluate")
OUTPUTS = ("cases", "specialist", "prompts", "pseudo", "student", "scores")


@pytest.fixture(scope="session")
def output_of() -> dict[str, str]:
    """Give the name of the artifact that a stage writes."""
    return dict(zip(STAGES, OUTPUTS, strict=True))


@pytest.fixture(scope="session")
def command(phantom: Path, recipe_path: Path) -> Callable[..., list[object]]:
    """Give the arguments of a stage that reads artifacts in one folder and writes to another."""

    def arguments(stage: str, inputs: Path, output: Path, *more: object) -> list[object]:
        cases = inputs / "cases.zarr"
        reads: dict[str, list[object]] = {
            "preprocess": [phantom, "--labeled", 1, "--workers", 1],
            "train-ssl": [cases],
            "prompt": [cases, inputs / "specialist.zarr"],
            "sam-label": [cases, inputs / "prompts.zarr"],
            "retrain": [cases, inputs / "pseudo.zarr"],
            "evaluate": [cases, inputs / "student.zarr"],
        }
        device = [] if stage == "preprocess" else ["--device", "cpu"]
        return [stage, *reads[stage], "-o", output, "--recipe", recipe_path, *device, *more]

    return arguments
