"""What every stage shares: up to date, resume, signals, and the seal."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from samssl_cli.artifacts.draft import Draft, Store, is_up_to_date, open_draft, refuse_if_busy
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.artifacts.members import refuse_if_unwritable
from samssl_cli.progress import Progress
from samssl_cli.stages.signals import StopRequest, signals_as_stop_request


@dataclass(frozen=True)
class Work:
    """What a stage is given to do its work with."""

    draft: Draft
    stop: StopRequest
    progress: Progress

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
        pending = [name for name in names if not store.has(member(name))]
        self.progress.start(title, total=len(names), done=len(names) - len(pending))
        for name in pending:
            self.stop.raise_if_set()
            yield name
            self.progress.advance({"case": name})


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
    if is_up_to_date(output, plan, force=force):
        progress.note(f"{output} is up to date")
        return output
    with signals_as_stop_request() as stop:
        refuse_if_unwritable(output)  # before the check, which may take minutes
        refuse_if_busy(output)
        check(stop)
        with open_draft(output, plan, force=force) as draft:
            if draft is None:
                progress.note(f"{output} is up to date")
            else:
                progress.note(f"resuming {output}" if draft.is_resumed else f"writing {output}")
                work(Work(draft, stop, progress))
        stop.raise_if_set()  # a run that was asked to stop is repeated, even if it just got done
    return output
