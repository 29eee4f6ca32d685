"""What `adapt` does once its inputs are known: measure on left-out labels, train, seal."""

import copy
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.checkpoint import Snapshot, load_progress, save_progress
from samssl_cli.artifacts.forms import texts, understanding_what_is_left
from samssl_cli.artifacts.generalist import (
    fold_member,
    fold_weights_member,
    write_fold_weights,
    write_generalist,
)
from samssl_cli.artifacts.members import read_member
from samssl_cli.errors import DataError, Interrupted, UsageError
from samssl_cli.generalists.lesson import Trainable
from samssl_cli.recipe import Recipe
from samssl_cli.stages.adaptation_facts import BEFORE, Measured, about, all_checks, chosen, told
from samssl_cli.stages.asking import load_generalist
from samssl_cli.stages.checks import Checks, read_weights
from samssl_cli.stages.device import describe_hardware, pick_device
from samssl_cli.stages.run import Work
from samssl_cli.stages.which_generalist import Which
from samssl_cli.training.adaptation import Adaptation
from samssl_cli.training.exam import Exam
from samssl_cli.training.folds import Fold, make_folds
from samssl_cli.training.labeled_objects import LabeledObject, objects_of
from samssl_cli.training.lessons import make_lessons
from samssl_cli.training.loop import Hooks, fit
from samssl_cli.training.state import to_arrays
from samssl_cli.volumes.whole_file import writing


def adapt_and_seal(
    work: Work, cases: Cases, which: Which, digest: Mapping[str, str], *, seed: int, device: str
) -> None:
    """Choose the number of steps by cross-validation, train for that many, and seal.

    Raises:
        DataError: when no labeled case has an object.
        UsageError: when the generalist cannot be trained.
        Interrupted: after a signal, with the state saved.
    """
    course = _course(work, which, digest, seed=seed, device=device)
    objects = [one for case in cases.labeled for one in course.objects(cases, case)]
    if not objects:
        raise DataError(
            f"{cases.path}: no labeled case has an object of at least "
            f"adapt.min_component_voxels = {course.recipe.adapt.min_component_voxels} voxels"
        )
    folds = make_folds(objects, course.recipe.adapt.folds)
    measured = [course.measure(number, fold) for number, fold in enumerate(folds)]
    choice = chosen(course.recipe.adapt, measured)
    work.progress.note(told(choice, measured))
    if choice.steps:
        for number, fold in enumerate(folds):
            course.keep(number, fold, choice.steps)
        final = course.train(objects, "final", choice.steps, title="all labels")
        weights, curves = final.modules["average"], final.curves
    else:
        weights, curves = to_arrays(course.before), {}
    write_generalist(work.draft.root, weights, curves)
    work.draft.seal(
        {
            **about(cases, which, digest, choice, measured),
            "base_needed": digest["weights"] if course.generalist.keeps_base else None,
            "num_parameters": sum(array.size for array in weights.values()),
            "hardware": describe_hardware(course.device),
        }
    )


