"""benchmarks/scaling.py: options, commands, one process measured, ratios worked out by hand."""

import sys
from pathlib import Path

import pytest
import typer.main

from benchmarks import scaling
from benchmarks.scaling import Measured
from samssl_cli.cli import app
from samssl_cli.recipe import read_recipe

COMMANDS = typer.main.get_command(app).commands


def rows(sizes, seconds, megabytes=100.0):
    return [
        Measured(stage, size, 1000, second, second, megabytes)
        for size, second in zip(sizes, seconds, strict=True)
        for stage in scaling.STAGES
    ]


def test_what_is_asked_for():
    options = scaling.parser().parse_args(["-o", "out", "--cases", "3", "6"])
    assert options.output == Path("out")
    assert options.cases == [3, 6]
    assert options.sides == scaling.SIDES


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--cases", "2"], "give 3 or more"),
        (["--cases", "six"], "give 3 or more"),
        (["--sides", "64", "48"], "rising order"),
        (["--sides", "48", "48"], "rising order"),
    ],
    ids=["too few cases", "no number", "falling", "twice"],
)
def test_what_is_refused(words, told, capsys):
    with pytest.raises(SystemExit):
        scaling.parser().parse_args(["-o", "out", *words])
    assert told in capsys.readouterr().err


def test_the_six_commands_parse_and_so_does_their_recipe(tmp_path):
    commands = scaling.commands(tmp_path)
    assert tuple(commands) == scaling.STAGES
    for stage, words in commands.items():
        assert words[3] == stage
        COMMANDS[stage].make_context(stage, words[4:])
    (tmp_path / "tiny.toml").write_text(scaling.RECIPE, encoding="utf-8")
    assert read_recipe(str(tmp_path / "tiny.toml")).train_ssl.steps == 10


def test_a_process_is_measured(tmp_path):
    held = "x = bytes(range(256)) * 2**18"  # 67 MB, every page of it written
    wall_s, cpu_s, peak_mb = scaling.timed([sys.executable, "-c", held], tmp_path / "log")
    assert cpu_s > 0
    assert 0 < wall_s < 60
    assert 67 < peak_mb < 1000


def test_a_command_that_fails_names_its_log(tmp_path):
    with pytest.raises(SystemExit, match=r"ended with 3: see .*log"):
        scaling.timed([sys.executable, "-c", "raise SystemExit(3)"], tmp_path / "log")


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([7.0, 12.0, 22.0], 1.0),  # 2 s of start-up, 1 s a case
        ([2.0, 7.0, 27.0], 2.0),  # 1 s, then 2 s a case
        ([5.0, 5.1, 5.2], None),  # start-up alone
        ([5.0, 4.9, 8.0], None),  # nothing to compare the upper part with
    ],
    ids=["linear", "worse", "flat", "only the upper part grows"],
)
def test_further_cases_over_earlier_ones(seconds, expected):
    assert scaling.slope_ratio([5, 10, 20], seconds) == expected


def test_two_sizes_have_no_middle():
    assert scaling.slope_ratio([5, 10], [1.0, 2.0]) is None


def test_growth_is_the_largest_over_the_smallest():
    measured = [*rows([5, 10], [2.0, 3.0]), *rows([20], [8.0], megabytes=150.0)]
    grown = scaling.growth(measured, "cases")["evaluate"]
    assert grown["cpu_ratio"] == grown["wall_ratio"] == 4.0
    assert grown["memory_ratio"] == 1.5
    assert grown["cpu_slope_ratio"] == pytest.approx(2.5)  # 5 s for 10 cases, 1 s for 5


def test_the_figure_has_a_line_for_each_stage():
    from benchmarks.scaling_figure import scaling_figure

    measured = rows([5, 10, 20], [2.0, 3.0, 5.0])
    drawing = scaling_figure(measured, measured)
    assert all(stage in drawing.svg for stage in scaling.STAGES)
    assert drawing.png.startswith(b"\x89PNG")
