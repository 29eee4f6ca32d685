"""An artifact in the making: up to date, resume, refuse, or seal."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samssl_cli.artifacts.claims import Claim, Wait, claimed, silently
from samssl_cli.artifacts.manifest import (
    METADATA,
    Manifest,
    Plan,
    current_versions,
    group_metadata,
    is_member_name,
    is_unfinished,
    read_attributes,
    read_manifest,
)
from samssl_cli.artifacts.members import find_damage, member_digest, write_member
from samssl_cli.artifacts.shard import Shard
from samssl_cli.artifacts.store import find_all_damage
from samssl_cli.errors import (
    ArtifactError,
    BusyArtifactError,
    DamagedArtifactError,
    MissingArtifactError,
    StaleArtifactError,
)
from samssl_cli.volumes.whole_file import refuse_link, writing

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PART = ".part"
_STAGING = ".staging"
_PROGRESS = ".progress"
_REPLACED = ".replaced"


class Store:
    """A group of members in a draft, with a plan of its own."""

    def __init__(self, path: Path, plan: Plan, *, staging: Path) -> None:
        """Create the group, or continue the one that a killed run left.

        Raises:
            ArtifactError: when it is a link, or the disk cannot be written.
        """
        refuse_link(path)
        self.path, self.plan, self._staging = path, plan, staging
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

    def close(self, about: Mapping[str, Any]) -> None:
        """Write the manifest: no member is added after this.

        Raises:
            DamagedArtifactError: when something else lies among the members.
        """
        folders = [path for path in sorted(self.path.iterdir()) if path.is_dir()]
        for path in folders:
            if not _may_be_member(path):
                raise DamagedArtifactError(
                    f"{path}: was not left by samssl; remove it, and run the same command again"
                )
        members = {path.name: member_digest(path) for path in folders}
        manifest = Manifest(
            plan=self.plan.to_json(),
            fingerprint=self.plan.fingerprint,
            about=about,
            members=members,
            versions=current_versions(),
        )
        self._write_metadata(manifest.to_json())

    def reopen(self) -> None:
        """Take the manifest back: members may be written again."""
        self._write_metadata({"plan": self.plan.to_json()})

    def _write_metadata(self, samssl: Mapping[str, Any]) -> None:
        unfinished = self._staging / f"{self.path.name}.{METADATA}"
        with writing(self.path / METADATA):
            unfinished.parent.mkdir(parents=True, exist_ok=True)
            self.path.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as stream:
                stream.write(group_metadata({"samssl": samssl}))
                stream.flush()
                os.fsync(stream.fileno())
            unfinished.replace(self.path / METADATA)


class Draft:
    """The `.part` of an artifact, written by those who have a claim to it."""

    def __init__(self, output: Path, plan: Plan, claim: Claim | None = None) -> None:
        """Continue the `.part` beside `output`, or begin one, under a claim that is held."""
        self.output, self.plan, self.claim = output, plan, claim or Claim(output)
        self.path, self.staging = _beside(output, _PART), _beside(output, _STAGING)
        refuse_link(self.path)
        refuse_link(_beside(output, _PROGRESS))
        if (shard := self.claim.shard) is not None:  # each has a corner of its own
            self.staging /= f"shard-{shard.number}-of-{shard.count}"
        _remove(self.staging)  # of a killed run
        self.is_resumed = (self.path / METADATA).exists()
        self.is_sealed = False

    @cached_property
    def root(self) -> Store:
        """The artifact itself; nothing is written before the first look at it."""
        return Store(self.path, self.plan, staging=self.staging)

    def store(self, name: str, plan: Plan) -> Store:
        """A store inside the artifact, with a manifest and a fingerprint of its own."""
        return Store(self.path / name, plan, staging=self.staging)

    def scratch(self) -> Path:
        """A directory for states that help a resumed run and are gone from the sealed artifact.

        The root comes first: its plan tells a later run whose states these are.
        """
        assert self.root.path.exists()
        return _beside(self.output, _PROGRESS)

    def seal(self, about: Mapping[str, Any]) -> None:
        """Write the manifest and give the artifact its name; it is never written again."""
        self.root.close(about)
        self.publish()

    def publish(self) -> None:
        """Give a `.part` that has its manifest the name of the artifact.

        What else a run leaves is removed first, so that one killed in between is finished by the
        next, which finds the manifest and comes here again.
        """
        _remove(_beside(self.output, _STAGING))
        _remove(_beside(self.output, _PROGRESS))
        replaced = _beside(self.output, _REPLACED)
        _remove(replaced)
        if self.output.exists():
            self.output.rename(replaced)
            _remove(replaced)
        # Make compares modification times: an artifact is as new as its seal.
        os.utime(self.path)
        self.path.rename(self.output)
        self.is_sealed = True
        self.claim.forget()

    def reopen(self) -> None:
        """Make a damaged artifact a draft again, of which all that is whole is kept."""
        refuse_link(self.output)
        self.output.rename(self.path)
        self.root.reopen()
        self.is_resumed = True


@contextmanager
def open_draft(
    output: Path,
    plan: Plan,
    *,
    force: bool = False,
    shard: Shard | None = None,
    wait: Wait = silently,
) -> Iterator[Draft | None]:
    """Decide what is to be done for `plan`, and claim the artifact, or a shard of it, meanwhile.

    Args:
        output: path of the artifact.
        plan: what it is to be.
        force: replace an artifact, or an unfinished one, of another plan.
        shard: of the cases, while other processes do the others; None for all of it.
        wait: called while another shard begins, ends, or seals.

    Yields:
        None when `output` is up to date; otherwise the draft to work on, which has what a killed
        run with the same fingerprint finished.

    Raises:
        StaleArtifactError: when `output` or its `.part` came from another plan, without `force`.
        BusyArtifactError: when another process is writing it, or this shard of it.
    """
    with writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
    with claimed(output, shard) as claim:
        with claim.turn(wait):
            claim.take()
            draft = _prepare(output, plan, claim, force=force)
        yield draft


def is_up_to_date(output: Path, plan: Plan, *, force: bool = False) -> bool:
    """Whether `output` is what `plan` would give; with `force`, it is also read to its last byte.

    Raises:
        StaleArtifactError: when it is a complete artifact of another plan, without `force`.
        ArtifactError: when it is of another kind, an input of the plan, or something else.
    """
    if not _exists(output):
        return False
    try:
        manifest = read_manifest(output)
    except MissingArtifactError as error:
        return _is_gone_or_foreign(output, error)
    except (DamagedArtifactError, StaleArtifactError):
        if force:
            return False
        raise
    if manifest.fingerprint == plan.fingerprint:
        return not (force and find_all_damage(output))
    _refuse_to_replace(output, manifest.plan, plan)
    if manifest.fingerprint in plan.inputs.values():
        raise ArtifactError(f"{output}: is an input of this run; name another output")
    if not force:
        raise StaleArtifactError(_stale(output, manifest.plan, plan.to_json()))
    return False


def _is_gone_or_foreign(output: Path, error: MissingArtifactError) -> bool:
    """False where another shard has just put the artifact aside, to mend or to replace it."""
    if _exists(output):
        raise ArtifactError(
            f"{output}: exists and is no artifact of samssl; name another output"
        ) from error
    return False


def _prepare(output: Path, plan: Plan, claim: Claim, *, force: bool) -> Draft | None:
    """What `open_draft` yields, once the claim is held."""
    if is_up_to_date(output, plan, force=force):
        return None
    _discard_stale_part(output, plan, claim, force=force)
    draft = Draft(output, plan, claim)
    if draft.is_resumed and not is_unfinished(read_attributes(draft.path)):
        if not find_all_damage(draft.path):
            draft.publish()  # the run before was killed when only the new name was missing
            return None
        draft.root.reopen()  # it was killed within Draft.reopen
    if force and not draft.is_resumed and _is_of_plan(output, plan):
        draft.reopen()
    if claim.shard is not None:
        _ = draft.root  # its plan comes first, for the other shards to find
    return draft


def _is_of_plan(output: Path, plan: Plan) -> bool:
    try:
        return read_manifest(output).fingerprint == plan.fingerprint
    except ArtifactError:
        return False


def _discard_stale_part(output: Path, plan: Plan, claim: Claim, *, force: bool) -> None:
    """Remove what an unfinished run left, unless it is a run of `plan`."""
    part = _beside(output, _PART)
    if not _exists(part):
        _remove(_beside(output, _PROGRESS))
        return
    if not (part / METADATA).exists() and not _is_empty(part):
        raise ArtifactError(f"{part}: exists and is no artifact of samssl; name another output")
    found = _part_plan(part)
    if found == plan.to_json():
        return
    if found is not None:
        _refuse_to_replace(part, found, plan)
    if not force and not _is_empty(part):
        raise StaleArtifactError(_stale(part, found or {}, plan.to_json()))
    if others := claim.others():
        raise BusyArtifactError(
            f"{part}: is being written, otherwise than asked for now, by {others[0]}; wait for it "
            "to end"
        )
    _remove(_beside(output, _PROGRESS))
    _remove(part)


def _refuse_to_replace(path: Path, found: Mapping[str, Any], plan: Plan) -> None:
    """Raise an `ArtifactError` when something of another kind is there: `-o` was mistyped."""
    kind = found.get("kind")
    if kind != plan.kind:
        holds = "a checkpoint" if kind == "checkpoint" else kind
        raise ArtifactError(
            f"{path}: holds {holds} from {found.get('stage')}, where {plan.kind} would go; "
            "name another output"
        )


def _part_plan(part: Path) -> dict[str, Any] | None:
    """The plan of an unfinished artifact; None when it has none that can be read."""
    try:
        attributes = read_attributes(part)
        if is_unfinished(attributes):
            plan = attributes["samssl"]["plan"]
            return plan if isinstance(plan, dict) else None
        return dict(read_manifest(part).plan)
    except ArtifactError:
        return None


def _may_be_member(path: Path) -> bool:
    """Whether a folder in a draft can be a member or a store: not what somebody else put there."""
    is_whole = (path / METADATA).is_file() and not path.is_symlink()
    return is_whole and is_member_name(path.name)


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


def _beside(output: Path, suffix: str) -> Path:
    return output.with_name(output.name + suffix)


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()  # a link to nothing is something, too


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _remove(path: Path) -> None:
    """Remove a directory of ours, if it is there; a link to one is removed, not followed."""
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)
