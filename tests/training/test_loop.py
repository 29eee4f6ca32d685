import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from samssl_cli.artifacts.checkpoint import Snapshot
from samssl_cli.errors import TrainingError
from samssl_cli.methods import METHODS
from samssl_cli.methods.method import Batch, Method, PseudoLabelTerm
from samssl_cli.methods.supervised import Supervised
from samssl_cli.networks import build_network
from samssl_cli.progress import Silent
from samssl_cli.recipe import Augmentation, Network, Training
from samssl_cli.registry import load
from samssl_cli.training import loop
from samssl_cli.training.ahead import Ahead
from samssl_cli.training.average import Averaged
from samssl_cli.training.batches import PatchStreams
from samssl_cli.training.loop import Hooks, fit

TERM = PseudoLabelTerm("dice-ce", weight=1.0, schedule="ramp-down", ramp_steps=6)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv3d(1, 4, 3, padding=1), nn.BatchNorm3d(4), nn.ReLU(), nn.Dropout(0.2),
        nn.Conv3d(4, 2, 1),
    )  # fmt: skip


def student(method: str, seed: int = 0) -> nn.Module:
    """A network that the method can train."""
    if not METHODS[method].needs_decoder:
        return network(seed)
    torch.manual_seed(seed)
    small = Network(channels=(2, 2, 2), norm="batch", dropout=0.2)
    return build_network(small, in_channels=1, num_classes=2)


def options(**changes) -> Training:
    return Training(
        **{"steps": 6, "patch_size": (8, 8, 8), "learning_rate": 0.02, "mixed_precision": False}
        | changes
    )


@dataclass
class Run:
    """One training, with everything it called back."""

    saved: list[Snapshot] = field(default_factory=list)
    steps: list[tuple[int, dict[str, float]]] = field(default_factory=list)

    def fit(
        self,
        method: Method,
        streams: PatchStreams,
        training: Training,
        *,
        stop_after: int | None = None,
        resume: Snapshot | None = None,
    ) -> Snapshot:
        hooks = Hooks(
            save=self.saved.append,
            is_stopping=lambda: len(self.steps) == stop_after,
            progress=Silent(),
            on_step=lambda step, losses: self.steps.append((step, dict(losses))),
        )
        return fit(
            method,
            streams,
            options=training,
            seed=3,
            device=torch.device("cpu"),
            resume=resume,
            hooks=hooks,
        )


@pytest.fixture
def make_streams(labeled, pseudo_labeled, unlabeled) -> Callable[..., PatchStreams]:
    def make(training: Training, *, has_pseudo: bool = False) -> PatchStreams:
        return PatchStreams(
            labeled,
            pseudo_labeled if has_pseudo else unlabeled,
            options=training,
            augmentation=Augmentation(flip_axes=(0,)),
            seed=3,
            device=torch.device("cpu"),
        )

    return make


def assert_equal(a: Snapshot, b: Snapshot) -> None:
    assert a.step == b.step
    for kind in ("modules", "optimizer", "curves", "scaler"):
        np.testing.assert_equal(getattr(a, kind), getattr(b, kind))


def test_training_lowers_the_loss(make_streams):
    training = options(steps=20, schedule="constant")
    final = Run().fit(Supervised(network(), {}, steps=20), make_streams(training), training)
    curve = final.curves["supervised"]
    assert len(curve) == 20
    assert curve[-5:].mean() < 0.7 * curve[:5].mean()


@pytest.mark.parametrize("stop_after", [1, 4])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("name", METHODS)
def test_an_interrupted_and_resumed_run_equals_an_undisturbed_one(
    name, optimizer, stop_after, make_streams
):
    # Patches, dropout and noise are drawn anew from seed and step; everything else is in the state.
    training = options(optimizer=optimizer)
    part, streams = load(METHODS, name, kind="method"), make_streams(training)
    whole = Run().fit(part(student(name), {}, steps=6), streams, training)

    first = Run()
    stopped = first.fit(part(student(name), {}, steps=6), streams, training, stop_after=stop_after)
    other = part(student(name, seed=9), {}, steps=6)  # its weights have to come from the snapshot
    resumed = Run().fit(other, make_streams(training), training, resume=stopped)

    assert stopped.step == stop_after
    assert_equal(first.saved[-1], stopped)
    assert_equal(resumed, whole)


@pytest.mark.parametrize("name", METHODS)
def test_a_resumed_run_with_pseudo_labels_equals_an_undisturbed_one(name, make_streams):
    training = options()
    part = load(METHODS, name, kind="method")

    def method(seed: int) -> Method:
        return part(student(name, seed), {}, steps=6, pseudo_term=TERM)

    streams = make_streams(training, has_pseudo=True)
    whole = Run().fit(method(0), streams, training)
    stopped = Run().fit(method(0), streams, training, stop_after=3)

    assert set(whole.curves) >= {"supervised", "sam"}
    assert_equal(Run().fit(method(9), streams, training, resume=stopped), whole)


