"""What every stage shares: up to date, resume, signals, shards, and the seal."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from samssl_cli.artifacts.claims import refuse_if_claimed
from samssl_cli.artifacts.draft import Draft, Store, is_up_to_date, open_draft
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.artifacts.members import refuse_if_unwritable
from samssl_cli.artifacts.shard import Shard, share
from samssl_cli.progress import Progress
from samssl_cli.stages.signals import StopRequest, signals_as_stop_request


@dataclass(frozen=True)
class Work:
    """What a stage is given to do its work with."""

    draft: Draft
    stop: StopRequest
    progress: Progress
    shard: Shard | None = None
    """Of the cases, while others do the rest; None for all of them."""

    def each_pending(
        self,
        store: Store,
        names: Sequence[str],
        title: str,
        *,
        member: Callable[[str], str] = str,
    ) -> Iterator[str]:
        """Go over the cases that no earlier run finished, one unit of progress each.

        `member` gives the name under which the store keeps a case.
        """
        ours = share(names, self.shard)
        pending = [name for name in ours if not store.has(member(name))]
        self.progress.start(title, total=len(ours), done=len(ours) - len(pending))
        for name in pending:
            self.stop.raise_if_set()
            yield name
            self.progress.advance({"case": name})

    def finish(
        self,
        names: Sequence[str],
        is_done: Callable[[str], bool],
        seal: Callable[["Work"], None],
    ) -> None:
        """Seal, once the cases of `each_pending` are done; a shard does so if it is the last one.

        Args:
            names: of all cases.
            is_done: whether a case is whole, whoever did it.
            seal: does what takes all cases, with work that is not limited to a shard.
        """
        if self.shard is None:
            seal(self)
            return
        claim = self.draft.claim
        with claim.turn(Waiting(self.stop, self.progress)):
            others = claim.others()
            missing = [] if others else [name for name in names if not is_done(name)]
            if others or missing:
                self.progress.note(self._left_to(others, missing))
            else:
                seal(replace(self, shard=None))
            claim.release()  # within the turn: of two that end together, one is the last

    def _left_to(self, others: Sequence[str], missing: Sequence[str]) -> str:
        done = f"shard {self.shard} of {self.draft.output} is done"
        if others:
            return f"{done}; the last one to end seals it: still at work: {'; '.join(others)}"
        return (
            f"{done}; {len(missing)} cases of other shards are not, from {missing[0]} on: the last "
            "one to end seals it"
        )


class Waiting:
    """Says once for whom a shard waits, and stops waiting when it is asked to stop."""

    def __init__(self, stop: StopRequest, progress: Progress) -> None:
        """Nothing has been said yet."""
        self._stop, self._progress = stop, progress
        self._num_looks = 0

    def __call__(self, holder: str) -> None:
        """Between two looks at the turn.

        Raises:
            Interrupted: when a signal arrived.
        """
        self._stop.raise_if_set()
        self._num_looks += 1
        if self._num_looks == _LOOKS_IN_SILENCE:
            self._progress.note(f"waiting for {holder}, which begins or seals")


_LOOKS_IN_SILENCE = 40  # two seconds; most turns take less


def run_stage(
    plan: Plan,
    output: Path,
    *,
    work: Callable[[Work], None],
    force: bool,
    progress: Progress,
    check: Callable[[StopRequest], None] = lambda stop: None,
) -> Path:
    """Bring `output` to the state of `plan`: do nothing, resume, or begin; then seal it.

    Args:
        plan: what is wanted; decides whether there is anything to do.
        output: path of the artifact.
        work: writes the members and calls `draft.seal`.
        force: replace an artifact, or an unfinished one, of another plan.
        progress: where to report.
        check: looks at the inputs before anything is written.

    Raises:
        SamsslError: as the stage's parts do.
        Interrupted: after a signal; the next run resumes.
    """
    run_sharded(plan, output, work=work, force=force, progress=progress, check=check, shard=None)
    return output


def run_sharded(
    plan: Plan,
    output: Path,
    *,
    work: Callable[[Work], None],
    force: bool,
    progress: Progress,
    shard: Shard | None,
    check: Callable[[StopRequest], None] = lambda stop: None,
) -> Path | None:
    """The same, or one shard of it; `work` ends with `Work.finish`.

    Returns:
        The path of the artifact; None when other shards have still to do theirs.
    """
    if is_up_to_date(output, plan, force=force):
        progress.note(f"{output} is up to date")
        return output
    with signals_as_stop_request() as stop:
        refuse_if_unwritable(output)  # before the check, which may take minutes
        wait = Waiting(stop, progress)
        refuse_if_claimed(output, shard, wait)
        check(stop)
        with open_draft(output, plan, force=force, shard=shard, wait=wait) as draft:
            if draft is None:
                progress.note(f"{output} is up to date")
            else:
                progress.note(_begun(draft, shard))
                work(Work(draft, stop, progress, shard))
        stop.raise_if_set()  # a run that was asked to stop is repeated, even if it just got done
    return output if draft is None or draft.is_sealed else None


def _begun(draft: Draft, shard: Shard | None) -> str:
    if shard is not None:
        return f"shard {shard} of {draft.output}"
    return f"resuming {draft.output}" if draft.is_resumed else f"writing {draft.output}"
