from math import exp, log

import pytest
import torch
from torch import nn

from samssl_cli.methods.mean_teacher import MeanTeacher


def teach(student: nn.Module, *, teacher: nn.Module | None = None, **options) -> MeanTeacher:
    """A mean teacher of 100 steps, whose consistency weighs 0.1 when the ramp is over."""
    method = MeanTeacher(student, {"noise_std": 0.0, **options}, steps=100)
    if teacher is not None:
        method.teacher.load_state_dict(teacher.state_dict())
    return method


def test_consistency_is_the_weighted_squared_error_of_the_probabilities(
    quarter, constant, make_batch
):
    method = teach(quarter, teacher=constant(0.0, 0.0))  # (1/4, 3/4) against (1/2, 1/2)

    losses = method.forward(make_batch(), 100)

    assert set(losses) == {"supervised", "consistency"}
    assert losses["consistency"].item() == pytest.approx(0.1 / 16)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        pytest.param(0, 0.1 * exp(-5), id="start"),
        pytest.param(20, 0.1 * exp(-1.25), id="half"),
        pytest.param(40, 0.1, id="end"),
        pytest.param(99, 0.1, id="beyond"),
    ],
)
def test_the_weight_ramps_up_over_a_part_of_all_steps(step, expected, quarter):
    assert teach(quarter, rampup_fraction=0.4).weight_at(step) == pytest.approx(expected)


def test_consistency_teaches_the_student_and_not_the_teacher(quarter, constant, make_batch):
    method = teach(quarter, teacher=constant(0.0, 0.0))

    method.forward(make_batch(), 100)["consistency"].backward()

    gradient = method.student.logits.grad
    assert gradient[0] < -1e-3  # towards (1/2, 1/2): more of class 0 ...
    assert gradient[1] > 1e-3  # ... and less of class 1
    assert method.teacher.logits.grad is None
    assert not method.teacher.logits.requires_grad


def test_consistency_keeps_its_size_under_its_weight(constant, make_batch):
    # Published code divides a term by its own value, which leaves a constant without gradient.
    def gradient(weight: float) -> torch.Tensor:
        student = constant(0.0, log(3))
        method = teach(student, teacher=constant(0.0, 0.0), consistency_weight=weight)
        method.forward(make_batch(), 100)["consistency"].backward()
        return student.logits.grad

    assert torch.allclose(gradient(3.0), 3 * gradient(1.0))


def test_the_teacher_starts_as_the_student_and_follows_it(constant):
    method = teach(constant(5.0), ema_decay=0.6)
    path = []
    for step, weight in enumerate([1.0, 3.0, 7.0]):
        method.student.logits.data.fill_(weight)
        method.after_step(step)
        path.append(method.teacher.logits.item())
    # decay 0: 1; decay 1/2: (1 + 3) / 2 = 2; decay min(2/3, 0.6): 0.6 * 2 + 0.4 * 7 = 4
    assert path == pytest.approx([1.0, 2.0, 4.0])


def test_the_running_statistics_of_the_teacher_are_its_own():
    method = teach(nn.BatchNorm3d(1))
    method.student.running_mean.fill_(2.5)
    method.teacher.running_mean.fill_(1.5)

    method.after_step(50)

    assert method.teacher.running_mean.item() == 1.5


def test_noise_is_gaussian_and_cut_at_two_standard_deviations(quarter):
    torch.manual_seed(0)
    noise = teach(quarter, noise_std=0.1).noisy(torch.zeros(10_000))
    assert noise.abs().max().item() == pytest.approx(0.2)
    # A standard normal cut at +-2 has a standard deviation of 0.96.
    assert noise.std().item() == pytest.approx(0.096, abs=0.002)


def test_only_the_teacher_sees_noise(image_as_logits, make_batch):
    torch.manual_seed(0)
    image = torch.zeros(1, 2, 1, 1, 2)
    quiet = teach(image_as_logits).forward(make_batch(image), 100)
    noisy = teach(image_as_logits, noise_std=0.5).forward(make_batch(image), 100)

    assert quiet["consistency"].item() == 0
    assert noisy["consistency"].item() > 0
    assert noisy["supervised"].item() == quiet["supervised"].item()


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        pytest.param("augmented", 0.0, id="augmented"),  # the teacher sees what the student sees
        pytest.param("plain", 0.1 / 16, id="plain"),  # (1/4, 3/4) against (1/2, 1/2)
    ],
)
def test_teacher_input(view, expected, image_as_logits, make_batch):
    image = torch.tensor([0.0, log(3)]).view(1, 2, 1, 1, 1).expand(1, 2, 1, 1, 2)
    batch = make_batch(image, plain=torch.zeros_like(image))

    losses = teach(image_as_logits, teacher_input=view).forward(batch, 100)

    assert losses["consistency"].item() == pytest.approx(expected)


@pytest.mark.parametrize("name", ["student", "teacher"])
def test_predict_with(name, quarter):
    method = teach(quarter, predict_with=name)
    assert method.predictor() is method.modules()[name]