@pytest.mark.parametrize("name", ["supervised", "mean-teacher", "cps", "bcp", "mc-net", "ad-mt"])
def test_an_average_changes_no_training_and_resumes_with_it(name, make_streams):
    training = options()
    streams = make_streams(training)

    def method(seed: int) -> Method:
        return load(METHODS, name, kind="method")(student(name, seed), {}, steps=6)

    plain = Run().fit(method(0), streams, training)
    whole = Run().fit(Averaged(method(0), decay=0.5), streams, training)
    stopped = Run().fit(Averaged(method(0), decay=0.5), streams, training, stop_after=3)
    resumed = Run().fit(Averaged(method(9), decay=0.5), streams, training, resume=stopped)

    assert_equal(resumed, whole)
    followed = {key: tensors for key, tensors in whole.modules.items() if key != "average"}
    np.testing.assert_equal(followed, plain.modules)
    with pytest.raises(AssertionError):
        np.testing.assert_equal(whole.modules["average"], whole.modules["student"])


def test_noise_and_dropout_do_not_depend_on_the_random_state_before(make_streams):
    training = options(steps=2)
    runs = []
    for seed in (1, 2):
        method = load(METHODS, "uamt", kind="method")(network(), {}, steps=2)
        torch.manual_seed(seed)
        runs.append(Run().fit(method, make_streams(training), training))
    assert_equal(*runs)


def test_the_state_is_saved_at_regular_steps_and_at_the_end(make_streams):
    training = options(steps=7, checkpoint_every=3)
    run = Run()
    run.fit(Supervised(network(), {}, steps=7), make_streams(training), training)
    assert [snapshot.step for snapshot in run.saved] == [3, 6, 7]


def test_a_signal_at_the_last_step_comes_too_late(make_streams):
    training = options(steps=2, checkpoint_every=9)
    run = Run()
    final = run.fit(
        Supervised(network(), {}, steps=2), make_streams(training), training, stop_after=2
    )
    assert final.step == 2
    assert [snapshot.step for snapshot in run.saved] == [2]


def test_every_step_is_told_with_its_loss_terms(make_streams):
    training = options(steps=3)
    run = Run()
    method = load(METHODS, "mean-teacher", kind="method")(network(), {}, steps=3)
    final = run.fit(method, make_streams(training), training)
    assert [step for step, _ in run.steps] == [1, 2, 3]
    told = [losses["consistency"] for _, losses in run.steps]
    assert told == pytest.approx(final.curves["consistency"].tolist())


class Broken(Supervised):
    """Its loss is not a number at some calls."""

    def __init__(self, student: nn.Module, *, bad_calls: range) -> None:
        super().__init__(student, {}, steps=20)
        self.bad_calls, self.calls, self.moved = bad_calls, count(), []

    def forward(self, batch: Batch, step: int) -> dict[str, Tensor]:
        losses = super().forward(batch, step)
        is_bad = next(self.calls) in self.bad_calls
        return {name: loss * float("nan") for name, loss in losses.items()} if is_bad else losses

    def after_step(self, step: int) -> None:
        self.moved.append(step)


def test_a_step_whose_loss_is_not_finite_is_skipped(make_streams):
    training = options(steps=7)
    method = Broken(network(), bad_calls=range(1, 5))  # four in a row are borne
    final = Run().fit(method, make_streams(training), training)
    assert np.isnan(final.curves["supervised"]).tolist() == [False] + [True] * 4 + [False] * 2
    assert method.moved == [0, 5, 6]
    assert all(np.isfinite(array).all() for array in final.modules["student"].values())


def test_five_bad_losses_in_a_row_end_the_training(make_streams):
    training = options(steps=20, checkpoint_every=1)
    run = Run()
    method = Broken(network(), bad_calls=range(2, 20))
    with pytest.raises(TrainingError, match=r"not finite in 5 steps.*lower learning_rate"):
        run.fit(method, make_streams(training), training)
    # Steps 3 to 6 were skipped, the seventh was one too many: the state after step 2 is the last.
    assert [snapshot.step for snapshot in run.saved] == [1, 2]


def test_large_gradients_are_clipped(make_streams):
    # One step of plain SGD with rate 1 moves the weights by the gradient, of norm 1/8 at most.
    training = options(
        steps=1, optimizer="sgd", learning_rate=1.0, momentum=0.0, weight_decay=0.0,
        max_gradient_norm=0.125,
    )  # fmt: skip
    student = network()
    before = torch.cat([p.detach().flatten().clone() for p in student.parameters()])
    Run().fit(Supervised(student, {}, steps=1), make_streams(training), training)
    after = torch.cat([p.detach().flatten() for p in student.parameters()])
    assert (after - before).norm().item() == pytest.approx(0.125, rel=1e-3)


