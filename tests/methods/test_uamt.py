from math import exp, log

import pytest
import torch
from torch import Tensor, nn

from samssl_cli.methods.uamt import UncertaintyAwareMeanTeacher, masked_squared_error


def teach(student: nn.Module, **options) -> UncertaintyAwareMeanTeacher:
    return UncertaintyAwareMeanTeacher(student, {"noise_std": 0.0, **options}, steps=100)


@pytest.mark.parametrize(
    ("step", "num_classes", "expected"),
    [
        pytest.param(0, 2, (0.75 + 0.25 * exp(-5)) * log(2), id="start"),
        pytest.param(50, 2, (0.75 + 0.25 * exp(-1.25)) * log(2), id="half"),
        pytest.param(100, 2, log(2), id="end"),
        pytest.param(100, 4, log(4), id="four-classes"),
    ],
)
def test_the_threshold_rises_to_the_largest_entropy(step, num_classes, expected, quarter):
    assert teach(quarter).threshold_at(step, num_classes) == pytest.approx(expected)


def test_the_threshold_ramps_over_a_part_of_all_steps(quarter):
    method = teach(quarter, start_threshold=0.5, threshold_rampup_fraction=0.2)
    assert method.threshold_at(10, 2) == pytest.approx((0.5 + 0.5 * exp(-1.25)) * log(2))
    assert method.threshold_at(20, 2) == pytest.approx(log(2))


def test_entropy_of_known_probabilities(image_as_logits):
    # voxels: (1/2, 1/2), (1/4, 3/4), (1, 0)
    image = torch.tensor([[0.0, 0.0, 50.0], [0.0, log(3), -50.0]]).view(1, 2, 1, 1, 3)
    entropy = teach(image_as_logits, num_passes=3).entropy(image)
    expected = [log(2), log(4) - 0.75 * log(3), 0.0]
    assert entropy.shape == (1, 1, 1, 3)
    assert entropy.flatten().tolist() == pytest.approx(expected, abs=1e-5)


class Undecided(nn.Module):
    """Sure of class 0 and of class 1 by turns."""

    def __init__(self) -> None:
        super().__init__()
        self.sign = 1.0

    def forward(self, image: Tensor) -> Tensor:
        self.sign = -self.sign
        return torch.stack([image, -image], dim=1)[:, :, 0] * self.sign


def test_entropy_is_that_of_the_mean_prediction():
    # Either pass alone has entropy 0; their mean (1/2, 1/2) has ln 2.
    entropy = teach(Undecided(), num_passes=2).entropy(torch.full((1, 1, 1, 1, 1), 50.0))
    assert entropy.item() == pytest.approx(log(2))


def test_masked_squared_error_counts_certain_voxels_and_classes():
    torch.manual_seed(0)
    student, teacher = torch.rand(2, 3, 2, 3, 4), torch.rand(2, 3, 2, 3, 4)
    certain = torch.rand(2, 2, 3, 4) < 0.5
    mask = certain[:, None].float()
    # As in UA-MT: sum(mask * distance) / (classes * sum(mask))
    expected = (mask * (student - teacher) ** 2).sum() / (3 * mask.sum())
    assert masked_squared_error(student, teacher, certain).item() == pytest.approx(expected.item())


def test_masked_squared_error_by_hand():
    student = torch.tensor([[0.25, 0.5], [0.75, 0.5]]).view(1, 2, 1, 1, 2)
    teacher = torch.tensor([[0.5, 1.0], [0.5, 0.0]]).view(1, 2, 1, 1, 2)
    first = torch.tensor([True, False]).view(1, 1, 1, 2)
    # voxel 1: (1/16 + 1/16) / 2; voxel 2, which is uncertain, would have 1/4
    assert masked_squared_error(student, teacher, first).item() == pytest.approx(1 / 16)


def test_the_gradient_comes_from_certain_voxels_alone(image_as_logits, make_batch):
    # The teacher sees (1, 0), which is certain, and (1/2, 1/2), which is not.
    seen = torch.tensor([[50.0, 0.0], [-50.0, 0.0]]).view(1, 2, 1, 1, 2)
    logits = torch.tensor([[0.0, 1.0], [0.0, 0.0]]).view(1, 2, 1, 1, 2).requires_grad_()
    method = teach(image_as_logits, teacher_input="plain")

    loss = method.consistency(make_batch(seen), logits, 0)["consistency"]
    loss.backward()

    # weight 0.1 exp(-5), one certain voxel: ((1/2)^2 + (1/2)^2) / 2
    assert loss.item() == pytest.approx(0.1 * exp(-5) / 4)
    assert logits.grad[..., 0].abs().min() > 1e-5
    assert (logits.grad[..., 1] == 0).all()


def test_without_a_certain_voxel_the_term_is_0(image_as_logits, make_batch):
    logits = torch.tensor([1.0, 0.0]).view(1, 2, 1, 1, 1).expand(1, 2, 1, 1, 2)
    logits = logits.clone().requires_grad_()

    loss = teach(image_as_logits).consistency(make_batch(torch.zeros(1, 2, 1, 1, 2)), logits, 0)
    loss["consistency"].backward()

    assert loss["consistency"].item() == 0
    assert (logits.grad == 0).all()


def test_with_every_voxel_certain_it_is_the_mean_teacher(quarter, constant, make_batch):
    # The teacher's entropy at (1/4, 3/4) is 0.56, less than ln 2 = 0.69 at the end of the ramp.
    method = teach(constant(0.0, 0.0))
    method.teacher.load_state_dict(quarter.state_dict())
    losses = method.forward(make_batch(), 100)
    assert losses["consistency"].item() == pytest.approx(0.1 / 16)
