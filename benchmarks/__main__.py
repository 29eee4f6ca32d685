"""`python -m benchmarks [NAME ...]`: samssl beside what a user would have otherwise.

    OMP_NUM_THREADS=1 taskset -c 0 python -m benchmarks inference --repeats 5

Without a name, every entry of the suite is measured. Peers are optional: an entry whose peer is not
installed says what to install, and is skipped. Exits 1 when results differ by more than the entry
allows.
"""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.entries import ENTRIES
from benchmarks.machine import machine
from benchmarks.suite import Entry, Measured, measure, missing


def main(arguments: Sequence[str] | None = None, entries: Mapping[str, Entry] = ENTRIES) -> int:
    """Measure what was asked for; 1 when results differ."""
    options = _parser(entries).parse_args(arguments)
    tell = _quietly if options.json else _say
    found = [
        _run(entries[name], options.repeats, tell) for name in options.names or sorted(entries)
    ]
    on = machine()
    if options.json:
        _say(json.dumps({**on, "entries": found}, indent=2, allow_nan=False))
    else:
        _say("\n".join(_describe(what, on[what]) for what in ("hardware", "versions")))
    pairs = [pair for entry in found for pair in entry.get("pairs", ())]
    return 0 if all(pair["is_equal"] for pair in pairs) else 1


def _run(entry: Entry, repeats: int | None, tell: Callable[[str], None]) -> dict[str, Any]:
    """Measure the pairs of one entry, and tell of each as soon as it is known."""
    tell(f"{entry.name}: {entry.summary}")
    packages = missing(entry)
    if packages:
        cure = f"pip install {' '.join(packages)}"
        tell(f"  skipped; to measure it: {cure}\n")
        return {"name": entry.name, "summary": entry.summary, "skipped": cure}
    measured = []
    for pair in entry.pairs():
        measured.append(measure(pair, repeats or entry.repeats))
        tell(_line(measured[-1]))
    tell("")
    pairs = [one.to_json() for one in measured]
    return {"name": entry.name, "summary": entry.summary, "pairs": pairs}


def _line(measured: Measured) -> str:
    """A pair for people."""
    said = measured.to_json()
    low, high = said["ratio_range"]
    verdict = "" if measured.is_equal else "  THE RESULTS DIFFER"
    return (
        f"  {said['title']}: {said['ratio']:.2f} x as fast ({low:.2f}-{high:.2f}, "
        f"{said['repeats']} turns), {said['ours_median_s']:.3f} s and "
        f"{said['theirs_median_s']:.3f} s; results within {measured.difference:.1e} of "
        f"{measured.tolerance:g}{verdict}"
    )


def _describe(title: str, facts: Mapping[str, Any]) -> str:
    return f"{title}: {', '.join(f'{key} {value}' for key, value in facts.items())}"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _quietly(text: str) -> None:
    """JSON is the only thing on stdout."""


def _parser(entries: Mapping[str, Entry]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure samssl beside what a user has otherwise."
    )
    known = ", ".join(sorted(entries))
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"{known}; default: all", type=_name_of(entries)
    )
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    parser.add_argument("--repeats", type=_count, help="turns of each pair; default: the entry's")
    return parser


def _name_of(entries: Mapping[str, Entry]) -> Callable[[str], str]:
    def name(text: str) -> str:
        if text not in entries:
            raise argparse.ArgumentTypeError(f"no entry {text!r}: {', '.join(sorted(entries))}")
        return text

    return name


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
