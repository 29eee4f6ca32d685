"""What `train-ssl` and `retrain` share: build, fit, keep the progress, seal."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.checkpoint import (
    Checkpoint,
    write_checkpoint,
)
from samssl_cli.artifacts.labels import PseudoLabel, PseudoLabels
from samssl_cli.errors import UsageError
from samssl_cli.methods import METHODS
from samssl_cli.methods.method import Method, PseudoLabelTerm
from samssl_cli.networks import build_network, size_multiple
from samssl_cli.recipe import Recipe, Retrain, Training
from samssl_cli.registry import load
from samssl_cli.stages.device import describe_hardware
from samssl_cli.stages.ranks import Part
from samssl_cli.training.ahead import Ahead
from samssl_cli.training.average import Averaged
from samssl_cli.training.batches import LabeledVolume, PatchStreams, UnlabeledVolume
from samssl_cli.training.loop import Hooks, fit
from samssl_cli.training.shelf import Shelf
from samssl_cli.training.state import to_tensors
from samssl_cli.training.tensorboard import curve_writer


def fit_and_seal(
    part: Part,
    streams: PatchStreams,
    method: Method,
    *,
    cases: Cases,
    recipe: Recipe,
    options: Training,
    seed: int,
    tensorboard: Path | None,
    generalists: Sequence[Mapping[str, Any]] = (),
    gate: Mapping[str, Any] | None = None,
    selection: Mapping[str, Any] | None = None,
) -> None:
    """Train from where an earlier run stopped; the first rank seals the checkpoint.

    Raises:
        Interrupted: after a signal, with the state saved.
    """
    learner = averaged(method, options)
    with curve_writer(tensorboard if part.team.is_first else None) as on_step:
        final = fit(
            learner,
            Ahead(streams) if part.device.type == "cuda" else streams,
            options=options,
            seed=seed,
            device=part.device,
            resume=part.resume(),
            hooks=Hooks(
                save=part.save,
                is_stopping=part.is_stopping,
                progress=part.progress,
                on_step=on_step,
            ),
            team=part.team,
        )
    if final.step < options.steps:
        part.leave()
    if part.draft is None:
        return
    write_checkpoint(part.draft.root, final)
    learned_from = [dict(record) for record in generalists]
    unlabeled = cases.unlabeled if selection is None else selection["kept"]
    part.draft.seal(
        {
            **about(cases, recipe, options, method, num_unlabeled=len(unlabeled)),
            "predictor": _name_of_predictor(learner),
            "generalists": learned_from,
            "hardware": describe_hardware(part.device, num_processes=part.team.size),
            **({} if gate is None else {"gate": dict(gate)}),
            **({} if selection is None else {"selection": dict(selection)}),
        }
    )


def averaged(method: Method, options: Training) -> Method | Averaged:
    """The method, with the running mean of its weights where the recipe asks for it."""
    return Averaged(method, decay=options.average_decay) if options.average_decay else method


def _name_of_predictor(learner: Method | Averaged) -> str:
    names = {id(module): name for name, module in learner.modules().items()}
    return names[id(learner.predictor())]


def about(
    cases: Cases, recipe: Recipe, options: Training, method: Method, *, num_unlabeled: int
) -> dict[str, Any]:
    """What a reader of the checkpoint has to know of its training, as JSON values."""
    return {
        **cases.facts.to_json(),
        **({} if cases.spacing_is_known else {"spacing_is_known": False}),
        "network": recipe.network.model_dump(mode="json"),
        "patch_size": list(options.patch_size),
        "method": options.method,
        "method_options": method.options.model_dump(mode="json"),
        "steps": options.steps,
        "checkpoint_rule": "last",
        "label_budget": {
            "training": len(cases.labeled),
            "selection": 0,
            "calibration": 0,
            "unlabeled": num_unlabeled,
        },
    }


def build_method(
    cases: Cases,
    recipe: Recipe,
    options: Training,
    *,
    seed: int,
    device: torch.device,
    pseudo_term: PseudoLabelTerm | None = None,
    init: Checkpoint | None = None,
) -> Method:
    """Build the student, from random weights of the seed or from a checkpoint's, and its method.

    Raises:
        UsageError: when the patch, the network and the checkpoint do not go together.
    """
    check_patch_size(recipe, options)
    torch.manual_seed(seed)
    student = build_network(
        recipe.network,
        in_channels=len(cases.facts.channel_names),
        num_classes=cases.facts.num_classes,
    )
    if init is not None:
        _check_same_network(init, cases, recipe)
        student.load_state_dict(to_tensors(init.weights()))
    student = student.to(device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]  # torch types only 4-D formats
    build = load(METHODS, options.method, kind="method")
    method: Method = build(
        student,
        options.method_options.get(options.method, {}),
        steps=options.steps,
        pseudo_term=pseudo_term,
        in_channels=len(cases.facts.channel_names),
        num_classes=cases.facts.num_classes,
    )
    if method.learns_from_unlabeled and not options.unlabeled_batch:
        raise UsageError(
            f"method {options.method} learns from unlabeled patches: set unlabeled_batch to 1 or "
            "more, or use the method supervised"
        )
    return method


def check_patch_size(recipe: Recipe, options: Training) -> None:
    """Raise a `UsageError` when the network cannot halve the patch as often as it has to."""
    multiple = size_multiple(recipe.network)
    sides = options.patch_size
    if any(side % multiple for side in sides) or all(side == multiple for side in sides):
        raise UsageError(
            f"patch_size {list(sides)}: network {recipe.network.name} halves it "
            f"{multiple.bit_length() - 1} times, so each side has to be a multiple of {multiple}, "
            "and at least one side more than that"
        )


def _check_same_network(init: Checkpoint, cases: Cases, recipe: Recipe) -> None:
    if init.network != recipe.network:
        raise UsageError(
            f"--init {init.path} holds another network ({init.network}) than the recipe asks for "
            f"({recipe.network}); use --init scratch, or the recipe of that checkpoint"
        )
    if init.facts.class_names != cases.facts.class_names:
        raise UsageError(
            f"--init {init.path} knows the classes {init.facts.class_names}, "
            f"{cases.path} has {cases.facts.class_names}; use --init scratch"
        )


def labeled_volumes(cases: Cases, shelf: Shelf) -> list[LabeledVolume]:
    """Read every labeled case."""
    read = (cases.read_labeled(name) for name in cases.labeled)
    return [LabeledVolume(shelf.put(case.image), shelf.put(case.label)) for case in read]


def unlabeled_volumes(cases: Cases, shelf: Shelf) -> list[UnlabeledVolume]:
    """Read the image of every unlabeled case."""
    read = (cases.read_unlabeled(name) for name in cases.unlabeled)
    return [UnlabeledVolume(shelf.put(case.image)) for case in read]


def pseudo_labeled_volumes(
    cases: Cases, pseudo: PseudoLabels, names: Sequence[str], options: Retrain, shelf: Shelf
) -> list[UnlabeledVolume]:
    """Read these unlabeled cases with what the generalist said about them."""
    return [
        UnlabeledVolume(
            shelf.put(cases.read_unlabeled(name).image),
            shelf.put(targets(pseudo.read(name), options)),
        )
        for name in names
    ]


def targets(pseudo: PseudoLabel, options: Retrain) -> NDArray[np.float16]:
    """Foreground probabilities and, last, the weight of each voxel: (classes - 1 + 1, I, J, K).

    The weight is 0 where the answer was rejected, or the likeliest class is less probable than
    `min_confidence`; else that probability (`sam_voxel_weight` "confidence") or 1 ("accepted").
    """
    winning = pseudo.confidence.max(axis=0)
    # `min_confidence` in half precision, as the probabilities are, so that 0.9 is not below 0.9
    is_sure = winning >= np.float16(options.min_confidence)
    weight = (pseudo.acceptance * is_sure).astype(np.float16)
    if options.sam_voxel_weight == "confidence":
        weight *= winning
    targets: NDArray[np.float16] = np.concatenate([pseudo.confidence[1:], weight[None]])
    return targets.astype(np.float16)
