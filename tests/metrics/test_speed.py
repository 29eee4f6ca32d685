"""The large case of benchmarks/metrics.py stays within its bar."""

import runpy
import time
from pathlib import Path

from samssl_cli.metrics.score import score_case

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "metrics.py"


def test_a_large_case_with_two_organs_is_scored_in_seconds():
    made = runpy.run_path(str(BENCHMARK))
    reference = made["organs"](0, as_predicted=False)
    prediction = made["organs"](0, as_predicted=True)
    started = time.process_time()
    liver, spleen = score_case(
        prediction, reference, made["SPACING_MM"], 3, tolerance=2.0, in_voxels=False
    )
    assert time.process_time() - started < 3  # 0.4 s on one free core
    assert 1500 < liver.reference_ml < 1900
    assert 150 < spleen.reference_ml < 250
    assert 0.9 < liver.values["dice"] < 0.99
