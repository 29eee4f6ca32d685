"""An artifact in the making: up to date, resume, refuse, or seal."""

import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from numpy.typing import NDArray

from samssl_cli.artifacts.manifest import (
    METADATA,
    Manifest,
    Plan,
    current_versions,
    group_metadata,
    read_attributes,
    read_manifest,
)
from samssl_cli.artifacts.members import find_damage, member_digest, write_member
from samssl_cli.errors import (
    ArtifactError,
    BusyArtifactError,
    DamagedArtifactError,
    MissingArtifactError,
    StaleArtifactError,
)

_PART = ".part"
_STAGING = ".staging"


class Store:
    """A group of members in a draft, with a plan of its own."""

    def __init__(self, path: Path, plan: Plan, *, staging: Path) -> None:
        """Create the group, or continue the one that a killed run left."""
        self.path, self.plan, self._staging = path, plan, staging
        path.mkdir(parents=True, exist_ok=True)
        if not (path / METADATA).exists():
            self._write_metadata({"plan": plan.to_json()})

    def write(
        self, name: str, arrays: Mapping[str, NDArray[Any]], attributes: Mapping[str, Any]
    ) -> None:
        """Write one member whole; from then on a resumed run finds it done."""
        write_member(self.path / name, arrays, attributes, staging=self._staging)

    def has(self, name: str) -> bool:
        """Whether an earlier run wrote this member, undamaged."""
        path = self.path / name
        return (path / METADATA).exists() and not find_damage(path)

    def member(self, name: str) -> Path:
        """Where a member lies."""
        return self.path / name

    def close(self, about: Mapping[str, Any], members: Mapping[str, str] | None = None) -> None:
        """Write the manifest: no member is added after this."""
        found = {
            path.name: member_digest(path) for path in sorted(self.path.iterdir()) if path.is_dir()
        }
        manifest = Manifest(
            plan=self.plan.to_json(),
            fingerprint=self.plan.fingerprint,
            about=about,
            members=found if members is None else members,
            versions=current_versions(),
        )
        self._write_metadata(manifest.to_json())

    def _write_metadata(self, samssl: Mapping[str, Any]) -> None:
        unfinished = self._staging / f"{self.path.name}.{METADATA}"
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as stream:
            stream.write(group_metadata({"samssl": samssl}))
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(self.path / METADATA)


class Draft:
    """The `.part` of an artifact, written by one process that holds its lock."""

    def __init__(self, output: Path, plan: Plan) -> None:
        """Continue the `.part` beside `output`, or begin one."""
        self.output, self.plan = output, plan
        self.path = output.with_name(output.name + _PART)
        self.staging = output.with_name(output.name + _STAGING)
        shutil.rmtree(self.staging, ignore_errors=True)  # of a killed run; the lock is ours
        self.is_resumed = (self.path / METADATA).exists()

    @cached_property
    def root(self) -> Store:
        """The artifact itself; nothing is written before the first look at it."""
        return Store(self.path, self.plan, staging=self.staging)

    def store(self, name: str, plan: Plan) -> Store:
        """A store inside the artifact, with a manifest and a fingerprint of its own."""
        return Store(self.path / name, plan, staging=self.staging)

    def scratch(self) -> Path:
        """A directory for states that help a resumed run and are gone from the sealed artifact."""
        return self.output.with_name(self.output.name + ".progress")

    def seal(self, about: Mapping[str, Any]) -> None:
        """Write the manifest and give the artifact its name; it is never written again."""
        if not _is_sealed(self.path):
            self.root.close(about)
        shutil.rmtree(self.staging, ignore_errors=True)
        self._publish()
        shutil.rmtree(self.scratch(), ignore_errors=True)

    def _publish(self) -> None:
        replaced = self.output.with_name(self.output.name + ".replaced")
        shutil.rmtree(replaced, ignore_errors=True)
        if self.output.exists():
            self.output.rename(replaced)
        # Make compares modification times: the artifact is as new as its seal, not as its first byte.
        os.utime(self.path)
        self.path.rename(self.output)
        shutil.rmtree(replaced, ignore_errors=True)


