"""Dockerfile and apptainer.def, read: nothing here builds an image."""

import os
import re
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
APPTAINER = (ROOT / "apptainer.def").read_text(encoding="utf-8")
HADOLINT = os.environ.get("HADOLINT") or shutil.which("hadolint")
BOTH = pytest.mark.parametrize("text", [DOCKERFILE, APPTAINER], ids=["Dockerfile", "apptainer.def"])
KNOWN = {"FROM", "ARG", "ENV", "WORKDIR", "COPY", "SHELL", "RUN", "USER"}
KNOWN |= {"STOPSIGNAL", "ENTRYPOINT", "CMD"}


def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments) of the Dockerfile, continued lines joined, comments left out."""
    lines = [line for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ").splitlines()
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in joined]


def sections() -> dict[str, list[str]]:
    """The lines of each section of apptainer.def; those before the first under an empty name."""
    found: dict[str, list[str]] = {"": []}
    name = ""
    for line in APPTAINER.splitlines():
        if line.startswith("%"):
            name = line[1:].strip()
            assert name not in found, name
            found[name] = []
        elif line and not line.lstrip().startswith("#"):
            found[name].append(line.strip())
    return found


def copied() -> dict[str, set[str]]:
    docker = [words.split()[:-1] for name, words in instructions() if name == "COPY"]
    return {
        "Dockerfile": {path for paths in docker for path in paths},
        "apptainer.def": {line.split()[0] for line in sections()["files"]},
    }


def installs(text: str) -> dict[str, str]:
    """What each build runs, as `cpu) ... ;;` and `cuda) ... ;;` say."""
    return {
        match[1]: match[2].strip()
        for match in re.finditer(r"^.*\b(cpu|cuda)\) (.*) ;;", text, re.M)
    }


@BOTH
def test_the_install_commands_are_those_of_the_readme(text: str) -> None:
    rows = dict(re.findall(r"^\| (an NVIDIA GPU|no GPU) \| `([^`]+)`", README, flags=re.MULTILINE))
    found = installs(text)
    assert found["cuda"] == rows["an NVIDIA GPU"]
    (index,) = re.findall(r"`(PIP_EXTRA_INDEX_URL=\S+)`", README)
    assert found["cpu"] == f"export {index}; {rows['no GPU']}"
    assert set(re.findall(r"pip install [^;\n]*[^;\s]", text)) == set(rows.values())


def test_ci_installs_with_the_same_constraints() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "pip install -c constraints-cpu.txt -e" in script.replace('"$VENV"/bin/', "")


@BOTH
def test_the_cpu_is_the_default_and_nothing_else_is_guessed(text: str) -> None:
    assert re.search(r"^(ARG| *)\s*BUILD=cpu$", text, flags=re.MULTILINE)
    assert "expected cpu or cuda" in text


@BOTH
def test_both_start_from_a_python_that_samssl_is_tested_with(text: str) -> None:
    assert re.search(r"^(FROM|From:) python:3\.11-slim$", text, flags=re.MULTILINE)
    assert "Linux with Python 3.11" in README


def test_both_copy_the_same_files_and_those_exist() -> None:
    files = copied()
    assert files["Dockerfile"] == files["apptainer.def"]
    assert "constraints-cpu.txt" in files["Dockerfile"]
    assert not [path for path in files["Dockerfile"] if not (ROOT / path).exists()]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    kept = [line[1:] for line in ignored if line.startswith("!")]
    assert "*" in ignored
    assert all(any(fnmatch(path, one) for one in kept) for path in files["Dockerfile"])


def test_the_image_runs_samssl_as_no_root() -> None:
    names = [name for name, _ in instructions()]
    last = dict(instructions())
    assert set(names) <= KNOWN
    assert names[0] == "FROM"
    assert last["USER"] == "1000:1000"  # in numbers: Kubernetes cannot tell that a name is not root
    assert "useradd --create-home --uid 1000 samssl" in last["RUN"]
    assert names.index("USER") > max(at for at, name in enumerate(names) if name == "RUN")
    assert last["ENTRYPOINT"] == '["samssl"]'  # a list: a shell would keep the signals to itself
    assert last["CMD"] == '["--help"]'


def test_apptainer_hands_its_place_to_samssl() -> None:
    known = {"", "arguments", "files", "post", "environment", "runscript", "test", "labels", "help"}
    assert {*sections()} == known
    assert sections()["runscript"] == ['exec samssl "$@"']
    assert sections()[""] == ["Bootstrap: docker", "From: python:3.11-slim"]


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_the_shell_in_both_is_sound() -> None:
    run = dict(instructions())["RUN"]
    post = "\n".join(sections()["post"]).replace("{{ BUILD }}", "$BUILD")
    for shell, script in (("bash", f"BUILD=$1\n{run}"), ("sh", f"BUILD=$1\n{post}")):
        done = subprocess.run(
            ["shellcheck", "--shell", shell, "-"],
            input=script,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed")
def test_hadolint_has_nothing_to_say() -> None:
    command = [str(HADOLINT), str(ROOT / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@BOTH
def test_no_other_address_is_named(text: str) -> None:
    assert set(re.findall(r"https?://[^/\s]+", text)) == {"https://download.pytorch.org"}
