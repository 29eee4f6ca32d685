"""Small artifacts of one member, and the ways in which a disk harms them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from samssl_cli.artifacts.draft import open_draft
from samssl_cli.artifacts.manifest import Plan


@pytest.fixture
def plan() -> Plan:
    options = {"prompt": {"num_sets": 3, "strategies": ("mask", "box")}}
    return Plan("prompts", "prompt", options, seed=0, inputs={"cases": "c" * 64})


@pytest.fixture
def write(plan: Plan) -> Callable[..., Path]:
    """Write and seal an artifact with these members."""

    def write(output: Path, members: Mapping[str, Mapping[str, Any]], **kwargs: Any) -> Path:
        with open_draft(output, kwargs.pop("plan", plan), **kwargs) as draft:
            assert draft is not None
            for name, arrays in members.items():
                draft.root.write(name, arrays, {"name": name})
            draft.seal({"dataset": "phantom"})
        return output

    return write


@pytest.fixture
def sealed(tmp_path: Path, write: Callable[..., Path]) -> Path:
    """An artifact of two cases."""
    image = np.arange(24, dtype=np.float16).reshape(2, 3, 4)
    cases = {name: {"image": image + n, "mask": image > n} for n, name in enumerate(("a", "b"))}
    return write(tmp_path / "x.zarr", cases)
