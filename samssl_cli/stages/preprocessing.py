"""The work of `preprocess`: check raw cases, and write them on one grid and intensity scale."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from samssl_cli.artifacts.cases import VISIBLE, DatasetFacts, write_case
from samssl_cli.artifacts.draft import Store
from samssl_cli.artifacts.heldout import HELD_OUT, write_heldout_label
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.artifacts.shard import share
from samssl_cli.errors import DataError
from samssl_cli.progress import Progress
from samssl_cli.recipe import Recipe
from samssl_cli.stages.preparation import prepare_image, preprocessing_facts
from samssl_cli.stages.preparation_job import Job
from samssl_cli.stages.run import Work
from samssl_cli.stages.signals import StopRequest
from samssl_cli.stages.workers import Workers
from samssl_cli.volumes.datasets.check import check_case
from samssl_cli.volumes.geometry import Geometry, from_native_label
from samssl_cli.volumes.grid import Spacing
from samssl_cli.volumes.normalize import CtWindow, ct_window


def check_cases(
    job: Job, names: Sequence[str], workers: Workers, stop: StopRequest, progress: Progress
) -> None:
    """Read all of these cases, and the labels of all labeled ones.

    Raises:
        DataError: listing every defect, or every class that no labeled case shows.
        Interrupted: after a signal.
    """
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


def _check_classes(job: Job, workers: Workers, stop: StopRequest) -> None:
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


def _classes_in(job: Job, name: str) -> list[int]:
    label, _ = job.dataset.read_label(job.case(name), max_bytes=job.max_bytes)
    return [int(value) for value in np.unique(label)]


def _problems(job: Job, name: str) -> list[str]:
    return check_case(job.dataset, job.case(name), max_bytes=job.max_bytes)


def write_cases(
    work: Work, job: Job, recipe: Recipe, visible: Plan, heldout: Plan, workers: Workers
) -> None:
    """Prepare the cases of our shard that are not done, and seal when all are.

    Raises:
        DataError: when a file is not usable any more.
        Interrupted: after a signal.
    """
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
        more = {"roles": visible.options["roles"], "spacing_is_known": job.knows_spacing}
        seen.close({**facts.to_json(), **more})
        unseen.close({"class_names": list(facts.class_names)})
        work.draft.seal(facts.to_json())

    work.finish(job.names, is_done, seal)


def _is_done(job: Job, seen: Store, unseen: Store, name: str) -> bool:
    is_held_out = name not in job.roles.labeled and job.case(name).label is not None
    return seen.has(name) and (not is_held_out or unseen.has(name))


def _prepare_case(
    job: Job, preprocessing: Mapping[str, Any], seen: Store, unseen: Store, name: str
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


def _preprocessing(job: Job, recipe: Recipe, workers: Workers, stop: StopRequest) -> dict[str, Any]:
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
    job: Job, wanted: str | tuple[float, float, float], workers: Workers, stop: StopRequest
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


def _native_spacing(job: Job, name: str) -> Spacing:
    grid = job.dataset.read_grid(job.case(name), max_bytes=job.max_bytes)
    return Geometry.of(grid).spacing_mm


def _ct_windows(job: Job) -> list[CtWindow | None]:
    """One window per channel, from the foreground of the labeled cases alone."""
    inside = []
    for name in job.roles.labeled:
        case = job.case(name)
        image, _ = job.dataset.read_image(case, max_bytes=job.max_bytes)
        label, _ = job.dataset.read_label(case, max_bytes=job.max_bytes)
        inside.append(image[:, label > 0])
    return [ct_window(values) for values in np.concatenate(inside, axis=1)]