@dataclass(frozen=True)
class Course:
    """A generalist, the parts of it that are trained, and where states are kept."""

    work: Work
    generalist: Trainable[Any]
    parts: nn.Module
    before: Mapping[str, torch.Tensor]
    """The state of the parts before any training."""
    recipe: Recipe
    seed: int
    device: torch.device
    channel: int | None
    """The only one that `scout` is shown; None: all."""

    def objects(self, cases: Cases, name: str) -> list[LabeledObject]:
        """The objects of a labeled case."""
        case = cases.read_labeled(name)
        return objects_of(case, self.recipe.adapt)

    def measure(self, number: int, fold: Fold) -> Measured:
        """Train on the rest of a fold and ask about what is left out, unless that was done."""
        root, member = self.work.draft.root, fold_member(number)
        if not root.has(member):
            self.work.stop.raise_if_set()
            self._measure(number, fold)
        found = read_member(root.member(member))
        with understanding_what_is_left(root.member(member)):
            units, dice = texts(found.attributes["units"]), found.arrays["unit_dice"]
            num_checks = len(all_checks(self.recipe.adapt))
            if dice.shape != (num_checks, len(units)) or not np.isfinite(dice).all():
                raise ValueError(f"Dice of shape {dice.shape}, of {len(units)} units")
        return Measured(fold.left_out, units, dice)

    def _measure(self, number: int, fold: Fold) -> None:
        options, folder = self.recipe.adapt, f"fold-{number}"
        exam = Exam(fold, prompts_per_case=options.prompts_per_case, seed=self.seed)
        checks = Checks(self._checks_of(number), exam, self.generalist)
        self.parts.load_state_dict(self.before)
        checks.take(BEFORE)
        title = f"fold {number + 1}"
        self.train(fold.training, folder, options.steps, title=title, checks=checks)
        dice = np.stack([checks.read(step) for step in all_checks(options)])
        self.work.draft.root.write(
            fold_member(number),
            {"dice": dice, "unit_dice": exam.by_unit(dice)},
            {
                "left_out": fold.left_out,
                "units": list(exam.units),
                "steps": list(all_checks(options)),
                "asked": [_record(one.about) for one in exam.questions],
            },
        )
        with writing(scratch := self.work.draft.scratch() / folder):
            shutil.rmtree(scratch)

    def keep(self, number: int, fold: Fold, steps: int) -> None:
        """Keep the weights of a fold after so many steps, unless that was done.

        Their training ended later. Where what it left is gone, as when a damaged artifact is
        repaired, these steps are taken again.
        """
        root = self.work.draft.root
        if root.has(fold_weights_member(number)):
            return
        self.work.stop.raise_if_set()
        weights = read_weights(self._checks_of(number), steps)
        if weights is None:
            title, folder = f"fold {number + 1} again", f"fold-{number}-again"
            final = self.train(fold.training, folder, steps, title=title)
            weights = final.modules["average"]
        write_fold_weights(root, number, weights, cases=fold.cases, half=fold.half)

    def _checks_of(self, number: int) -> Path:
        return self.work.draft.scratch() / f"fold-{number}-checks"

    def train(
        self,
        objects: Sequence[LabeledObject],
        folder: str,
        steps: int,
        *,
        title: str,
        checks: Checks | None = None,
    ) -> Snapshot:
        """Train the parts as they were before on some objects, for that many of all steps.

        Raises:
            Interrupted: after a signal, with the state saved.
        """
        options, scratch = self.recipe.adapt, self.work.draft.scratch() / folder
        self.parts.load_state_dict(self.before)
        learner = Adaptation(self.generalist, self.parts, decay=options.average_decay)

        def on_step(step: int, losses: Mapping[str, float]) -> None:
            if checks is not None and step in options.checks:
                average = to_arrays(learner.modules()["average"].state_dict())
                with learner.averaged():
                    checks.take(step, average)

        final = fit(
            learner,
            make_lessons(
                self.generalist.learns_from,
                [self._shown(one) for one in objects],
                options=options,
                augmentation=self.recipe.augmentation,
                seed=self.seed,
                device=self.device,
            ),
            options=options,
            seed=self.seed,
            device=self.device,
            resume=load_progress(scratch),
            hooks=Hooks(
                save=lambda snapshot: save_progress(scratch, snapshot),
                is_stopping=lambda: self.work.stop.is_set,
                progress=self.work.progress,
                on_step=on_step,
                title=title,
            ),
            last_step=steps,
        )
        if final.step < steps:
            assert self.work.stop.signum is not None, "only a signal ends a training early"
            raise Interrupted(self.work.stop.signum)
        return final

    def _shown(self, one: LabeledObject) -> LabeledObject:
        """An object in the channels that the generalist is shown."""
        if self.channel is None or self.generalist.learns_from == "volumes":
            return one
        return replace(one, image=one.image[self.channel : self.channel + 1])


def _course(
    work: Work, which: Which, digest: Mapping[str, str], *, seed: int, device: str
) -> Course:
    generalist: Any = load_generalist(which, device, digest=digest, embeddings=None)
    if not isinstance(generalist, Trainable):
        raise UsageError(f"generalist {which.name} cannot be adapted: it has no `training_parts`")
    torch.manual_seed(seed)  # of the low-rank factors
    parts = generalist.training_parts(lora_rank=which.recipe.adapt.lora_rank)
    return Course(
        work=work,
        generalist=generalist,
        parts=parts,
        before=copy.deepcopy(parts.state_dict()),
        recipe=which.recipe,
        seed=seed,
        device=pick_device(device, work.progress),
        channel=which.recipe.sam_label.chosen_options.get("channel"),
    )


def _record(one: LabeledObject) -> dict[str, Any]:
    return {"case": one.case, "class_index": one.class_index, "component": one.component}
