from math import log

import pytest
import torch

from samssl_cli.methods.ict import InterpolationConsistency, blend
from samssl_cli.methods.losses import squared_error
from samssl_cli.methods.method import Batch


def test_blend_takes_its_share_of_a_patch_and_the_rest_of_the_next():
    values = torch.tensor([8.0, 0.0, 4.0]).view(3, 1, 1, 1, 1)
    share = torch.tensor([0.25, 0.5, 0.75]).view(3, 1, 1, 1, 1)
    # 1/4 of 8 and 3/4 of 0; 1/2 of 0 and of 4; 3/4 of 4 and 1/4 of 8
    assert blend(values, share).flatten().tolist() == [2.0, 2.0, 5.0]
    assert blend(values, share[:1]).flatten().tolist() == [2.0]


def test_consistency_is_the_weighted_squared_error(quarter, constant, make_batch):
    method = InterpolationConsistency(quarter, {}, steps=100)
    method.teacher.load_state_dict(constant(0.0, 0.0).state_dict())
    losses = method.forward(make_batch(), 100)
    # Any blend of (1/2, 1/2) is (1/2, 1/2); against (1/4, 3/4): 1/16
    assert losses["consistency"].item() == pytest.approx(0.1 / 16)


def unlabeled_batch(unlabeled: torch.Tensor) -> Batch:
    labeled = torch.full((1, 2, 1, 1, 1), 5.0)
    return Batch(labeled, torch.ones(1, 1, 1, 1, dtype=torch.int64), unlabeled, unlabeled)


def test_the_target_is_blended_like_the_image(image_as_logits):
    torch.manual_seed(0)
    method = InterpolationConsistency(image_as_logits, {"alpha": 1.0}, steps=100)
    logits = torch.tensor([[0.0, 0.0], [0.0, log(3)]]).view(2, 2, 1, 1, 1)

    mixed = method.mix(unlabeled_batch(logits))

    # Patch 0 is k * 0 + (1 - k) ln 3 in channel 1, its target k / 2 + (1 - k) 3/4; 1 the reverse.
    k = [1 - (mixed.image[0, 1] / log(3)).item(), (mixed.image[1, 1] / log(3)).item()]
    assert all(0.05 < share < 0.95 for share in k)
    assert k[0] != pytest.approx(k[1], abs=0.01)  # one share per patch
    expected = [k[0] / 2 + (1 - k[0]) * 3 / 4, k[1] * 3 / 4 + (1 - k[1]) / 2]
    assert mixed.target[:, 1].flatten().tolist() == pytest.approx(expected, abs=1e-5)
    assert mixed.target.sum(1).flatten().tolist() == pytest.approx([1, 1])
    assert not mixed.target.requires_grad


def test_a_patch_that_is_alone_is_blended_with_a_labeled_one(image_as_logits):
    torch.manual_seed(0)
    method = InterpolationConsistency(image_as_logits, {"alpha": 1.0}, steps=100)
    mixed = method.mix(unlabeled_batch(torch.zeros(1, 2, 1, 1, 1)))
    assert (mixed.image > 0).all()
    assert (mixed.image < 5).all()


def test_it_teaches_the_student_and_not_the_teacher(quarter, constant, make_batch):
    method = InterpolationConsistency(quarter, {}, steps=100)
    method.teacher.load_state_dict(constant(0.0, 0.0).state_dict())
    method.forward(make_batch(), 100)["consistency"].backward()
    assert quarter.logits.grad[1] > 1e-3
    assert method.teacher.logits.grad is None


def test_gradients_are_those_of_finite_differences():
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    target = torch.randn(2, 3, 1, 2, 2, dtype=torch.float64).softmax(1)
    share = torch.rand(2, 1, 1, 1, 1, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: squared_error(x, blend(target, share)), (logits,))
