"""What the pipelines need: GNU make, Slurm, Snakemake."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from samssl_cli.checkup.finding import Finding

_PATIENCE_S = 20.0
_OLDEST_MAKE = (4, 3)
_JOB = ("SLURM_JOB_ID", "SLURM_CPUS_PER_TASK", "SLURM_MEM_PER_NODE", "SLURM_JOB_PARTITION")


def check_programs(_folders: Sequence[Path] = ()) -> Iterator[Finding]:
    """Look for each on the PATH; no stage needs any of them."""
    yield _make()
    yield _slurm()
    yield _snakemake()


def _make() -> Finding:
    told, wanted = _first_line("make"), "pipelines/Makefile needs GNU make 4.3 or newer"
    facts = {"version": told}
    found = re.match(r"GNU Make (\d+)\.(\d+)", told or "")
    if found and (int(found[1]), int(found[2])) >= _OLDEST_MAKE:
        return Finding("make", "ok", f"{told}", facts=facts)
    cure = f"{wanted}; the stages need none"
    return Finding("make", "note", told or "is not here", cure, facts)


def _slurm() -> Finding:
    told = _first_line("sbatch")
    job = {name: os.environ[name] for name in _JOB if name in os.environ}
    facts = {"version": told, "job": job}
    if told is None:
        return Finding("slurm", "ok", "is not here", facts=facts)
    where = f", inside job {job['SLURM_JOB_ID']}" if "SLURM_JOB_ID" in job else ""
    return Finding("slurm", "ok", f"{told}{where}; see docs/slurm.md", facts=facts)


def _snakemake() -> Finding:
    told = _first_line("snakemake")
    shown = "is not here" if told is None else f"{told}; see docs/snakemake.md"
    return Finding("snakemake", "ok", shown, facts={"version": told})


def _first_line(program: str) -> str | None:
    """What a program says of its version; None when there is none, or it does not work."""
    path = shutil.which(program)
    if path is None:
        return None
    try:
        done = subprocess.run(
            [path, "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return next((line.strip() for line in done.stdout.splitlines() if line.strip()), None)
