from math import log

import pytest
import torch

from samssl_cli.methods.bcp import BidirectionalCopyPaste
from samssl_cli.methods.losses import dice_ce
from samssl_cli.methods.method import Batch


def batch_of(labeled: int, unlabeled: int, *, size: int = 3) -> Batch:
    """Labeled patches of 10, 11, … with that class, unlabeled ones of 100, 101, …"""
    shape = (size, size, size)
    x = torch.arange(10, 10 + labeled).view(-1, 1, 1, 1, 1).expand(-1, 1, *shape).float()
    u = torch.arange(100, 100 + unlabeled).view(-1, 1, 1, 1, 1).expand(-1, 1, *shape).float()
    return Batch(x, x[:, 0].long(), u, u)


def teach(student, *, teacher=None, **options) -> BidirectionalCopyPaste:
    method = BidirectionalCopyPaste(student, {"pretrain_fraction": 0.0, **options}, steps=100)
    if teacher is not None:
        method.teacher.load_state_dict(teacher.state_dict())
    return method


def test_true_labels_and_the_teachers_count_each_by_their_weight(quarter, constant, make_batch):
    method = teach(quarter, teacher=constant(1.0, 0.0))  # it decides for 0
    losses = method.forward(make_batch(), 0)
    assert losses["supervised"].item() == pytest.approx(log(4 / 3) + 1 / 7, abs=1e-4)
    # (1/4, 3/4) with class 0: CE ln 4, Dice 1 - 0 / ... = 1
    assert losses["consistency"].item() == pytest.approx(0.5 * (log(4) + 1), abs=1e-4)


def test_patches_are_pasted_both_ways_with_their_labels(quarter):
    torch.manual_seed(0)
    method = teach(quarter)
    method.teacher_label = lambda image: image[:, 0].long()
    pasted = method.paste_both_ways(batch_of(2, 2))

    assert torch.equal(pasted.image[:, 0].long(), pasted.label)
    assert torch.equal(pasted.is_true.bool(), pasted.label < 100)
    # Inward 10 around 100 and 11 around 101; outward 101 around 11 and 100 around 10.
    pairs = [sorted(set(patch.flatten().tolist())) for patch in pasted.label]
    assert pairs == [[10, 100], [11, 101], [11, 101], [10, 100]]
    # A box of 2 x 2 x 2 of 3 x 3 x 3 voxels, pasted inward or kept outward
    assert pasted.is_true.sum(dim=(1, 2, 3)).tolist() == [19, 19, 8, 8]


@pytest.mark.parametrize(("labeled", "unlabeled"), [(1, 3), (3, 1), (1, 1), (2, 4)])
def test_every_patch_is_used_when_there_are_more_of_one_kind(labeled, unlabeled, quarter):
    torch.manual_seed(0)
    method = teach(quarter)
    method.teacher_label = lambda image: image[:, 0].long()
    pasted = method.paste_both_ways(batch_of(labeled, unlabeled))
    assert len(pasted.image) == 2 * max(labeled, unlabeled)
    used = set(pasted.label.flatten().tolist())
    assert used == {*range(10, 10 + labeled), *range(100, 100 + unlabeled)}


def test_at_first_labeled_patches_are_pasted_into_each_other(quarter, constant, make_batch):
    torch.manual_seed(0)
    method = teach(quarter, teacher=constant(1.0, 0.0), pretrain_fraction=0.1)
    pasted = method.paste_labeled(batch_of(2, 0))
    assert torch.equal(pasted.image[:, 0].long(), pasted.label)
    assert [sorted(set(one.flatten().tolist())) for one in pasted.label] == [[10, 11], [10, 11]]
    assert (pasted.is_true == 1).all()
    assert set(method.forward(make_batch(), 9)) == {"supervised"}
    assert set(method.forward(make_batch(), 10)) == {"supervised", "consistency"}


def test_the_teacher_is_the_student_at_first_and_follows_it_then(constant):
    method = teach(constant(1.0), pretrain_fraction=0.05, ema_decay=0.75)
    method.student.logits.data.fill_(5.0)
    method.after_step(4)
    assert method.teacher.logits.item() == 5.0
    method.student.logits.data.fill_(9.0)
    method.after_step(5)  # decay min(5/6, 3/4): 3/4 * 5 + 1/4 * 9
    assert method.teacher.logits.item() == 6.0


@pytest.mark.parametrize(("keep", "expected"), [("largest", [1, 1, 0, 0]), ("all", [1, 1, 0, 1])])
def test_only_the_largest_piece_of_the_teachers_label_is_kept(keep, expected, image_as_logits):
    image = torch.tensor([[0, 0, 1, 0], [2.0, 2, 0, 2]]).view(1, 2, 1, 1, 4)
    method = teach(image_as_logits, keep=keep)
    assert method.teacher_label(image).flatten().tolist() == expected


def test_it_teaches_the_student_and_not_the_teacher(quarter, constant, make_batch):
    method = teach(quarter, teacher=constant(1.0, 0.0))
    method.forward(make_batch(), 0)["consistency"].backward()
    assert quarter.logits.grad[0] < -0.1  # more of class 0, as the teacher says
    assert method.teacher.logits.grad is None


def test_gradients_are_those_of_finite_differences():
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    target = torch.randn(2, 3, 1, 2, 2, dtype=torch.float64).softmax(1)
    weight = torch.randint(2, (2, 1, 2, 2), dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: dice_ce(x, target, weight=weight), (logits,))
