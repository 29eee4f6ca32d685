"""Limits of both generations of cgroups, written out as Linux shows them."""

import pytest

from samssl_cli.checkup import cgroup


@pytest.fixture
def linux(tmp_path, monkeypatch):
    """Stand in for /sys/fs/cgroup and /proc/self/cgroup."""
    root, told = tmp_path / "cgroup", tmp_path / "self"

    def write(own: str, files: dict[str, str]) -> None:
        told.write_text(own)
        for name, content in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(f"{content}\n")

    monkeypatch.setattr(cgroup, "ROOT", root)
    monkeypatch.setattr(cgroup, "SELF", told)
    return write


V1 = "4:memory:/job\n1:cpu,cpuacct:/job\n0::/\n"


@pytest.mark.parametrize(
    ("own", "files", "cores", "num_bytes"),
    [
        ("0::/\n", {"cpu.max": "max 100000", "memory.max": "max"}, None, None),
        ("0::/\n", {"cpu.max": "150000 100000", "memory.max": "1000"}, 1.5, 1000),
        (  # the strictest of the groups above counts
            "0::/a/b\n",
            {"a/b/cpu.max": "max 100000", "a/cpu.max": "200000 100000", "a/b/memory.max": "900"},
            2.0,
            900,
        ),
        ("0::/not/seen/from/here\n", {"cpu.max": "100000 100000"}, 1.0, None),
        ("0::/../../outside\n", {"cpu.max": "100000 100000"}, None, None),
        (
            V1,
            {
                "cpu,cpuacct/job/cpu.cfs_quota_us": "300000",
                "cpu,cpuacct/job/cpu.cfs_period_us": "100000",
                "memory/job/memory.limit_in_bytes": "5000",
            },
            3.0,
            5000,
        ),
        (
            V1,
            {
                "cpu/job/cpu.cfs_quota_us": "-1",
                "cpu/job/cpu.cfs_period_us": "100000",
                "memory/job/memory.limit_in_bytes": "9223372036854771712",
            },
            None,
            None,
        ),
        ("nonsense", {"cpu.max": "?"}, None, None),
        ("0::/\n", {"cpu.max": "100000 0"}, None, None),
    ],
)
def test_limits(linux, own, files, cores, num_bytes):
    linux(own, files)
    assert cgroup.cpu_quota() == cores
    assert cgroup.memory_limit() == num_bytes


def test_nothing_is_known_elsewhere(monkeypatch, tmp_path):
    monkeypatch.setattr(cgroup, "SELF", tmp_path / "none")
    assert cgroup.cpu_quota() is None
    assert cgroup.memory_limit() is None
