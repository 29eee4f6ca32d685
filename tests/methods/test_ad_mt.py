from math import exp, log

import pytest
import torch
from torch import nn

from samssl_cli.methods.ad_mt import (
    AlternateDiverseTeachers,
    Settled,
    Turns,
    entropy_bits,
    settled,
)
from samssl_cli.methods.method import PseudoLabel, PseudoLabelTerm

HALF, SURE, OTHER = (0.5, 0.5), (0.0, 1.0), (0.75, 0.25)


def voxels(*values: tuple[float, ...]) -> torch.Tensor:
    """One patch with a voxel per value: (1, classes, 1, 1, N)."""
    return torch.tensor(values).T[None, :, None, None, :].clone()


def teach(student: nn.Module, **options) -> AlternateDiverseTeachers:
    return AlternateDiverseTeachers(student, options, steps=100)


def set_turns(method: AlternateDiverseTeachers, *, is_first: bool) -> None:
    method.turns.is_first.fill_(is_first)


def test_entropy_in_bits():
    # A coin: 1. (3/4, 1/4): 3/4 log2(4/3) + 1/4 * 2 = 0.8113.
    found = entropy_bits(voxels(HALF, SURE, OTHER)).ravel().tolist()
    assert found == pytest.approx([1.0, 0.0, 0.8113], abs=1e-4)


def test_the_surer_teacher_weighs_more():
    # Weights exp(-1) and exp(0): the mean is (s/2, 1 - s/2), s = 1 / (1 + e).
    found = settled(voxels(HALF), voxels(SURE), voxels(HALF))
    assert found.label.item() == 1
    assert found.confidence.item() == pytest.approx(1 - 0.5 / (1 + exp(1)))


@pytest.mark.parametrize(
    ("student", "label", "confidence"),
    [
        # The teachers (3/4, 1/4) and (0, 1) weigh exp(-0.8113) and 1: shares 0.3076 and 0.6924,
        # class 1 with 0.3076 / 4 + 0.6924 = 0.7693.
        pytest.param((0.7, 0.3), 1, 0.7693, id="less-sure"),
        pytest.param((0.8, 0.2), 0, 0.8, id="surer"),
        pytest.param((0.1, 0.9), 1, 0.7693, id="of-one-mind"),
    ],
)
def test_a_student_that_is_surer_settles_a_conflict(student, label, confidence):
    found = settled(voxels(OTHER), voxels(SURE), voxels(student))
    assert found.is_conflict.item()
    assert found.label.item() == label
    assert found.confidence.item() == pytest.approx(confidence, abs=1e-4)


def test_without_a_conflict_the_student_has_no_say():
    found = settled(voxels((0.4, 0.6)), voxels((0.4, 0.6)), voxels((0.99, 0.01)))
    assert not found.is_conflict.item()
    assert (found.label.item(), found.confidence.item()) == (1, pytest.approx(0.6))


def target(*, confidence: tuple[float, ...], is_conflict: tuple[bool, ...]) -> Settled:
    shape = (1, 1, 1, len(confidence))
    return Settled(
        torch.ones(shape, dtype=torch.int64),
        torch.tensor(confidence).view(shape),
        torch.tensor(is_conflict).view(shape),
    )


def test_only_sure_voxels_count(constant):
    # Cross-entropy ln 2 and ln 4/3 where sure; the third voxel is not.
    logits = voxels(HALF, (0.25, 0.75), (0.9, 0.1)).log().requires_grad_()
    given = target(confidence=(0.9, 0.8, 0.79), is_conflict=(False, True, False))
    loss = teach(constant(0.0, 0.0)).settled_loss(logits, given)
    loss.backward()
    assert loss.item() == pytest.approx((log(2) + log(4 / 3)) / 2)
    assert logits.grad[..., :2].abs().min() > 0.1
    assert (logits.grad[..., 2] == 0).all()


def test_voxels_in_conflict_can_weigh_less(constant):
    logits = voxels(HALF, (0.25, 0.75)).log()
    given = target(confidence=(0.9, 0.9), is_conflict=(False, True))
    loss = teach(constant(0.0, 0.0), conflict_weight=0.5).settled_loss(logits, given)
    assert loss.item() == pytest.approx((log(2) + 0.5 * log(4 / 3)) / 1.5)


def test_without_a_sure_voxel_the_term_is_0(constant):
    logits = torch.zeros(1, 2, 1, 1, 1, requires_grad=True)
    given = target(confidence=(0.5,), is_conflict=(True,))
    loss = teach(constant(0.0, 0.0)).settled_loss(logits, given)
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


def test_gradcheck(constant):
    torch.manual_seed(0)
    logits = torch.randn(1, 3, 1, 1, 2, dtype=torch.double, requires_grad=True)
    given = target(confidence=(0.9, 0.8), is_conflict=(False, True))
    method = teach(constant(0.0, 0.0), conflict_weight=0.5)
    assert torch.autograd.gradcheck(lambda given_to: method.settled_loss(given_to, given), logits)


