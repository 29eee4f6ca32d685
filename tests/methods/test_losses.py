from math import log

import pytest
import torch
from monai.losses.dice import DiceCELoss

from samssl_cli.methods.losses import cross_entropy, dice_ce, one_hot, squared_error

# One voxel is told (1/4, 3/4) by the logits (0, ln 3).
QUARTER = (0.0, log(3))


def voxels(*values: tuple[float, ...]) -> torch.Tensor:
    """One patch with a voxel per value: (1, classes, 1, 1, N)."""
    return torch.tensor(values).T[None, :, None, None, :].clone()


@pytest.mark.parametrize(
    ("logits", "target", "expected"),
    [
        # CE -ln 3/4, Dice 1 - 2 (3/4) / (3/4 + 1) = 1/7
        pytest.param(QUARTER, (0.0, 1.0), log(4 / 3) + 1 / 7, id="foreground"),
        # CE -ln 1/4, Dice 1 - 0 / (3/4) = 1
        pytest.param(QUARTER, (1.0, 0.0), log(4) + 1, id="background"),
        # CE is the mean of the two above, Dice 1 - 2 (3/8) / (3/4 + 1/2) = 2/5
        pytest.param(QUARTER, (0.5, 0.5), log(16 / 3) / 2 + 2 / 5, id="soft-target"),
        # CE ln 3, Dice of class 1: 1 - 2 (1/3) / (4/3) = 1/2, of class 2: 1; their mean is 3/4
        pytest.param((0.0, 0.0, 0.0), (0.0, 1.0, 0.0), log(3) + 3 / 4, id="three-classes"),
        pytest.param((-30.0, 30.0), (0.0, 1.0), 0.0, id="perfect"),
    ],
)
def test_dice_ce_of_one_voxel(logits, target, expected):
    assert dice_ce(voxels(logits), voxels(target)).item() == pytest.approx(expected, abs=1e-4)


def test_dice_ce_weighs_every_voxel():
    loss = dice_ce(
        voxels(QUARTER, QUARTER),
        voxels((0.0, 1.0), (1.0, 0.0)),
        weight=torch.tensor([3.0, 1.0]).view(1, 1, 1, 2),
    )
    # CE (3 ln 4/3 + ln 4) / 4; overlap 3 (3/4), total 3 (7/4) + 3/4 = 6, Dice 1 - 4.5 / 6 = 1/4
    assert loss.item() == pytest.approx((3 * log(4 / 3) + log(4)) / 4 + 1 / 4, abs=1e-4)


def test_dice_ce_gives_no_gradient_to_a_voxel_of_weight_0():
    logits = voxels(QUARTER, QUARTER).requires_grad_()
    weight = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)

    dice_ce(logits, voxels((0.0, 1.0), (1.0, 0.0)), weight=weight).backward()

    assert logits.grad[..., 0].abs().min() > 0.1
    assert (logits.grad[..., 1] == 0).all()


def test_dice_ce_sums_over_the_batch_so_that_an_empty_patch_is_no_class_of_its_own():
    logits = torch.cat([voxels(QUARTER), voxels(QUARTER)])
    target = torch.cat([voxels((0.0, 1.0)), voxels((1.0, 0.0))])
    # CE as above; overlap 3/4, total 3/4 + 3/4 + 1 = 5/2, Dice 1 - 1.5 / 2.5 = 2/5.
    # Patch by patch it would be (1/7 + 1) / 2.
    expected = (log(4 / 3) + log(4)) / 2 + 2 / 5
    assert dice_ce(logits, target).item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("loss", [dice_ce, squared_error])
def test_without_any_weight_the_loss_is_0_and_its_gradient_finite(loss):
    logits = voxels(QUARTER, QUARTER).requires_grad_()

    value = loss(logits, voxels((0.0, 1.0), (1.0, 0.0)), weight=torch.zeros(1, 1, 1, 2))
    value.backward()

    assert value.item() == 0
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("loss", [dice_ce, squared_error])
def test_a_weight_of_one_everywhere_changes_nothing(loss):
    torch.manual_seed(0)
    logits, target = torch.randn(2, 3, 2, 3, 4), torch.rand(2, 3, 2, 3, 4).softmax(1)
    weighted = loss(logits, target, weight=torch.ones(2, 2, 3, 4))
    assert weighted.item() == pytest.approx(loss(logits, target).item(), rel=1e-5)


