"""`samssl preprocess`: raw volumes become cases on one grid, with the held-out labels apart."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from samssl_cli.artifacts.manifest import Plan, digest
from samssl_cli.artifacts.shard import Shard, share
from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe
from samssl_cli.stages.preparation_job import Job
from samssl_cli.stages.run import Work, run_sharded
from samssl_cli.stages.signals import StopRequest
from samssl_cli.stages.workers import Workers
from samssl_cli.volumes.datasets import open_dataset
from samssl_cli.volumes.datasets.dataset import Dataset
from samssl_cli.volumes.datasets.roles import Roles, assign_roles, read_split


def preprocess(
    data: Path,
    output: Path,
    *,
    labeled: int | Sequence[str] | None,
    split_path: Path | None,
    recipe: Recipe,
    num_workers: int,
    force: bool,
    progress: Progress,
    shard: Shard | None = None,
) -> Path | None:
    """Read a data set, check all of it, and write its cases to `output`.

    Args:
        data: a folder in the nnU-Net, MSD, UA-MT or SSL4MIS layout.
        output: where `cases.zarr` goes.
        labeled: how many of the listed labeled cases, or which; None for all of them.
        split_path: a JSON file with the roles labeled, unlabeled and test; None for the layout's.
        recipe: its section preprocess is used.
        num_workers: processes that work at the same time.
        force: replace an artifact of another plan.
        progress: where to report.
        shard: of the cases, while other processes check and prepare the rest; None for all.

    Returns:
        The path; None when it is not whole, as other shards have still to do theirs.

    Raises:
        DataError: listing every defect of every case of ours; nothing of them is written then.
        Interrupted: after a signal; the same call resumes.
    """
    dataset = open_dataset(data)
    split = None if split_path is None else read_split(split_path)
    roles = _in_order(dataset, assign_roles(dataset, labeled=labeled, split=split))
    job = Job(dataset, roles, int(recipe.preprocess.max_volume_gb * 1e9))
    visible, heldout = _plans(job, recipe)
    plan = Plan(
        kind="cases",
        stage="preprocess",
        options=visible.options,
        seed=0,
        inputs={"visible": visible.fingerprint, "held-out": heldout.fingerprint},
    )
    for note in dataset.notes:
        progress.note(note)

    ours = share(job.names, shard)
    with Workers(min(num_workers, len(job.names))) as workers:

        def check(stop: StopRequest) -> None:
            from samssl_cli.stages.preprocessing import check_cases

            check_cases(job, ours, workers, stop, progress)

        def work(work: Work) -> None:
            from samssl_cli.stages.preprocessing import write_cases

            write_cases(work, job, recipe, visible, heldout, workers)

        return run_sharded(
            plan, output, work=work, force=force, progress=progress, shard=shard, check=check
        )


def _in_order(dataset: Dataset, roles: Roles) -> Roles:
    """List the unlabeled cases as the data set does, whether or not a label of theirs exists."""
    position = {case.name: index for index, case in enumerate(dataset.cases)}
    return replace(roles, unlabeled=tuple(sorted(roles.unlabeled, key=position.__getitem__)))


def _plans(job: Job, recipe: Recipe) -> tuple[Plan, Plan]:
    """One plan for what training may see, one for the rest: the first is blind to the second."""
    roles = {name: list(getattr(job.roles, name)) for name in ("labeled", "unlabeled", "test")}
    options = {**recipe.options("preprocess"), "roles": roles}
    if not job.knows_spacing:  # so that cases made before this was kept are made again
        options["spacing_is_known"] = False
    described = [job.dataset.name, job.dataset.channel_names, job.dataset.class_names]
    images = {name: job.dataset.image_digests(job.case(name)) for name in job.names}
    inputs = {
        "description": digest(described),
        "images": digest(images),
        "labels": digest(_label_digests(job, job.roles.labeled)),
    }
    held_out = digest(_label_digests(job, job.roles.unlabeled + job.roles.test))
    return (
        Plan("visible-cases", "preprocess", options, 0, inputs),
        Plan("held-out-labels", "preprocess", options, 0, {**inputs, "held-out": held_out}),
    )


def _label_digests(job: Job, names: Sequence[str]) -> dict[str, str]:
    digests = ((name, job.dataset.label_digest(job.case(name))) for name in names)
    return {name: digest for name, digest in digests if digest is not None}
