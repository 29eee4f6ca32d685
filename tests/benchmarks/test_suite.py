"""`python -m benchmarks`: pairing, statistics, output, with entries that take no time."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks.entries import ENTRIES, inference, startup, training
from benchmarks.suite import Entry, Pair, measure, missing

ROOT = Path(__file__).parents[2]


class Clockwork:
    """A clock that moves only when somebody works."""

    def __init__(self):
        self.now, self.turns = 0.0, []

    def __call__(self):
        return self.now

    def work(self, name, durations_s, results):
        durations_s, results = iter(durations_s), iter(results)

        def run():
            self.turns.append(name)
            self.now += next(durations_s)
            return next(results)

        return run


def pair(clock=None, *, ours=(9, 1, 2, 4), theirs=(9, 2, 6, 2), values=None, tolerance=0.5):
    clock = clock or Clockwork()
    return Pair(
        "a pair",
        clock.work("ours", ours, values or [1.0] * len(ours)),
        clock.work("theirs", theirs, [1.25] * len(theirs)),
        lambda one, other: abs(one - other),
        tolerance,
    )


def entry(name="one", *, pairs=lambda: [pair()], needs=None, repeats=3):
    return Entry(name, "a subject", pairs, needs or {}, repeats)


def run(capsys, *arguments, entries):
    code = program.main(list(arguments), {one.name: one for one in entries})
    return code, capsys.readouterr()


# The pairing and its numbers


def test_both_sides_run_in_turns_and_the_first_turn_does_not_count():
    clock = Clockwork()
    measured = measure(pair(clock), 3, clock=clock)
    assert clock.turns == ["ours", "theirs"] * 4
    assert measured.ours_s == [1, 2, 4]
    assert measured.theirs_s == [2, 6, 2]


def test_the_ratio_is_the_median_over_the_turns_not_that_of_the_medians():
    clock = Clockwork()
    told = measure(pair(clock), 3, clock=clock).to_json()
    # 2 / 1, 6 / 2, 2 / 4; the medians 2 and 2 would give 1
    assert told["ratio"] == 2
    assert told["ratio_range"] == [0.5, 3]
    assert (told["ours_median_s"], told["theirs_median_s"]) == (2, 2)
    assert (told["difference"], told["tolerance"], told["is_equal"]) == (0.25, 0.5, True)


@pytest.mark.parametrize(
    ("values", "difference"),
    [
        pytest.param([1.0, 1.0, 1.0, 2.0], 0.75, id="the-last-turn"),
        pytest.param([2.0, 1.0, 1.0, 1.0], 0.75, id="the-first-which-is-not-timed"),
        pytest.param([1.0, float("nan"), 1.0, 1.0], float("inf"), id="no-number"),
    ],
)
def test_a_result_that_differs_in_one_turn_is_not_equal(values, difference):
    measured = measure(pair(values=values), 3)
    assert not measured.is_equal
    assert measured.difference == difference
    json.dumps(measured.to_json(), allow_nan=False)


def test_no_turn_is_no_measurement():
    with pytest.raises(ValueError, match="give 1 or more"):
        measure(pair(), 0)


def test_what_a_peer_needs_is_named_by_its_package():
    needs = {"json": "never-missing", "no_such_module": "the-package"}
    assert missing(entry(needs=needs)) == ["the-package"]


# The program


def test_every_entry_is_measured_and_told(capsys):
    code, said = run(capsys, entries=[entry("one"), entry("two")])
    assert code == 0
    assert re.search(r"one: a subject\n  a pair: .* x as fast \(.*, 3 turns\)", said.out)
    assert "two: a subject" in said.out
    assert "THE RESULTS DIFFER" not in said.out
    assert re.search(r"hardware: .*threads 1", said.out)
    assert re.search(r"versions: python .*torch ", said.out)


def test_json_is_one_document_with_hardware_and_versions(capsys):
    code, said = run(capsys, "one", "--json", entries=[entry("one"), entry("two")])
    assert code == 0
    told = json.loads(said.out)
    (one,) = told["entries"]
    assert one["name"] == "one"
    assert set(one["pairs"][0]) >= {"ratio", "ratio_range", "ours_median_s", "theirs_median_s"}
    assert told["hardware"]["cores"] >= 1
    assert {"python", "torch", "monai", "samssl"} <= set(told["versions"])


def test_a_missing_peer_is_skipped_with_the_cure_and_never_asked_for_pairs(capsys):
    alone = entry("alone", pairs=lambda: 1 / 0, needs={"no_such_module": "the-package"})
    code, said = run(capsys, entries=[alone, entry("one")])
    assert code == 0
    assert "pip install the-package" in said.out
    assert "x as fast" in said.out
    code, said = run(capsys, "alone", "--json", entries=[alone])
    assert code == 0
    assert json.loads(said.out)["entries"][0]["skipped"] == "pip install the-package"


def test_results_that_differ_fail_and_the_other_entries_are_still_measured(capsys):
    wrong = entry("a-wrong", pairs=lambda: [pair(tolerance=0.1)])
    code, said = run(capsys, entries=[wrong, entry("one")])
    assert code == 1
    assert "THE RESULTS DIFFER" in said.out
    assert "one: a subject" in said.out
    code, said = run(capsys, "--json", entries=[wrong])
    assert code == 1
    assert json.loads(said.out)["entries"][0]["pairs"][0]["is_equal"] is False


def test_repeats_can_be_chosen(capsys):
    often = entry(pairs=lambda: [pair(ours=[1] * 6, theirs=[1] * 6)])
    _, said = run(capsys, "--repeats", "5", entries=[often])
    assert "5 turns" in said.out


@pytest.mark.parametrize("words", [["nobody"], ["--repeats", "0"], ["--repeats", "x"]], ids=str)
def test_what_makes_no_sense_is_refused(capsys, words):
    with pytest.raises(SystemExit) as caught:
        run(capsys, *words, entries=[entry()])
    assert caught.value.code == 2


def test_it_starts_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0
    assert all(name in done.stdout for name in ENTRIES)


# The entries


def test_every_entry_goes_by_its_own_name():
    assert all(one.name == name and one.summary and one.repeats for name, one in ENTRIES.items())


def test_a_process_that_fails_or_says_something_else_is_a_difference():
    good = startup.Finished(0, "nothing to do", "nothing")
    assert startup.failures(good, good) == 0
    assert startup.failures(good, startup.Finished(1, "nothing to do", "nothing")) == 1
    assert startup.failures(startup.Finished(0, "", "x"), startup.Finished(0, "", "x")) == 2


def test_the_bare_program_says_what_is_asked_of_it(tmp_path):
    bare = tmp_path / "bare.py"
    bare.write_text(startup.BARE)
    done = subprocess.run([sys.executable, bare, "work"], capture_output=True, text=True)
    assert done.stdout == "nothing to do for nobody\n"


@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_samssl_and_monai_by_hand_give_the_same(monkeypatch, norm):
    build = inference.trained_looking
    monkeypatch.setattr(inference, "SHAPE", (20, 16, 16))
    monkeypatch.setattr(inference, "trained_looking", lambda *it: (build(*it)[0], (16, 16, 16)))
    one = next(one for one in inference.pairs() if norm in one.title)
    ours, theirs = one.ours(), one.theirs()
    assert ours.shape == theirs.shape == (2, 20, 16, 16)
    assert one.difference(ours, theirs) <= one.tolerance
    assert ours.std() > 0.01  # not one half everywhere


@pytest.mark.parametrize("feed", ["h5", "NIfTI"])
def test_samssl_and_the_plain_loop_take_the_same_steps(monkeypatch, feed):
    monkeypatch.setattr(training, "SHAPE", (40, 36, 32))
    monkeypatch.setattr(training, "PATCH", (32, 32, 32))
    monkeypatch.setattr(training, "STEPS", 3)
    for one in training.pairs():
        if feed in one.title:
            ours, theirs = one.ours(), one.theirs()
            assert len(ours) == len(theirs) == training.GIVEN_STEPS
            assert one.difference(ours, theirs) <= one.tolerance
            assert abs(ours[1] - ours[0]) > 2 * one.tolerance * ours[0]  # it is not one that stands
            assert one.difference([ours[0], ours[0]], theirs) > one.tolerance
