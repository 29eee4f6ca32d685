"""`samssl preprocess`: raw volumes become cases on one grid, with the held-out labels apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from samssl_cli.artifacts.cases import VISIBLE, DatasetFacts, write_case
from samssl_cli.artifacts.draft import Store
from samssl_cli.artifacts.heldout import HELD_OUT, write_heldout_label
from samssl_cli.artifacts.manifest import Plan, digest
from samssl_cli.artifacts.shard import Shard, share
from samssl_cli.errors import DataError
from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe
from samssl_cli.stages.preparation import prepare_image, preprocessing_facts
from samssl_cli.stages.run import Work, run_sharded
from samssl_cli.stages.signals import StopRequest
from samssl_cli.stages.workers import Workers
from samssl_cli.volumes.datasets import open_dataset
from samssl_cli.volumes.datasets.check import check_case
from samssl_cli.volumes.datasets.dataset import Dataset, RawCase
from samssl_cli.volumes.datasets.roles import Roles, assign_roles, read_split
from samssl_cli.volumes.geometry import Geometry, from_native_label
from samssl_cli.volumes.grid import Spacing
from samssl_cli.volumes.normalize import CtWindow, ct_window


@dataclass(frozen=True)
class _Job:
    """What every worker has to know."""

    dataset: Dataset
    roles: Roles
    max_bytes: int

    def case(self, name: str) -> RawCase:
        return next(case for case in self.dataset.cases if case.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        return self.roles.labeled + self.roles.unlabeled + self.roles.test


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
    job = _Job(dataset, roles, int(recipe.preprocess.max_volume_gb * 1e9))
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
            _check(job, ours, workers, stop, progress)

        def work(work: Work) -> None:
            _preprocess(work, job, recipe, visible, heldout, workers)

        return run_sharded(
            plan, output, work=work, force=force, progress=progress, shard=shard, check=check
        )


def _in_order(dataset: Dataset, roles: Roles) -> Roles:
    """List the unlabeled cases as the data set does, whether or not a label of theirs exists."""
    position = {case.name: index for index, case in enumerate(dataset.cases)}
    return replace(roles, unlabeled=tuple(sorted(roles.unlabeled, key=position.__getitem__)))


def _plans(job: _Job, recipe: Recipe) -> tuple[Plan, Plan]:
    """One plan for what training may see, one for the rest: the first is blind to the second."""
    roles = {name: list(getattr(job.roles, name)) for name in ("labeled", "unlabeled", "test")}
    options = {**recipe.options("preprocess"), "roles": roles}
    if not _knows_spacing(job):  # so that cases made before this was kept are made again
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


def _knows_spacing(job: _Job) -> bool:
    """Whether the layout stores the size of a voxel; h5 does not, and 1 mm stands in."""
    return job.dataset.reader == "nifti"


def _label_digests(job: _Job, names: Sequence[str]) -> dict[str, str]:
    digests = ((name, job.dataset.label_digest(job.case(name))) for name in names)
    return {name: digest for name, digest in digests if digest is not None}


def _check(
    job: _Job, names: Sequence[str], workers: Workers, stop: StopRequest, progress: Progress
) -> None:
    progress.start("checking", total=len(names))
    found: dict[str, list[str]] = {}
    for name, problems in workers.each(partial(_problems, job), names, stop=stop):
        found[name] = problems
        progress.advance({"case": name})
    problems = [line for name in names for line in found[name]]
    if problems:
        raise DataError(
            f"{job.dataset.root}: {len(problems)} problems; nothing was written:", problems
        )
    _check_classes(job, workers, stop)


def _check_classes(job: _Job, workers: Workers, stop: StopRequest) -> None:
    """Raise a `DataError` for classes that no labeled case shows: nobody can learn them."""
    each = workers.each(partial(_classes_in, job), job.roles.labeled, stop=stop)
    shown = {value for _, values in each for value in values}
    names = ", ".join(job.roles.labeled)
    missing = [
        f"class {name!r} (label value {value}) is in none of the labeled cases ({names}); label a "
        "case that shows it, choose others with --labeled, or take the class out of dataset.json"
        for value, name in enumerate(job.dataset.class_names)
        if value and value not in shown
    ]
    if missing:
        raise DataError(f"{job.dataset.root}: nothing was written:", missing)


def _classes_in(job: _Job, name: str) -> list[int]:
    label, _ = job.dataset.read_label(job.case(name), max_bytes=job.max_bytes)
    return [int(value) for value in np.unique(label)]


def _problems(job: _Job, name: str) -> list[str]:
    return check_case(job.dataset, job.case(name), max_bytes=job.max_bytes)


def _preprocess(
    work: Work, job: _Job, recipe: Recipe, visible: Plan, heldout: Plan, workers: Workers
) -> None:
    facts = DatasetFacts(
        name=job.dataset.name,
        channel_names=job.dataset.channel_names,
        class_names=job.dataset.class_names,
        preprocessing=_preprocessing(job, recipe, workers, work.stop),
    )
    _ = work.draft.root  # its metadata comes first, so that a killed run is recognised
    seen, unseen = work.draft.store(VISIBLE, visible), work.draft.store(HELD_OUT, heldout)
    ours, is_done = share(job.names, work.shard), partial(_is_done, job, seen, unseen)
    pending = [name for name in ours if not is_done(name)]
    work.progress.start("preprocessing", total=len(ours), done=len(ours) - len(pending))
    prepare = partial(_prepare_case, job, facts.preprocessing, seen, unseen)
    for name, _ in workers.each(prepare, pending, stop=work.stop):
        work.progress.advance({"case": name})

    def seal(work: Work) -> None:
        more = {"roles": visible.options["roles"], "spacing_is_known": _knows_spacing(job)}
        seen.close({**facts.to_json(), **more})
        unseen.close({"class_names": list(facts.class_names)})
        work.draft.seal(facts.to_json())

    work.finish(job.names, is_done, seal)


def _is_done(job: _Job, seen: Store, unseen: Store, name: str) -> bool:
    is_held_out = name not in job.roles.labeled and job.case(name).label is not None
    return seen.has(name) and (not is_held_out or unseen.has(name))


def _prepare_case(
    job: _Job, preprocessing: Mapping[str, Any], seen: Store, unseen: Store, name: str
) -> None:
    """Prepare one case in a worker process, and write it where its role allows."""
    case = job.case(name)
    image, grid = job.dataset.read_image(case, max_bytes=job.max_bytes)
    prepared, geometry = prepare_image(
        image, grid, preprocessing, where=case.images[0], max_bytes=job.max_bytes
    )
    label = None
    if case.label is not None:
        native, _ = job.dataset.read_label(case, max_bytes=job.max_bytes)
        if name in job.roles.labeled:
            label = from_native_label(native, geometry, len(job.dataset.class_names))
        else:
            write_heldout_label(unseen, name, native)
    write_case(seen, name, image=prepared, geometry=geometry, label=label)


def _preprocessing(
    job: _Job, recipe: Recipe, workers: Workers, stop: StopRequest
) -> dict[str, Any]:
    """Decide grid and intensity scale, from the images of the training cases and given labels."""
    options = recipe.preprocess
    is_ct = [
        options.intensity == "ct" or (options.intensity == "auto" and name.upper() == "CT")
        for name in job.dataset.channel_names
    ]
    windows = _ct_windows(job) if any(is_ct) else [None] * len(is_ct)
    return preprocessing_facts(
        options,
        spacing_mm=_spacing(job, options.spacing_mm, workers, stop),
        windows=[window if ct else None for window, ct in zip(windows, is_ct, strict=True)],
    )


def _spacing(
    job: _Job, wanted: str | tuple[float, float, float], workers: Workers, stop: StopRequest
) -> Spacing | None:
    if wanted == "keep":
        return None
    if wanted != "median":
        assert not isinstance(wanted, str)
        return wanted
    training = job.roles.labeled + job.roles.unlabeled
    found = workers.each(partial(_native_spacing, job), training, stop=stop)
    spacings = [spacing for _, spacing in found]
    i, j, k = (float(value) for value in np.median(spacings, axis=0))
    return i, j, k


def _native_spacing(job: _Job, name: str) -> Spacing:
    grid = job.dataset.read_grid(job.case(name), max_bytes=job.max_bytes)
    return Geometry.of(grid).spacing_mm


def _ct_windows(job: _Job) -> list[CtWindow | None]:
    """One window per channel, from the foreground of the labeled cases alone."""
    inside = []
    for name in job.roles.labeled:
        case = job.case(name)
        image, _ = job.dataset.read_image(case, max_bytes=job.max_bytes)
        label, _ = job.dataset.read_label(case, max_bytes=job.max_bytes)
        inside.append(image[:, label > 0])
    return [ct_window(values) for values in np.concatenate(inside, axis=1)]
