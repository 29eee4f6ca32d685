"""`python -m tests.fuzz TARGET... --minutes N`: look for inputs that break a promise.

With atheris (`pip install atheris`, Linux) the lines of code that an input reaches decide what is
changed next; without it, sound inputs are changed at random. What is found lies in
`tests/fuzz/findings/TARGET/`, and the test suite replays it from then on.
"""

import argparse
import importlib.util
import logging
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

_INSTRUMENTED = ["samssl_cli", "nibabel", "safetensors", "tomllib"]
_MEGABYTES_OF_ADDRESSES = 3000.0  # beyond what is mapped at the start


def main() -> int:
    """Fuzz what was asked for; 1 when something was found."""
    options = _parser().parse_args()
    if options.targets == ["all"] or len(options.targets) > 1:
        return _each_in_its_own_process(options)
    sys.dont_write_bytecode = True
    logging.disable()  # nibabel tells of every header that it repairs
    with _instrumented(options.engine):
        from tests.fuzz import engines
        from tests.fuzz.target import warm_up

        target = engines.TARGETS[options.targets[0]]
        warm_up(target)
    _limit_addresses()
    log = engines.Log(options.targets[0], options.findings)
    engine = engines.mutate_seeds if options.engine == "mutation" else engines.follow_coverage
    engine(log, seconds=60 * options.minutes, seed=options.seed)
    sys.stdout.write(log.report() + "\n")
    return int(bool(log.found))


def _parser() -> argparse.ArgumentParser:
    has_atheris = importlib.util.find_spec("atheris") is not None
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="+", metavar="TARGET", help="or `all`")
    parser.add_argument("--minutes", type=float, default=1.0, help="for each target; default 1")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--engine",
        choices=("atheris", "mutation"),
        default="atheris" if has_atheris else "mutation",
        help="default: atheris where it is installed",
    )
    parser.add_argument(
        "--findings", type=Path, default=Path(__file__).with_name("findings"), metavar="DIR"
    )
    return parser


def _each_in_its_own_process(options: argparse.Namespace) -> int:
    """A process each, so that one that is killed takes no other along."""
    from tests.fuzz import seeds
    from tests.fuzz.targets import TARGETS

    environment = {**os.environ, seeds.FOLDER_VARIABLE: str(seeds.sound())}
    codes = []
    for name in TARGETS if options.targets == ["all"] else options.targets:
        command = [sys.executable, "-m", "tests.fuzz", name, "--minutes", str(options.minutes)]
        command += ["--seed", str(options.seed), "--engine", options.engine]
        command += ["--findings", str(options.findings)]
        done = subprocess.run(command, check=False, env=environment)
        codes.append(done.returncode)
        if done.returncode not in (0, 1):
            sys.stderr.write(f"{name}: the process ended with {done.returncode}\n")
    return int(any(codes))


def _instrumented(engine: str):
    if engine != "atheris":
        return nullcontext()
    import atheris

    return atheris.instrument_imports(include=_INSTRUMENTED)


def _limit_addresses() -> None:
    """Let what asks for terabytes fail, instead of the machine."""
    import resource

    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    most = mapped + int(_MEGABYTES_OF_ADDRESSES * 1e6)
    resource.setrlimit(resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))


if __name__ == "__main__":
    sys.exit(main())
