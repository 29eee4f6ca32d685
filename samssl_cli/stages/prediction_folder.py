"""The folder that `samssl predict` fills: which files are its own, and what they were made with.

CASE.nii.gz                 label map
CASE_probabilities.nii.gz   probability of every class, where they were asked for
predicted-with.json         what decides all of them: one folder never mixes two answers
.samssl.lock                held while a run predicts; see `artifacts.claims`
summary.json                what was found in each image; see `prediction_summary`
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samssl_cli.artifacts.claims import Claim, claimed
from samssl_cli.artifacts.shard import Shard
from samssl_cli.errors import ArtifactError, BusyArtifactError, StaleArtifactError, UsageError
from samssl_cli.volumes.datasets.dataset import RawCase
from samssl_cli.volumes.small_file import NoSmallFileError, read_small_file
from samssl_cli.volumes.whole_file import write_whole, writing

SUMMARY = "summary.json"
SUMMARY_SCHEMA = "samssl-prediction/1"
_RECORD = "predicted-with.json"
_MAX_JSON_BYTES = 50_000_000  # 12 kB an image with 117 classes; parsed, it may be 20 times as much


@dataclass(frozen=True)
class Outputs:
    """The files that one image becomes; None for one that nobody asked for, or that is there."""

    label: Path | None
    probabilities: Path | None

    @property
    def paths(self) -> tuple[Path, ...]:
        """All of them, the label map first."""
        return tuple(path for path in (self.label, self.probabilities) if path is not None)

    def missing(self) -> "Outputs":
        """Those that are not there yet."""
        return Outputs(
            *(
                None if path is None or path.exists() else path
                for path in (self.label, self.probabilities)
            )
        )


class PredictionFolder:
    """A folder of predictions, and what those in it are made with."""

    def __init__(self, path: Path, made_with: Mapping[str, Any]) -> None:
        """Look at a folder, which may not be there yet.

        Args:
            path: the folder.
            made_with: what decides its files, as JSON values.
        """
        self.path, self.made_with = path, made_with
        self._record = path / _RECORD
        self.summary = path / SUMMARY

    def outputs(
        self, cases: Sequence[RawCase], *, with_probabilities: bool, force: bool
    ) -> dict[str, Outputs]:
        """The files that each case becomes, by its name.

        A forced run also predicts those probabilities again that an earlier one has left.

        Raises:
            UsageError: when two of the files have the same name.
        """
        labels = {case.name: self.path / f"{case.name}.nii.gz" for case in cases}
        found = {}
        for name, label in labels.items():
            beside = self.path / f"{name}_probabilities.nii.gz"
            is_ours = self._record.exists() and beside.exists() and beside not in labels.values()
            is_wanted = with_probabilities or (force and is_ours)
            found[name] = Outputs(label, beside if is_wanted else None)
        _refuse_same_names(found)
        return found

    def refuse_images(self, cases: Sequence[RawCase], outputs: Mapping[str, Outputs]) -> None:
        """Raise a `UsageError` when a file would replace an image, whatever the links say."""
        images = {os.path.realpath(path) for case in cases for path in case.images}
        for target in _all_paths(outputs):
            if os.path.realpath(target) in images:  # Path.resolve fails on a link to itself
                raise UsageError(f"{target}: is an image; name another folder for the label maps")

    def refuse_others(self, outputs: Mapping[str, Outputs]) -> None:
        """Raise an error when the folder holds files that this run would not have written.

        Raises:
            UsageError: when no earlier run wrote them.
            StaleArtifactError: when one with another checkpoint or other options did.
            ArtifactError: when what is there cannot be read.
        """
        if not self._record.exists():
            there = [path for path in _all_paths(outputs) if path.exists()]
            if there:
                raise UsageError(self._not_ours(there[0], f"there is no {self._record}"))
        elif not self._is_recorded():
            raise StaleArtifactError(
                f"{self.path}: holds label maps of another checkpoint, or predicted, refined or "
                f"cleaned otherwise ({self._record}); name another folder, or predict them again "
                "with --force"
            )
        if self.summary.exists() and _schema_of(self.summary) != SUMMARY_SCHEMA:
            found = f"it is no JSON of at most {_MAX_JSON_BYTES // 1_000_000} MB with the schema "
            raise UsageError(self._not_ours(self.summary, found + SUMMARY_SCHEMA))

    @contextmanager
    def held(self, outputs: Mapping[str, Outputs], shard: Shard | None) -> Iterator[None]:
        """Keep others from predicting the same into the folder, which is made if needed.

        Args:
            outputs: the files of all images.
            shard: what of them is predicted; None for all.

        Raises:
            UsageError: when the folder holds files of other images, made otherwise.
            BusyArtifactError: when another process predicts the same, or otherwise.
            ArtifactError: when the folder cannot be written.
        """
        with self._claimed(shard) as claim:
            try:
                with claim.turn():
                    claim.take()
                    self._claim(outputs, claim.others())
                yield
            finally:
                if shard is None and claim.is_held:
                    claim.remove()

    @contextmanager
    def turn(self, shard: Shard | None) -> Iterator[None]:
        """Keep the other shards from ending meanwhile; the last one takes the locks away."""
        with self._claimed(shard) as claim, claim.turn():
            yield
            if shard is not None and not claim.others():
                claim.forget()

    @contextmanager
    def _claimed(self, shard: Shard | None) -> Iterator[Claim]:
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        with claimed(self.path, shard, place=self.path / "samssl") as claim:
            yield claim

    def _claim(self, outputs: Mapping[str, Outputs], at_work: Sequence[str]) -> None:
        """Let the folder say what its files are made with; none made otherwise may remain in it.

        The old ones go first: a run that is killed after this must not find them and call them
        done.
        """
        if self._record.exists() and self._is_recorded():
            return
        if at_work:
            raise BusyArtifactError(
                f"{self.path}: is being filled, otherwise than asked for now, by {at_work[0]}; "
                "wait for it to end"
            )
        others = set(self.path.glob("*.nii.gz")) - set(_all_paths(outputs))
        if others:
            raise UsageError(
                f"{self.path}: also holds {min(others).name}, which is not among these images and "
                "was made otherwise; name another folder, or move it away"
            )
        for path in (self.summary, *_all_paths(outputs)):
            with writing(path):
                path.unlink(missing_ok=True)
        write_whole(self._record, as_text(self.made_with).encode())

    def _is_recorded(self) -> bool:
        return bool(read_json(self._record) == self.made_with)

    def _not_ours(self, path: Path, reason: str) -> str:
        return (
            f"{path}: exists and was not written by samssl predict ({reason}); name another "
            f"folder, or replace what is in {self.path} with --force"
        )


def as_text(values: Mapping[str, Any]) -> str:
    """JSON for people and programs, without NaN."""
    return json.dumps(values, indent=2, allow_nan=False) + "\n"


def read_json(path: Path) -> Any:
    """What a JSON file of ours holds; None when it is not there, holds none, or cannot be ours.

    Raises:
        ArtifactError: when it may not be read, or the disk fails.
    """
    try:
        return json.loads(read_small_file(path, max_bytes=_MAX_JSON_BYTES))
    except (FileNotFoundError, NoSmallFileError, ValueError, RecursionError):
        return None
    except OSError as error:
        raise ArtifactError(
            f"{path}: cannot be read: {error}; correct its permissions, or name another folder"
        ) from error


def _schema_of(path: Path) -> Any:
    document = read_json(path)
    return document.get("schema") if isinstance(document, dict) else None


def _all_paths(outputs: Mapping[str, Outputs]) -> list[Path]:
    return [path for one in outputs.values() for path in one.paths]


def _refuse_same_names(outputs: Mapping[str, Outputs]) -> None:
    labels = {one.label: name for name, one in outputs.items() if one.label is not None}
    for name, one in outputs.items():
        if one.probabilities in labels:
            raise UsageError(
                f"{one.probabilities}: would hold the probabilities of {name} and the label map "
                f"of {labels[one.probabilities]}; predict them into two folders"
            )