class Pair(Supervised):
    """Two networks, one of which is fed gradients a thousand times as large."""

    def __init__(self) -> None:
        super().__init__(network(0), {}, steps=6)
        self.second, self.frozen = network(1), network(2)

    def modules(self) -> dict[str, nn.Module]:
        return {"student": self.student, "second": self.second, "frozen": self.frozen}

    def trained(self) -> dict[str, nn.Module]:
        return {"student": self.student, "second": self.second}

    def forward(self, batch: Batch, step: int) -> dict[str, Tensor]:
        networks = (self.student, self.second, self.frozen)
        first, second, third = (one(batch.labeled_image).square().mean() for one in networks)
        return {"first": first, "second": 1000 * second, "third": third}


def weights(module: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten().clone() for p in module.parameters()])


def test_every_trained_network_moves_and_is_clipped_by_itself(make_streams):
    training = options(
        steps=1, optimizer="sgd", learning_rate=1.0, momentum=0.0, weight_decay=0.0,
        max_gradient_norm=0.125,
    )  # fmt: skip
    method = Pair()
    before = [weights(module) for module in method.modules().values()]
    Run().fit(method, make_streams(training), training)
    after = [weights(module) for module in method.modules().values()]
    moved = [(b - a).norm().item() for a, b in zip(before, after, strict=True)]
    # One common norm would leave the student a thousandth of the step.
    assert moved == pytest.approx([0.125, 0.125, 0.0], rel=1e-3)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_several_trained_networks_resume_with_their_optimiser(optimizer, make_streams):
    training = options(optimizer=optimizer)
    streams = make_streams(training)
    whole = Run().fit(Pair(), streams, training)
    stopped = Run().fit(Pair(), streams, training, stop_after=3)
    assert_equal(Run().fit(Pair(), streams, training, resume=stopped), whole)


class LosesOne(Pair):
    """A trained network that would not be saved."""

    def modules(self) -> dict[str, nn.Module]:
        return {"student": self.student, "second": copy.deepcopy(self.second)}


def test_what_is_trained_has_to_be_saved(make_streams):
    training = options()
    with pytest.raises(AssertionError, match="has to be saved"):
        Run().fit(LosesOne(), make_streams(training), training)


@pytest.mark.parametrize("name", METHODS)
def test_bfloat16_on_a_cpu_follows_the_curve_of_full_precision(name, make_streams):
    curves = []
    for cpu_bfloat16 in (False, True):
        training = options(steps=4, cpu_bfloat16=cpu_bfloat16)
        method = load(METHODS, name, kind="method")(student(name), {}, steps=4)
        curves.append(Run().fit(method, make_streams(training), training).curves)
    full, half = curves
    assert full.keys() == half.keys()
    assert not all(np.array_equal(full[term], half[term]) for term in full)
    for term in full:
        assert half[term].dtype == np.float32
        np.testing.assert_allclose(half[term][0], full[term][0], rtol=0.02, atol=0.01)
        loose = 0.5 if name == "dan" else 0.1  # adversarial: small differences grow
        np.testing.assert_allclose(half[term], full[term], rtol=loose, atol=0.02)


def test_a_bfloat16_run_resumes_to_the_same_weights_in_full_precision(make_streams):
    training = options(cpu_bfloat16=True)
    stopped = Run()
    stopped.fit(Supervised(network(), {}, steps=6), make_streams(training), training, stop_after=3)
    [saved] = stopped.saved
    again = Supervised(network(1), {}, steps=6)
    final = Run().fit(again, make_streams(training), training, resume=saved)
    whole = Run().fit(Supervised(network(), {}, steps=6), make_streams(training), training)
    assert_equal(final, whole)
    for tensors in final.modules.values():
        assert {a.dtype for n, a in tensors.items() if "num_batches" not in n} == {np.dtype("f4")}


def test_batches_that_are_prepared_ahead_train_the_same(make_streams):
    training = options(steps=6)
    plain, ahead = (
        Run().fit(Supervised(network(), {}, steps=6), streams, training)
        for streams in (make_streams(training), Ahead(make_streams(training)))
    )
    assert_equal(plain, ahead)


def test_a_bad_step_is_skipped_where_gradients_are_scaled(make_streams, monkeypatch):
    monkeypatch.setattr(loop, "_has_bfloat16", lambda device: False)
    training = options(steps=7, cpu_bfloat16=True)
    method = Broken(network(), bad_calls=range(1, 5))
    final = Run().fit(method, make_streams(training), training)
    assert final.scaler["scale"] < 65536  # as it began: every bad step halves it
    assert np.isnan(final.curves["supervised"]).tolist() == [False] + [True] * 4 + [False] * 2
    assert all(np.isfinite(array).all() for array in final.modules["student"].values())