@contextmanager
def open_draft(output: Path, plan: Plan, *, force: bool = False) -> Iterator[Draft | None]:
    """Decide what is to be done for `plan`, and hold the artifact's lock meanwhile.

    Yields:
        None when `output` is up to date; otherwise the draft to work on, which has what a killed run
        with the same fingerprint finished.

    Raises:
        StaleArtifactError: when `output` or its `.part` came from another plan, without `force`.
        BusyArtifactError: when another process is writing it.
    """
    if is_up_to_date(output, plan, force=force):
        yield None
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    with _lock(output):
        if is_up_to_date(output, plan, force=force):  # a run that we waited behind sealed it
            yield None
            return
        _discard_stale_part(output, plan, force=force)
        yield Draft(output, plan)


def is_up_to_date(output: Path, plan: Plan, *, force: bool = False) -> bool:
    """Whether `output` is what `plan` would give.

    Raises:
        StaleArtifactError: when it is a complete artifact of another plan, without `force`.
        ArtifactError: when it is something else.
    """
    if not output.exists():
        return False
    try:
        manifest = read_manifest(output)
    except MissingArtifactError as error:
        raise ArtifactError(
            f"{output}: exists and is no artifact of samssl; name another output"
        ) from error
    except DamagedArtifactError:
        if force:
            return False
        raise
    if manifest.fingerprint == plan.fingerprint:
        return True
    if not force:
        raise StaleArtifactError(_stale(output, manifest.plan, plan.to_json()))
    return False


def _discard_stale_part(output: Path, plan: Plan, *, force: bool) -> None:
    part = output.with_name(output.name + _PART)
    if not part.exists():
        return
    found = _part_plan(part)
    if found == plan.to_json():
        return
    if found is not None and not force:
        raise StaleArtifactError(_stale(part, found, plan.to_json()))
    shutil.rmtree(part)
    shutil.rmtree(output.with_name(output.name + ".progress"), ignore_errors=True)


def _part_plan(part: Path) -> dict[str, Any] | None:
    """The plan of an unfinished artifact; None when it was killed before it wrote one."""
    try:
        stored = read_attributes(part)["samssl"]
    except (ArtifactError, KeyError):
        return None
    if "plan" in stored:
        plan: dict[str, Any] = stored["plan"]
        return plan
    return {key: stored[key] for key in ("kind", "schema", "stage", "options", "seed", "inputs")}


def _is_sealed(part: Path) -> bool:
    return "manifest_sha256" in read_attributes(part)["samssl"]


def _stale(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    changes = "\n  - ".join(_differences("", found, wanted))
    return (
        f"{path} was made otherwise than asked for now (found -> wanted):\n  - {changes}\n"
        "rerun with --force to replace it, or name another output"
    )


def _differences(where: str, found: Any, wanted: Any) -> list[str]:
    if isinstance(found, Mapping) and isinstance(wanted, Mapping):
        return [
            line
            for key in sorted({*found, *wanted})
            for line in _differences(f"{where}.{key}".lstrip("."), found.get(key), wanted.get(key))
        ]
    if found == wanted:
        return []
    return [f"{where}: {_short(found)} -> {_short(wanted)}"]


def _short(value: Any) -> str:
    text = json.dumps(value)
    is_digest = isinstance(value, str) and len(value) == 64
    return value[:12] if is_digest else text if len(text) <= 80 else text[:77] + "..."


@contextmanager
def _lock(output: Path) -> Iterator[None]:
    """Hold the artifact, or fail at once and say who does."""
    owner = output.with_name(f".{output.name}.owner")
    lock = FileLock(output.with_name(f".{output.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        who = owner.read_text(encoding="utf-8") if owner.exists() else "another process"
        raise BusyArtifactError(
            f"{output}: is being written by {who}; wait for it to end"
        ) from error
    try:
        owner.write_text(f"process {os.getpid()} on {socket.gethostname()}", encoding="utf-8")
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()
