from math import log

import pytest
import torch

from samssl_cli.methods.dan import DeepAdversarialNetwork, Evaluator, reverse_gradient
from samssl_cli.methods.method import Batch


@pytest.fixture
def batch() -> Batch:
    torch.manual_seed(1)
    labeled, unlabeled = torch.randn(1, 3, 4, 4, 4), torch.randn(2, 3, 4, 4, 4)
    return Batch(labeled, torch.randint(3, (1, 4, 4, 4)), unlabeled, unlabeled)


@pytest.fixture
def adversaries(image_as_logits) -> DeepAdversarialNetwork:
    """Three image channels, which are the logits of three classes; the weight is 0.1 at the end."""
    torch.manual_seed(0)
    return DeepAdversarialNetwork(image_as_logits, {}, steps=100, in_channels=3, num_classes=3)


def test_an_evaluator_that_cannot_tell_pays_ln_2_twice(adversaries, batch):
    for parameter in adversaries.evaluator.head.parameters():
        parameter.data.zero_()
    assert adversaries.forward(batch, 0)["adversary"].item() == pytest.approx(2 * log(2))


def test_the_loss_is_the_cross_entropy_of_labeled_with_1_and_unlabeled_with_0(
    adversaries, batch, monkeypatch
):
    answers = iter([torch.tensor([log(3)]), torch.tensor([0.0, log(3)])])
    monkeypatch.setattr(adversaries.evaluator, "forward", lambda p, x: next(answers))
    # -ln 3/4, and the mean of -ln 1/2 and -ln 1/4
    expected = log(4 / 3) + (log(2) + log(4)) / 2
    assert adversaries.forward(batch, 0)["adversary"].item() == pytest.approx(expected)


def test_the_gradient_is_turned_round_and_scaled():
    value = torch.tensor([2.0, -1.0], requires_grad=True)
    passed = reverse_gradient(value, 0.25)
    (passed**2).sum().backward()
    assert passed.tolist() == [2.0, -1.0]
    assert value.grad.tolist() == [-1.0, 0.5]  # -0.25 * 2 * value


def test_the_student_ascends_what_the_evaluator_descends(adversaries, batch):
    # By finite differences of the loss itself, which knows nothing of the reversal.
    gain, evaluator = adversaries.student.gain, adversaries.evaluator.double()
    adversaries.student.double()

    def loss(value: float) -> float:
        logits = value * batch.unlabeled_image.double()
        fooled = evaluator(logits.softmax(1), batch.unlabeled_image.double())
        return torch.nn.functional.softplus(fooled).mean().item()

    logits = gain * batch.unlabeled_image.double()
    wide = Batch(
        batch.labeled_image.double(), batch.label,
        batch.unlabeled_image.double(), batch.unlabeled_image.double(),
    )  # fmt: skip
    adversaries.adversary(wide, wide.labeled_image, logits, 100).backward()
    slope = (loss(1 + 1e-5) - loss(1 - 1e-5)) / 2e-5
    assert abs(slope) > 1e-6
    assert gain.grad.item() == pytest.approx(-0.1 * slope, rel=1e-4)


def test_the_evaluator_learns_fully_whatever_the_students_weight(adversaries, batch):
    gradients = []
    for step in (0, 100):
        adversaries.evaluator.zero_grad()
        adversaries.forward(batch, step)["adversary"].backward()
        gradients.append(adversaries.evaluator.head.weight.grad.clone())
    assert torch.equal(*gradients)
    assert gradients[0].abs().max() > 1e-3


def test_labeled_segmentations_get_no_gradient_from_it(adversaries, batch):
    labeled = batch.labeled_image.clone().requires_grad_()
    unlabeled = batch.unlabeled_image.clone().requires_grad_()
    adversaries.adversary(batch, labeled, unlabeled, 100).backward()
    assert labeled.grad is None
    assert unlabeled.grad.abs().max() > 0


def test_gradients_of_the_evaluator_are_those_of_finite_differences():
    torch.manual_seed(0)
    evaluator = Evaluator(3).double()
    probability = torch.randn(2, 2, 2, 3, 2, dtype=torch.float64).softmax(1).requires_grad_()
    image = torch.randn(2, 1, 2, 3, 2, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda p: evaluator(p, image), (probability,))


@pytest.mark.parametrize("size", [(1, 1, 2), (16, 16, 16), (20, 8, 4)])
def test_patches_of_any_size_give_one_logit_each(size):
    evaluator = Evaluator(3)
    assert evaluator(torch.rand(2, 2, *size), torch.rand(2, 1, *size)).shape == (2,)


def test_both_networks_are_trained_and_the_student_predicts(adversaries):
    assert set(adversaries.trained()) == {"student", "evaluator"}
    assert adversaries.predictor() is adversaries.student
