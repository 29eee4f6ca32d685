import os

import pytest

from samssl_cli.cli.console import TerminalProgress, note_error, say, show_table
from samssl_cli.errors import DataError
from samssl_cli.report.plain_table import PlainTable


def table(name="x"):
    return PlainTable("title", ("heading",), ("n",), [[[name, "1"]]])


def test_results_go_to_stdout_and_everything_else_to_stderr(capsys):
    say("result")
    note_error(DataError("two problems:", ["[a] first", "second"]))
    show_table(table())
    with TerminalProgress() as progress:
        progress.note("[note]")
    out, err = capsys.readouterr()
    assert out == "result\n"
    assert "samssl: two problems:\n  - [a] first\n  - second\n" in err
    assert "heading" in err
    assert "[note]" in err


def test_a_log_gets_a_line_at_the_end_and_now_and_then(capsys, monkeypatch):
    from samssl_cli.cli import console

    now = iter((0.0, 1.0, 40.0, 41.0, 42.0))
    monkeypatch.setattr(console.time, "monotonic", lambda: next(now))
    with TerminalProgress() as progress:
        progress.start("training", total=4)
        for loss in (0.5, 0.25, 0.125, 0.0625):
            progress.advance({"loss": loss, "case": "a"})
    lines = capsys.readouterr().err.splitlines()
    assert [line[9:] for line in lines] == [
        "training 2/4  loss 0.2500  case a",  # 40 s after the start
        "training 4/4  loss 0.0625  case a",
    ]


@pytest.mark.parametrize("colour", [True, False])
def test_a_terminal_gets_bars(monkeypatch, capsys, colour):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm" if colour else "dumb")
    with TerminalProgress() as progress:
        progress.start("training", total=2, done=1)
        progress.advance({"loss": 0.5})
        progress.note("[half] way")
        progress.start("next", total=1)
    assert "[half] way" in capsys.readouterr().err


def test_a_table_is_as_wide_as_the_terminal_and_a_log_at_least_120(monkeypatch, capsys):
    for is_terminal, columns, width in ((True, "60", 60), (False, "60", 120), (False, "150", 150)):
        monkeypatch.setenv("COLUMNS", columns)
        monkeypatch.setattr("sys.stderr.isatty", lambda is_it=is_terminal: is_it, raising=False)
        show_table(table("x" * 200))
        assert max(map(len, capsys.readouterr().err.splitlines())) == width


def test_the_width_of_a_terminal_that_does_not_tell(monkeypatch, capsys):
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    for told in (0, 70):
        monkeypatch.setattr("os.get_terminal_size", lambda _, num=told: os.terminal_size((num, 9)))
        monkeypatch.setattr("sys.stderr.fileno", lambda: 2, raising=False)
        show_table(table("x" * 200))
        assert max(map(len, capsys.readouterr().err.splitlines())) == (told or 80)