def test_the_term_teaches_the_student_alone(constant, make_batch):
    method = teach(constant(0.0, log(9)))  # (0.1, 0.9): sure enough
    losses = method.forward(make_batch(), 100)
    losses["consistency"].backward()
    assert losses["consistency"].item() == pytest.approx(2 * log(10 / 9))
    assert method.student.logits.grad.abs().min() > 1e-2
    assert method.teacher.logits.grad is None
    assert method.second_teacher.logits.grad is None


@pytest.mark.parametrize(
    ("is_first", "expected"),
    [
        # The plain patch says (0.1, 0.9), which both teachers and the student see. The augmented
        # one says (1/2, 1/2) and costs ln 2; with nothing to paste from, the mixed one is plain.
        pytest.param(True, 2 * log(2), id="augmented"),
        pytest.param(False, 2 * log(10 / 9), id="pasted"),
    ],
)
def test_each_turn_has_its_own_view(is_first, expected, image_as_logits, make_batch):
    method = teach(image_as_logits)
    set_turns(method, is_first=is_first)
    plain = torch.tensor([0.0, log(9)]).view(1, 2, 1, 1, 1).expand(1, 2, 1, 1, 2)
    batch = make_batch(torch.zeros(1, 2, 1, 1, 2), plain=plain)
    assert method.forward(batch, 100)["consistency"].item() == pytest.approx(expected)


def test_a_pasted_target_lies_where_its_voxels_do(image_as_logits, make_batch, monkeypatch):
    # Two patches that say the opposite. The teachers contradict each other everywhere, so that the
    # student decides; it is sure of what it sees, which costs nothing wherever the boxes lie.
    # Published code leaves the student's prediction behind, which would cost 20 per voxel.
    method = teach(image_as_logits)
    method.second_teacher.gain.data.fill_(-1.0)
    set_turns(method, is_first=False)
    says = torch.tensor([[10.0, -10.0], [-10.0, 10.0]]).view(2, 2, 1, 1, 1).expand(2, 2, 1, 1, 2)
    boxes = torch.tensor([True, False]).expand(2, 1, 1, 2)
    monkeypatch.setattr(method, "draw_boxes", lambda patches: (boxes, torch.tensor([1, 0])))
    loss = method.forward(make_batch(says.clone()), 100)["consistency"]
    assert loss.item() == pytest.approx(0, abs=1e-6)


def test_turns_last_between_one_step_and_the_longest():
    torch.manual_seed(0)
    turns = Turns(500, 7).is_first
    changes = (turns[1:] != turns[:-1]).nonzero().ravel() + 1
    lengths = changes.diff()
    assert turns[0]
    assert len(turns) == 500
    assert (lengths.min().item(), lengths.max().item()) == (1, 7)


def test_only_the_teacher_whose_turn_it_is_follows(constant):
    method = teach(constant(0.0))
    method.turns.is_first[:4] = torch.tensor([True, True, False, False])
    for step in range(4):
        method.student.logits.data.fill_(step + 1.0)
        method.after_step(step)
    # decays 0, 0, 1/2, 1/2. First: 1, then 2. Second: (0 + 3) / 2, then (1.5 + 4) / 2.
    assert method.teacher.logits.item() == pytest.approx(2.0)
    assert method.second_teacher.logits.item() == pytest.approx(2.75)


@pytest.mark.parametrize("name", ["student", "teacher", "second_teacher"])
def test_predict_with(name, constant):
    method = teach(constant(0.0, 0.0), predict_with=name)
    assert method.predictor() is method.modules()[name]
    assert set(method.trained()) == {"student"}


@pytest.mark.parametrize(("step", "expected"), [(0, 2 * exp(-5)), (40, 2.0), (99, 2.0)])
def test_the_weight_of_the_term(step, expected, constant):
    assert teach(constant(0.0, 0.0)).weight_at(step) == pytest.approx(expected)


def test_pseudo_labels_go_with_the_plain_patch(image_as_logits, make_batch):
    term = PseudoLabelTerm("mse", weight=1.0, schedule="constant", ramp_steps=0)
    method = AlternateDiverseTeachers(image_as_logits, {}, steps=100, pseudo_term=term)
    plain = torch.tensor([0.0, log(3)]).view(1, 2, 1, 1, 1).expand(1, 2, 1, 1, 2)
    pseudo = PseudoLabel(torch.full((1, 2, 1, 1, 2), 0.5), torch.ones(1, 1, 1, 2))
    batch = make_batch(torch.zeros(1, 2, 1, 1, 2), plain=plain, pseudo=pseudo)
    losses = method.forward(batch, 100)
    assert losses["sam"].item() == pytest.approx(1 / 16)  # (1/4, 3/4) against (1/2, 1/2)
