"""`samssl doctor`: what this machine has for samssl, and what to do about what it lacks."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from samssl_cli import __version__
from samssl_cli.checkup import CHECKS
from samssl_cli.checkup.alone import collect, start
from samssl_cli.registry import Entry

SCHEMA = "samssl-doctor/1"

_PATIENCE_S = 300.0  # importing everything takes minutes on a busy machine or a slow disk


def examine(
    folders: Sequence[Path],
    *,
    checks: Mapping[str, Entry] = CHECKS,
    patience_s: float = _PATIENCE_S,
) -> dict[str, Any]:
    """Run every check in a process of its own, all at once, and give the findings as JSON values.

    Args:
        folders: where artifacts will be written; they are left as they were.
        checks: the table.
        patience_s: for all of them; what has not answered by then is a problem.
    """
    deadline = time.monotonic() + patience_s
    running = {name: start(name, check, folders) for name, check in checks.items()}
    findings = [
        {"group": name, **vars(finding)}
        for name, process in running.items()
        for finding in collect(name, process, patience_s=max(0.0, deadline - time.monotonic()))
    ]
    counted = Counter(finding["severity"] for finding in findings)
    return {
        "schema": SCHEMA,
        "samssl": __version__,
        "folders": [str(folder) for folder in folders],
        "is_healthy": not counted["problem"],
        "counts": {severity: counted[severity] for severity in ("ok", "note", "problem")},
        "findings": findings,
    }
