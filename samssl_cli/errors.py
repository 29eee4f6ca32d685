"""Everything a user can cause or cure, as one tree.

    SamsslError                     exit code 1
    ├── UsageError                  exit code 2: options that do not go together
    ├── RecipeError                 a recipe file, or a --set value
    ├── DataError                   an image, a label, a data set: lists every problem found
    ├── ArtifactError
    │   ├── MissingArtifactError    there is nothing at the path, or something else
    │   ├── StaleArtifactError      it was made from other inputs or options
    │   ├── DamagedArtifactError    its bytes are not those that were written
    │   └── BusyArtifactError       another run is writing it
    ├── WeightsError                the weights of a generalist
    ├── DeviceError                 the device that was asked for is not there, or too small
    └── TrainingError               training cannot go on (for instance, a loss that is not finite)

    Interrupted                     not an error: a signal arrived and the state is saved

A message says what, where (case, path, field), found against expected, and the cure.
"""

import signal
from collections.abc import Sequence


class SamsslError(Exception):
    """A problem that the person at the keyboard can act on."""

    exit_code = 1


class UsageError(SamsslError):
    """Options that do not exist or do not go together."""

    exit_code = 2


class RecipeError(SamsslError):
    """A recipe, or a `--set` value, that does not describe a run."""


class DataError(SamsslError):
    """Images, labels or a data set that cannot be used as they are."""

    def __init__(self, summary: str, problems: Sequence[str] = ()) -> None:
        """Keep every problem, so that one run shows them all.

        Args:
            summary: one line that says what was read.
            problems: one line for each defect: what, where, and the cure.
        """
        self.summary = summary
        self.problems = tuple(problems)
        super().__init__("\n  - ".join([summary, *problems]))


class ArtifactError(SamsslError):
    """An artifact on disk that cannot be used as it is."""


class MissingArtifactError(ArtifactError):
    """There is no artifact of the expected kind at this path."""


class StaleArtifactError(ArtifactError):
    """The artifact was made from other inputs or options than those given now."""


class DamagedArtifactError(ArtifactError):
    """The bytes on disk are not the bytes that were written."""


class BusyArtifactError(ArtifactError):
    """Another process is writing this artifact."""


class WeightsError(SamsslError):
    """A weights file that is missing, truncated, unsafe, or another model's."""


class DeviceError(SamsslError):
    """The device that was asked for does not exist on this machine, or has too little memory."""


class TrainingError(SamsslError):
    """Training cannot continue; the last good checkpoint is kept."""


_EXIT_CODES = {signal.SIGUSR1: 85, signal.SIGTERM: 143, signal.SIGINT: 130}


class Interrupted(Exception):  # noqa: N818  (a state, not an error)
    """A signal asked the run to stop; what was done so far is saved and will be resumed."""

    def __init__(self, signum: int) -> None:
        """Remember the signal, which decides the exit code (85 asks Slurm to requeue)."""
        self.exit_code = _EXIT_CODES[signal.Signals(signum)]
        super().__init__(
            f"stopped by {signal.Signals(signum).name}; the state is saved: "
            "run the same command again to continue"
        )
