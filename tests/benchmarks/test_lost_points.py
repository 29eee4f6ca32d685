import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "lost_points.py"


@pytest.fixture(scope="module")
def lost_points():
    spec = importlib.util.spec_from_file_location("lost_points", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["lost_points"] = module
    spec.loader.exec_module(module)
    return module


def cube(low, high):
    mask = np.zeros((24, 24, 24), bool)
    mask[low:high, 6:18, 6:18] = True
    return mask


def test_what_is_lost_is_found_where_it_lies(lost_points):
    truth = cube(6, 18)
    found = lost_points.account_for("a", cube(6, 21).astype(np.float32) * 0.65, truth)

    assert found.dice == pytest.approx(2 * 12 / (12 + 15))
    assert found.volume_ratio == pytest.approx(15 / 12)
    assert found.added == 1.0
    assert found.regions["last third of axis 0"] == 1.0
    assert found.regions["first third of axis 0"] == pytest.approx(found.dice)
    bands = [found.regions[f"{band} voxels from the border"] for band in ("0 to 1", "1 to 2")]
    assert bands[0] == pytest.approx(2 * 12 / (12 + 14))
    assert bands[1] > found.dice
    assert found.regions["over 4 voxels from the border"] == pytest.approx(found.dice)
    assert found.thresholds[2] == pytest.approx(found.dice)
    assert found.thresholds[4] == 0  # of nothing


def test_the_tables_have_a_row_for_each_case_region_and_threshold(lost_points):
    one = lost_points.account_for("a", cube(6, 21).astype(np.float32), cube(6, 18))
    text = "\n".join(lost_points.tables([one, one]))
    assert text.count("| a | 88.9 | 1.25 | 1.00 |") == 2
    assert "| last third of axis 0 | 100.0 | +11.1 |" in text
    assert "| 0.5 | 88.9 |" in text
