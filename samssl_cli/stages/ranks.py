"""A training on one process or, started by torchrun, on several that share the work of each step.

The first rank does what a process does that trains alone: it holds the lock, looks for a state to
go on from, saves states, seals the artifact, and reports. The others compute.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from samssl_cli.artifacts.checkpoint import (
    Snapshot,
    load_progress,
    pack_snapshot,
    save_progress,
    unpack_snapshot,
)
from samssl_cli.artifacts.draft import Draft
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.errors import DeviceError, Interrupted, TrainingError, UsageError
from samssl_cli.methods import METHODS
from samssl_cli.progress import Progress, Silent
from samssl_cli.stages.device import pick_device
from samssl_cli.stages.run import Work, run_stage
from samssl_cli.stages.signals import StopRequest, signals_as_stop_request

if TYPE_CHECKING:
    import torch

    from samssl_cli.training.team import Team

_TIMEOUT_S = 600.0  # longer than a state takes to be saved, and than cases take to be read

_BEGIN, _UP_TO_DATE, _FAILED = 1, 2, 3  # what the first rank tells the others; they say 0


@dataclass(frozen=True)
class Part:
    """What one process has to do with a training."""

    team: "Team"
    device: "torch.device"
    stop: StopRequest
    progress: Progress
    draft: Draft | None
    """None but on the first rank: the others write nothing."""

    def resume(self) -> Snapshot | None:
        """The state that an earlier run left: the first rank's, on all of them."""
        if self.team.size == 1:
            return self._load()
        state = self._load()
        packed = self.team.hand_out(None if state is None else pack_snapshot(state))
        return None if packed is None else unpack_snapshot(packed)

    def save(self, snapshot: Snapshot) -> None:
        """Keep a state to resume from, on the first rank."""
        if self.draft is not None:
            save_progress(self.draft.scratch(), snapshot)

    def is_stopping(self) -> bool:
        """Whether a signal has asked one of the ranks to stop, after the same step on all."""
        ours = self.stop.signum if self.stop.is_set else None
        agreed = self.team.largest(ours or 0)
        if agreed:  # else: a signal may have come since, which must not be forgotten
            self.stop.signum = agreed
        return bool(agreed)

    def leave(self) -> None:
        """End a training that was asked to stop, once the first rank has saved its state.

        Raises:
            Interrupted: always.
        """
        assert self.stop.signum is not None, "only a signal ends a training early"
        self.team.wait()
        raise Interrupted(self.stop.signum)

    def _load(self) -> Snapshot | None:
        return None if self.draft is None else load_progress(self.draft.scratch())


def run_training(
    plan: Plan,
    output: Path,
    *,
    work: Callable[[Part], None],
    method: str,
    device: str,
    force: bool,
    progress: Progress,
) -> Path:
    """Bring `output` to the state of `plan` as `run_stage` does, with all ranks there are.

    Raises:
        UsageError: when the method or the device cannot be shared.
        TrainingError: when another rank is gone.
        SamsslError: as the stage's parts do.
        Interrupted: after a signal to any rank; the next run resumes, on as many ranks as it has.
    """
    rank, size = rank_and_size()
    if size == 1:
        return run_stage(
            plan,
            output,
            work=lambda whole: work(_alone(whole, device)),
            force=force,
            progress=progress,
        )
    check_shareable(method, size)
    from samssl_cli.training.team import join, leave

    place = _device_of_rank(device, size)
    team = join(rank, size, place, timeout_s=_timeout_s())
    if team.is_first:
        _lead(plan, output, work=work, team=team, place=place, force=force, progress=progress)
    else:
        _follow(work, team=team, place=place)
    leave()
    return output


def rank_and_size() -> tuple[int, int]:
    """Which of how many processes this is, as torchrun says in the environment; (0, 1) alone.

    Raises:
        UsageError: when the environment contradicts itself.
    """
    told = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
    try:
        rank, size = (int(number) for number in told)
    except ValueError:
        rank, size = -1, 0
    if size == 1:
        return 0, 1
    if not 0 <= rank < size:
        raise UsageError(
            f"the environment says RANK={told[0]} and WORLD_SIZE={told[1]}: start the processes "
            "with torchrun, or unset both"
        )
    return rank, size


def is_first_process() -> bool:
    """Whether this process is the one that says what came out."""
    return rank_and_size()[0] == 0


def check_shareable(method: str, size: int) -> None:
    """Raise a `UsageError` when the passes of a method cannot be shared among ranks."""
    if METHODS[method].needs_decoder:
        able = ", ".join(name for name, entry in METHODS.items() if not entry.needs_decoder)
        raise UsageError(
            f"method {method} takes the student apart, which {size} processes cannot share: train "
            f"with one process, or with one of {able}"
        )


def _alone(whole: Work, device: str) -> Part:
    from samssl_cli.training.team import Team

    return Part(
        Team(), pick_device(device, whole.progress), whole.stop, whole.progress, whole.draft
    )


def _lead(
    plan: Plan,
    output: Path,
    *,
    work: Callable[[Part], None],
    team: "Team",
    place: "torch.device",
    force: bool,
    progress: Progress,
) -> None:
    """Do the stage on the first rank, and tell the others once whether there is work to do."""
    has_begun, told = False, _FAILED

    def begin(whole: Work) -> None:
        nonlocal has_begun
        has_begun = True
        team.largest(_BEGIN)
        whole.progress.note(f"training on {team.size} processes")
        work(Part(team, place, whole.stop, whole.progress, whole.draft))

    try:
        run_stage(plan, output, work=begin, force=force, progress=progress)
        told = _UP_TO_DATE
    finally:
        if not has_begun:
            team.largest(told)


def _follow(work: Callable[[Part], None], *, team: "Team", place: "torch.device") -> None:
    """Compute with the first rank if it says so, and write nothing."""
    with signals_as_stop_request() as stop:
        told = team.largest(0)
        if told == _FAILED:
            raise TrainingError("the first process could not begin; its message says why")
        if told == _BEGIN:
            work(Part(team, place, stop, Silent(), draft=None))
    stop.raise_if_set()


def _device_of_rank(wanted: str, size: int) -> "torch.device":
    """The device of this rank: the CPU, or the GPU with its number on this machine.

    Raises:
        UsageError: for a device that ranks cannot share.
        DeviceError: when there are more ranks on this machine than GPUs.
    """
    import torch

    device = pick_device(wanted)
    if device.type == "cpu":
        return device
    if wanted not in ("auto", "cuda"):
        raise UsageError(f"--device {wanted} with {size} processes: use cpu, cuda or auto")
    count, index = torch.cuda.device_count(), int(os.environ.get("LOCAL_RANK", "0"))
    if count == 1:  # where each process is shown its own GPU alone
        index = 0
    if index >= count:
        raise DeviceError(
            f"process {index + 1} on this machine has no GPU of its own, torch finds {count}: "
            "start as many processes as there are GPUs"
        )
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def _timeout_s() -> float:
    """How long a rank waits for the others; SAMSSL_RANK_TIMEOUT_S overrides it."""
    told = os.environ.get("SAMSSL_RANK_TIMEOUT_S", str(_TIMEOUT_S))
    try:
        seconds = float(told)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise UsageError(f"SAMSSL_RANK_TIMEOUT_S={told}: give seconds, more than 0")
    return seconds
