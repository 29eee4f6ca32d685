import json
from dataclasses import replace

import pytest

from samssl_cli.metrics.columns import column
from samssl_cli.metrics.paired import Paired
from samssl_cli.report.comparison import (
    Contrast,
    ModelComparison,
    ModelMean,
    as_json,
    is_significant,
    model_table,
    sentences,
)

PAIRED = Paired(
    mean=0.061,
    low=0.03,
    high=0.0925,
    p=0.001,
    rank_balance=0.9,
    num_wins=10,
    num_ties=0,
    num_losses=2,
)
DICE = Contrast(
    column=column("dice"),
    class_name=None,
    baseline=ModelMean("specialist", 3, 0.793, 0.004),
    model=ModelMean("student", 3, 0.854, 0.01),
    paired=PAIRED,
    p_holm=0.002,
)
HD95 = replace(
    DICE,
    column=column("hd95_mm"),
    class_name="organ",
    baseline=ModelMean("specialist", 1, 11.0, None),
    model=ModelMean("student", 2, 9.5, 0.25),
    paired=replace(PAIRED, mean=-1.5, low=-2.25, high=-0.5, rank_balance=-0.8),
)


def compared(*contrasts, num_cases=12):
    return ModelComparison(
        row="largest-component",
        level=0.95,
        cases=tuple(f"case_{index}" for index in range(num_cases)),
        files={"specialist": ("a.zarr",), "student": ("b.zarr", "c.zarr")},
        contrasts=contrasts,
    )


def sentence(contrast, **changes):
    (only,) = sentences(compared(replace(contrast, **changes)))
    return only


def test_better():
    assert sentence(DICE) == (
        "student is better than specialist by 6.10 Dice (%) [3.00, 9.25], p = 0.002 (Holm), "
        "n = 12 cases, 3 runs each; wins 10, ties 0, losses 2"
    )


def test_lower_distances_are_better():
    assert sentence(HD95) == (
        "student is better than specialist by 1.50 HD95 (mm) [0.50, 2.25] on organ, "
        "p = 0.002 (Holm), n = 12 cases, 2 runs against 1; wins 10, ties 0, losses 2"
    )


def test_worse():
    worse = replace(PAIRED, mean=-0.061, low=-0.0925, high=-0.03, rank_balance=-0.9)
    assert sentence(DICE, paired=worse).startswith(
        "student is worse than specialist by 6.10 Dice (%) [3.00, 9.25], p = 0.002 (Holm)"
    )


def test_no_difference_was_found():
    unsure = replace(PAIRED, mean=-0.00001, low=-0.01, high=0.02)
    assert sentence(DICE, paired=unsure, p_holm=0.05).startswith(
        "no difference was found between student and specialist: student minus specialist is "
        "0.00 Dice (%) [-1.00, 2.00], p = 0.05 (Holm), n = 12 cases"
    )


def test_significant_is_below_and_not_at_the_threshold():
    assert 1 - 0.95 > 0.05  # in binary
    assert not is_significant(0.05, 0.95)
    assert is_significant(0.0499, 0.95)


def test_mean_and_ranks_may_disagree():
    """Ten small gains and two large losses."""
    mixed = replace(PAIRED, mean=-0.02, low=-0.09, high=0.01)
    assert sentence(DICE, paired=mixed).startswith(
        "student and specialist differ in Dice (%), but the mean and most of the ranks point "
        "different ways: student minus specialist is -2.00 Dice (%) [-9.00, 1.00], p = 0.002"
    )


def test_a_tiny_p():
    assert "p < 0.001 (Holm)" in sentence(DICE, p_holm=0.0004)


@pytest.mark.parametrize(
    ("num_cases", "num_tests", "note"),
    [
        (5, 1, "; with 5 cases and 1 test the p cannot fall below 0.0625, so that no difference"),
        (6, 1, ""),
        (6, 2, "; with 6 cases and 2 tests the p cannot fall below 0.0625, so that no difference"),
        (7, 2, ""),
    ],
)
def test_too_few_cases_for_any_finding(num_cases, num_tests, note):
    contrast = replace(DICE, p_holm=0.0625)
    first, *_ = sentences(compared(*[contrast] * num_tests, num_cases=num_cases))
    _, _, rest = first.partition("losses 2")
    assert rest.startswith(note)
    assert bool(rest) == bool(note)


def test_the_table_has_a_line_for_each_model():
    table = model_table(compared(DICE, HD95))
    assert "largest-component: difference to specialist over 12 cases" in table.title
    (dice, student), (hd95, other) = table.blocks
    assert dice == ("Dice (%)", "mean", "specialist", "3", "79.30 ± 0.40")
    assert student[2:] == (
        *("student", "3", "85.40 ± 1.00", "6.10 [3.00, 9.25]"),
        *("0.001", "0.002", "10/0/2", "12"),
    )
    assert hd95 == ("HD95 (mm)", "organ", "specialist", "1", "11.00")
    assert other[5] == "-1.50 [-2.25, -0.50]"


def test_the_json_says_the_same_in_the_units_that_are_shown():
    comparison = compared(DICE, HD95)
    document = json.loads(json.dumps(as_json(comparison), allow_nan=False))
    assert document["schema"] == "samssl-comparison/1"
    assert (document["baseline"], document["num_tests"]) == ("specialist", 2)
    assert document["smallest_p_holm"] == pytest.approx(2 * 2**-11)
    assert document["models"] == {"specialist": ["a.zarr"], "student": ["b.zarr", "c.zarr"]}
    dice, hd95 = document["comparisons"]
    assert (dice["metric"], dice["unit"], dice["class"]) == ("dice", "%", None)
    assert dice["difference"] == pytest.approx(6.1)
    assert (dice["low"], dice["high"]) == pytest.approx((3.0, 9.25))
    assert dice["model"] == pytest.approx(
        {"name": "student", "num_runs": 3, "mean": 85.4, "std_over_runs": 1.0}
    )
    assert (hd95["class"], hd95["difference"], hd95["verdict"]) == ("organ", -1.5, "better")
    assert hd95["baseline"]["std_over_runs"] is None
    assert [dice["sentence"], hd95["sentence"]] == sentences(comparison)
