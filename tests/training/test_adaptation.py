import pytest
import torch
from torch import nn

from samssl_cli.generalists.lesson import Taught
from samssl_cli.training.adaptation import Adaptation


class Constant(nn.Module):
    """Answers every lesson with its one number as the logit of two voxels."""

    def __init__(self) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.zeros(()))

    def answer(self, lessons):
        return [
            Taught(self.logit.expand(1, 1, 2, 1, 1), target.view(1, 1, 2, 1, 1), weight)
            for target, weight in lessons
        ]


@pytest.fixture
def model():
    return Constant()


def lesson(*target, weight=None):
    given = None if weight is None else torch.tensor(weight).view(1, 1, 2, 1, 1)
    return torch.tensor(target), given


def test_known_losses(model):
    losses = Adaptation(model, model, decay=0.5).forward([lesson(1.0, 0.0)], 0)

    # p = 1/2 twice: Dice 2 * 0.5 / (1 + 1), cross-entropy log 2.
    assert losses["dice"].item() == pytest.approx(0.5, abs=1e-5)
    assert losses["cross-entropy"].item() == pytest.approx(0.6931, abs=1e-4)


def test_only_what_counts_is_learned(model):
    learner = Adaptation(model, model, decay=0.5)
    losses = learner.forward([lesson(1.0, 0.0, weight=[1.0, 0.0])], 0)

    # The first voxel alone: Dice 2 * 0.5 / (0.5 + 1).
    assert losses["dice"].item() == pytest.approx(1 - 2 / 3, abs=1e-5)
    sum(losses.values()).backward()
    assert model.logit.grad.item() < 0  # up, towards 1


def test_answers_count_by_their_number_of_samples(model):
    learner = Adaptation(model, model, decay=0.5)
    both = learner.forward([lesson(1.0, 1.0), lesson(0.0, 0.0)], 0)

    # Dice losses 1 - 2 / 3 and 1.
    assert both["dice"].item() == pytest.approx((1 / 3 + 1) / 2, abs=1e-5)


def test_nothing_to_learn_is_no_loss(model):
    losses = Adaptation(model, model, decay=0.5).forward([], 0)

    total = torch.stack(list(losses.values())).sum()
    total.backward()
    assert total.item() == 0


def test_the_mean_begins_at_the_weights_from_before_and_answers_for_a_while(model):
    learner = Adaptation(model, model, decay=0.75)
    with torch.no_grad():
        model.logit += 4
    learner.after_step(0)

    with learner.averaged():
        assert model.logit.item() == 1.0  # 0.75 * 0 + 0.25 * 4
    assert model.logit.item() == 4.0
    assert learner.modules().keys() == {"student", "average"}
