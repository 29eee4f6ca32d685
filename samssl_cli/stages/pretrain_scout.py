"""`samssl pretrain-scout`: train the embedded generalist on procedural scenes, and nothing else."""

import copy
from pathlib import Path
from typing import Any

from samssl_cli.artifacts.manifest import Plan
from samssl_cli.errors import Interrupted
from samssl_cli.progress import Progress
from samssl_cli.recipe import PretrainScout, Recipe
from samssl_cli.stages.run import Work, run_stage


def pretrain_scout(
    output: Path, *, recipe: Recipe, seed: int, device: str, force: bool, progress: Progress
) -> Path:
    """Train `scout` from random weights, and write what `sam-label --checkpoint` takes to `output`.

    Raises:
        SamsslError: when the device cannot be used, or the training diverges.
        Interrupted: after a signal; the same call resumes.
    """
    plan = Plan(
        kind="generalist",
        stage="pretrain-scout",
        options=recipe.options("pretrain_scout"),
        seed=seed,
        inputs={},
    )

    def work(work: Work) -> None:
        _pretrain(work, recipe.pretrain_scout, seed=seed, device=device)

    return run_stage(plan, output, work=work, force=force, progress=progress)


def _pretrain(work: Work, options: PretrainScout, *, seed: int, device: str) -> None:
    from samssl_cli.artifacts.checkpoint import load_progress, save_progress
    from samssl_cli.stages.device import describe_hardware, pick_device
    from samssl_cli.training.loop import Hooks, fit
    from samssl_cli.training.scout_batches import SceneBatches

    where = pick_device(device, work.progress)
    scratch = work.draft.scratch()
    final = fit(
        _learner(options, seed=seed, device=where),
        SceneBatches(batch_size=options.batch_size, seed=seed, device=where),
        options=options,
        seed=seed,
        device=where,
        resume=load_progress(scratch),
        hooks=Hooks(
            save=lambda snapshot: save_progress(scratch, snapshot),
            is_stopping=lambda: work.stop.is_set,
            progress=work.progress,
        ),
    )
    if final.step < options.steps:
        assert work.stop.signum is not None, "only a signal ends a training early"
        raise Interrupted(work.stop.signum)
    _seal(work, final, describe_hardware(where))


def _learner(options: PretrainScout, *, seed: int, device: Any) -> Any:
    import torch

    from samssl_cli.generalists.scout_network import ScoutNetwork
    from samssl_cli.training.scout_pretraining import ScoutPretraining

    torch.manual_seed(seed)
    network = ScoutNetwork().to(device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # torch types only 4-D formats
    return ScoutPretraining(network, copy.deepcopy(network), decay=options.average_decay)


def _seal(work: Work, final: Any, hardware: Any) -> None:
    """Keep the running mean in half precision: half the size, and the same answers."""
    import numpy as np

    from samssl_cli.artifacts.generalist import write_generalist

    half = {name: array.astype(np.float16) for name, array in final.modules["average"].items()}
    write_generalist(work.draft.root, half, final.curves)
    work.draft.seal(
        {
            "generalist": "scout",
            "trained_on": "procedural scenes",
            "steps": final.step,
            "num_parameters": sum(array.size for array in half.values()),
            "hardware": hardware,
        }
    )
