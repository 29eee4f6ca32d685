import os

import pytest

from samssl_cli.checkup import processor
from samssl_cli.checkup.processor import check_processor


@pytest.mark.parametrize(
    ("said", "quota", "severity", "cure"),
    [
        (None, None, "ok", ""),
        (None, 2.5, "note", "export OMP_NUM_THREADS=2"),
        (None, 0.5, "note", "export OMP_NUM_THREADS=1"),
        (None, 4.0, "ok", ""),
        ("2", 2.0, "ok", ""),
        ("8", None, "note", "export OMP_NUM_THREADS=4"),
        ("many", None, "note", "export OMP_NUM_THREADS=4"),
        ("0", None, "note", "export OMP_NUM_THREADS=4"),
    ],
)
def test_threads_fit_the_cores(named, monkeypatch, said, quota, severity, cure):
    monkeypatch.setattr(processor, "_allowed", lambda: 4)
    monkeypatch.setattr(processor, "cpu_quota", lambda: quota)
    if said is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", said)
    found = named(check_processor())
    assert (found["threads"].severity, found["threads"].cure) == (severity, cure)
    assert found["cores"].facts == {
        "machine": os.cpu_count(),
        "allowed": 4,
        "cgroup_quota": quota,
    }