@pytest.mark.parametrize("loss", [dice_ce, squared_error])
def test_logits_far_out_keep_the_loss_and_its_gradient_finite(loss):
    logits = voxels((1e4, -1e4), (-1e4, 1e4)).requires_grad_()

    value = loss(logits, voxels((0.0, 1.0), (0.0, 1.0)))
    value.backward()

    assert value.isfinite()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("num_classes", [2, 4])
def test_dice_ce_agrees_with_monai_on_hard_labels(num_classes):
    torch.manual_seed(0)
    logits = torch.randn(2, num_classes, 4, 5, 6)
    label = torch.randint(num_classes, (2, 4, 5, 6))
    monai = DiceCELoss(include_background=False, to_onehot_y=True, softmax=True, batch=True)

    ours = dice_ce(logits, one_hot(label, num_classes))

    assert ours.item() == pytest.approx(monai(logits, label[:, None]).item(), rel=1e-5)


def test_squared_error_is_the_mean_over_voxels_and_classes():
    # Voxel 1: ((1/4)^2 + (1/4)^2) / 2 = 1/16; voxel 2 agrees.
    loss = squared_error(voxels(QUARTER, QUARTER), voxels((0.0, 1.0), (0.25, 0.75)))
    assert loss.item() == pytest.approx(1 / 32)


def test_squared_error_weighs_every_voxel():
    weight = torch.tensor([3.0, 1.0]).view(1, 1, 1, 2)
    # (3 * 1/16 + 1 * 9/16) / 4 = 3/16
    loss = squared_error(voxels(QUARTER, QUARTER), voxels((0.0, 1.0), (1.0, 0.0)), weight=weight)
    assert loss.item() == pytest.approx(3 / 16, abs=1e-5)


def test_squared_error_teaches_where_the_weight_is_not_0():
    logits = voxels(QUARTER, QUARTER).requires_grad_()
    weight = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)

    squared_error(logits, voxels((0.0, 1.0), (1.0, 0.0)), weight=weight).backward()

    assert logits.grad[..., 0].abs().min() > 0.01
    assert (logits.grad[..., 1] == 0).all()


def test_one_hot_puts_the_classes_on_axis_1():
    encoded = one_hot(torch.tensor([[[[0, 2, 1]]]]), 3)
    assert encoded.shape == (1, 3, 1, 1, 3)
    assert encoded.dtype == torch.float32
    assert encoded[0, :, 0, 0].T.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]


def test_cross_entropy_weighs_every_voxel():
    logits, target = voxels(QUARTER, QUARTER), voxels((0.0, 1.0), (1.0, 0.0))
    weight = torch.tensor([3.0, 1.0]).view(1, 1, 1, 2)
    loss = cross_entropy(logits, target, weight=weight)
    assert loss.item() == pytest.approx((3 * log(4 / 3) + log(4)) / 4, abs=1e-5)
    assert cross_entropy(logits, target).item() == pytest.approx(log(16 / 3) / 2, abs=1e-5)
    assert cross_entropy(logits, target, weight=0 * weight).item() == 0


def gradients_at(measure, foreground: float) -> torch.Tensor:
    """Of the logit of class 1 where targets of 1 and of `foreground` are predicted as such."""
    unsure = (1 - foreground, foreground)
    logits = voxels(*[(-20.0, 20.0)] * 9, (log(unsure[0]), log(unsure[1]))).requires_grad_()
    measure(logits, voxels(*[(0.0, 1.0)] * 9, unsure)).backward()
    return logits.grad[0, 1, 0, 0, 9]


def test_dice_draws_more_than_uncertain_targets_say_and_cross_entropy_does_not():
    # A voxel that is foreground in 52 of 100 cases, predicted so, beside nine that always are.
    assert gradients_at(dice_ce, 0.52) < -5e-4  # gradient descent would raise it
    assert abs(gradients_at(cross_entropy, 0.52)) < 1e-6
