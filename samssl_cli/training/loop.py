"""The training loop: the same for every method, resumable after any step."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from samssl_cli.artifacts.checkpoint import Snapshot
from samssl_cli.artifacts.forms import understanding_what_is_left
from samssl_cli.errors import TrainingError
from samssl_cli.progress import Progress
from samssl_cli.recipe import Optimization
from samssl_cli.training.optimization import build_optimizer, learning_rate_at
from samssl_cli.training.shared import share_passes
from samssl_cli.training.state import restore, take_snapshot
from samssl_cli.training.team import Team

_MOST_BAD_STEPS = 5

AnyBatch = TypeVar("AnyBatch")
Given = TypeVar("Given", covariant=True)
Taken = TypeVar("Taken", contravariant=True)


class Batches(Protocol[Given]):
    """Where the batches of a training come from."""

    def batch(self, step: int) -> Given:
        """The batch of a step: the same at every call."""


class Learner(Protocol[Taken]):
    """What is trained: a method of the METHODS table, or anything else with named losses."""

    def modules(self) -> dict[str, nn.Module]:
        """Every network whose weights are part of the state."""

    def trained(self) -> dict[str, nn.Module]:
        """Those of them whose parameters are optimised."""

    def forward(self, batch: Taken, step: int) -> dict[str, Tensor]:
        """The weighted loss terms of one step; their sum is to be minimised."""

    def after_step(self, step: int) -> None:
        """Update what follows the student."""


@dataclass(frozen=True)
class Hooks:
    """What the loop calls back while it runs."""

    save: Callable[[Snapshot], None]
    """Keep a state to resume from."""
    is_stopping: Callable[[], bool]
    """Whether a signal asked to stop after this step."""
    progress: Progress
    on_step: Callable[[int, Mapping[str, float]], None] = field(default=lambda step, losses: None)
    """Told the loss terms of every step, for instance for TensorBoard, before it may be saved."""
    title: str = "training"
    """Of the bar."""


def fit(
    method: Learner[AnyBatch],
    streams: Batches[AnyBatch],
    *,
    options: Optimization,
    seed: int,
    device: torch.device,
    resume: Snapshot | None,
    hooks: Hooks,
    last_step: int | None = None,
    team: Team | None = None,
) -> Snapshot:
    """Train until `options.steps` are done or a signal arrives, and give the state then.

    With `last_step` it ends there already, as the first part of a longer training: the rate falls
    as if all steps were still to come.

    Random draws of a step depend on the seed and the step alone; together with the snapshot that
    makes a resumed run equal to an undisturbed one, to the last bit on a CPU.

    A team shares the work of each step. All its ranks call this with the same arguments, `save`
    and `is_stopping` apart, whose answer has to be the same on all of them.

    Raises:
        TrainingError: when the loss is not finite several steps in a row; the last state stays.
        DamagedArtifactError: when the state to go on from is none of this training.
    """
    run = _Run(method, options, device, team or Team())
    if resume is not None:
        run.restore(resume)
        hooks.progress.note(f"resumed after step {resume.step}")
    end = options.steps if last_step is None else last_step
    hooks.progress.start(hooks.title, total=end, done=run.step)
    while run.step < end:
        torch.manual_seed(_step_seed(seed, run.step))  # dropout and noise
        losses = run.advance(streams)
        hooks.progress.advance(losses)
        hooks.on_step(run.step, losses)
        is_stopping = hooks.is_stopping() and run.step < end
        is_due = run.step % options.checkpoint_every == 0 or run.step == end
        if (is_stopping or is_due) and run.is_sound:
            hooks.save(run.snapshot())
        if is_stopping:
            break
    return run.snapshot()


class _Run(Generic[AnyBatch]):
    """The moving parts of one training."""

    def __init__(
        self, method: Learner[AnyBatch], options: Optimization, device: torch.device, team: Team
    ) -> None:
        self.step = 0
        self._method, self._options, self._device = method, options, device
        self._team = team
        self._parameters = _trained_parameters(method)
        self._optimizer = build_optimizer(chain(*self._parameters), options)
        on_cpu = options.cpu_bfloat16 and device.type == "cpu"
        self._is_mixed = on_cpu or (options.mixed_precision and device.type == "cuda")
        self._half = torch.bfloat16 if _has_bfloat16(device) else torch.float16
        self._scaler = torch.amp.GradScaler(
            device.type, enabled=self._is_mixed and self._half == torch.float16
        )
        self._curves: dict[str, NDArray[np.float32]] = defaultdict(
            lambda: np.full(options.steps, np.nan, np.float32)
        )
        self._bad_steps = 0
        for module in method.modules().values():
            module.train()
        share_passes(method.modules(), team)

    def advance(self, streams: Batches[AnyBatch]) -> dict[str, float]:
        """Take one step and give its loss terms."""
        rate = learning_rate_at(self.step, self._options)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        batch = streams.batch(self.step)
        buffers = self._buffers()
        before = [buffer.clone() for buffer in buffers]
        with torch.autocast(self._device.type, dtype=self._half, enabled=self._is_mixed):
            losses = self._method.forward(batch, self.step)
        terms = torch.stack(list(losses.values()))
        norms = self._gradients(terms.sum())
        # Only here is the device waited for: the backward pass is in its queue by now.
        *found, largest = torch.stack([*terms.detach().float(), norms.max().float()]).tolist()
        values = dict(zip(losses, found, strict=True))
        for name, value in values.items():
            self._curves[name][self.step] = value
        is_bad = self._team.largest(int(not np.isfinite(found).all()))
        if self._descend(is_bad=bool(is_bad), is_steep=not math.isfinite(largest)):
            self._bad_steps = 0
            self._method.after_step(self.step)
        else:  # batch normalisation has already averaged what was not finite into its statistics
            for buffer, kept in zip(buffers, before, strict=True):
                buffer.copy_(kept)
            self._count_bad_step(values)
        self.step += 1
        return values

    @property
    def is_sound(self) -> bool:
        """Whether the last step was taken.

        A state between skipped steps is not kept: whoever resumed there would count them anew, and
        a training that has to give up would crawl on, a few steps with every attempt.
        """
        return not self._bad_steps

    def _buffers(self) -> list[Tensor]:
        return [b for module in self._method.modules().values() for b in module.buffers()]

    def _gradients(self, total: Tensor) -> Tensor:
        """Compute and clip them; the norm (n,) of each of the n networks, before it was clipped."""
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(total).backward()  # type: ignore[no-untyped-call]  # torch has no types here
        self._team.add_up_gradients(chain(*self._parameters))
        self._scaler.unscale_(self._optimizer)
        largest = self._options.max_gradient_norm or math.inf  # 0: not clipped, but looked at
        return torch.stack(
            [torch.nn.utils.clip_grad_norm_(one, largest) for one in self._parameters]
        )

    def _descend(self, *, is_bad: bool, is_steep: bool) -> bool:
        """Move what is trained, unless loss or gradient are not finite; tell whether it moved."""
        if is_bad or (is_steep and not self._scaler.is_enabled()):
            self._scaler.update()  # it has to know that these gradients are done with
            return False
        self._scaler.step(self._optimizer)  # skips by itself what overflowed in half precision
        self._scaler.update()
        return True

    def _count_bad_step(self, values: Mapping[str, float]) -> None:
        """Give up after several steps in a row that could not be taken."""
        self._bad_steps += 1
        if self._bad_steps >= _MOST_BAD_STEPS:
            raise TrainingError(
                f"loss or gradient was not finite in {_MOST_BAD_STEPS} steps up to step "
                f"{self.step} ({values}); the last saved state is kept. Try a lower "
                "learning_rate, or mixed_precision=false (cpu_bfloat16=false)"
            )

    def snapshot(self) -> Snapshot:
        return take_snapshot(
            self._method.modules(),
            self._optimizer,
            self._scaler,
            step=self.step,
            curves=self._curves,
        )

    def restore(self, snapshot: Snapshot) -> None:
        with understanding_what_is_left(snapshot.where or "the state to go on from"):
            if not 0 <= snapshot.step <= self._options.steps:
                raise ValueError(f"after step {snapshot.step} of {self._options.steps}")
            restore(snapshot, self._method.modules(), self._optimizer, self._scaler)
        self.step = snapshot.step
        for name, curve in snapshot.curves.items():
            self._curves[name][: len(curve)] = curve


def _trained_parameters(method: Learner[AnyBatch]) -> list[list[nn.Parameter]]:
    """The parameters to optimise, network by network: each network's gradient is clipped alone."""
    trained, saved = method.trained(), method.modules()
    assert all(saved.get(name) is module for name, module in trained.items()), "it has to be saved"
    found = [[p for p in module.parameters() if p.requires_grad] for module in trained.values()]
    return [parameters for parameters in found if parameters]


def _step_seed(seed: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> 1)


def _has_bfloat16(device: torch.device) -> bool:
    """Whether to take it; a CPU without instructions for it computes the same, slowly."""
    return device.type == "cpu" or torch.cuda.is_bf16_supported(including_emulation=False)
