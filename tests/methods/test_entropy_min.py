from math import exp, log

import pytest
import torch

from samssl_cli.methods.entropy_min import EntropyMinimisation, relative_entropy

# (1/4 ln 4 + 3/4 ln 4/3) / ln 2
ENTROPY = (log(4) / 4 + 3 * log(4 / 3) / 4) / log(2)


def test_the_term_is_the_weighted_entropy_of_the_unlabeled_patches(quarter, make_batch):
    method = EntropyMinimisation(quarter, {}, steps=100)
    losses = method.forward(make_batch(), 100)
    assert set(losses) == {"supervised", "entropy"}
    assert losses["entropy"].item() == pytest.approx(0.1 * ENTROPY)
    assert method.forward(make_batch(), 0)["entropy"].item() == pytest.approx(
        0.1 * exp(-5) * ENTROPY
    )


@pytest.mark.parametrize("num_classes", [2, 3, 5])
def test_an_even_guess_has_entropy_1_for_any_number_of_classes(num_classes):
    # SSL4MIS divides by ln 2 whatever the number of classes.
    entropy = relative_entropy(torch.full((1, num_classes, 1, 1, 2), 7.0))
    assert entropy.shape == (1, 1, 1, 2)
    assert entropy.flatten().tolist() == pytest.approx([1.0, 1.0])


def test_it_makes_the_student_surer_of_what_it_believes(quarter, make_batch):
    EntropyMinimisation(quarter, {}, steps=100).forward(make_batch(), 100)["entropy"].backward()
    assert quarter.logits.grad[0] > 0.01  # class 0 less likely still
    assert quarter.logits.grad[1] < -0.01


def test_a_student_that_is_sure_learns_nothing_and_stays_finite():
    logits = torch.tensor([1e4, -1e4, 0.0]).view(1, 3, 1, 1, 1).requires_grad_()
    relative_entropy(logits).sum().backward()
    assert (logits.grad == 0).all()


def test_gradients_are_those_of_finite_differences():
    torch.manual_seed(0)
    logits = torch.randn(2, 3, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(relative_entropy, (logits,))
