import pytest

from samssl_cli.checkup.programs import check_programs


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put a program on a PATH of its own that says this of its version."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def write(name, says):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{says}\n")
        path.chmod(0o755)

    return write


@pytest.mark.parametrize(
    ("says", "severity"),
    [
        ("echo GNU Make 4.3", "ok"),
        ("echo GNU Make 10.0", "ok"),
        ("echo GNU Make 3.81", "note"),
        ("echo bsd make", "note"),
        ("exit 1", "note"),
        (None, "note"),
    ],
)
def test_make(named, program, says, severity):
    if says:
        program("make", says)
    assert named(check_programs())["make"].severity == severity


def test_slurm_and_snakemake(named, program, monkeypatch):
    assert named(check_programs())["slurm"].found == "is not here"
    program("sbatch", "echo slurm 22.05.8")
    program("snakemake", "echo 9.27.1")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    found = named(check_programs())
    assert found["slurm"].found.startswith("slurm 22.05.8, inside job 7")
    assert found["slurm"].facts["job"]["SLURM_JOB_ID"] == "7"
    assert found["snakemake"].facts == {"version": "9.27.1"}


def test_a_program_for_another_machine(named, program):
    program("sbatch", "")
    program("make", "")
    from pathlib import Path
    from shutil import which

    Path(which("make")).write_bytes(b"\x7fELF nothing")
    assert named(check_programs())["make"].severity == "note"
