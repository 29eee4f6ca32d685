from math import log

import pytest
import torch

from samssl_cli.methods.fixmatch import FixMatch, confident_cross_entropy
from samssl_cli.methods.method import Batch, PseudoLabel, PseudoLabelTerm


def voxels(*values: tuple[float, ...]) -> torch.Tensor:
    """One patch with a voxel per value: (1, classes, 1, 1, N)."""
    return torch.tensor(values).T[None, :, None, None, :].clone()


SHOWN = torch.ones(1, 1, 1, 2)
WEAK = voxels((0.0, log(3)), (0.0, 0.0))  # (1/4, 3/4) and (1/2, 1/2)
STRONG = voxels((0.0, 0.0), (0.0, 0.0))


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        pytest.param(0.7, log(2) / 2, id="one-is-sure"),  # ln 2, over both voxels
        pytest.param(0.5, log(2), id="both-are-sure"),
        pytest.param(0.8, 0.0, id="none-is-sure"),
    ],
)
def test_sure_decisions_are_taught(threshold, expected):
    loss = confident_cross_entropy(STRONG, WEAK, threshold=threshold, shown=SHOWN)
    assert loss.item() == pytest.approx(expected)


def test_what_is_not_sure_is_not_taught_as_background():
    # SSL4MIS sets unsure voxels to 0 and takes the argmax of that: class 0.
    strong = STRONG.clone().requires_grad_()
    confident_cross_entropy(strong, WEAK, threshold=0.7, shown=SHOWN).backward()
    # (p - one hot) / 2 voxels: the first is told 1, the second nothing
    assert strong.grad[0, :, 0, 0].T.tolist() == [[0.25, -0.25], [0.0, 0.0]]


def test_hidden_voxels_do_not_count():
    shown = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    loss = confident_cross_entropy(STRONG, WEAK, threshold=0.5, shown=shown)
    assert loss.item() == pytest.approx(log(2))
    nothing = confident_cross_entropy(STRONG, WEAK, threshold=0.5, shown=torch.zeros(1, 1, 1, 2))
    assert nothing.item() == 0


def test_no_gradient_flows_to_the_weak_prediction():
    weak = WEAK.clone().requires_grad_()
    strong = STRONG.clone().requires_grad_()
    confident_cross_entropy(strong, weak, threshold=0.5, shown=SHOWN).backward()
    assert weak.grad is None
    assert strong.grad.abs().max() > 0.1


def test_three_classes():
    weak, strong = voxels((0.0, 0.0, 9.0)), voxels((0.0, 0.0, 0.0))
    loss = confident_cross_entropy(strong, weak, threshold=0.95, shown=torch.ones(1, 1, 1, 1))
    assert loss.item() == pytest.approx(log(3))


def test_gradients_are_those_of_finite_differences():
    torch.manual_seed(0)
    strong = torch.randn(2, 3, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    weak = torch.randn(2, 3, 1, 2, 2, dtype=torch.float64)
    shown = torch.randint(2, (2, 1, 2, 2), dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda x: confident_cross_entropy(x, weak, threshold=0.5, shown=shown), (strong,)
    )


def test_the_weak_view_is_plain_and_the_strong_one_is_not(image_as_logits):
    torch.manual_seed(0)
    plain = torch.tensor([0.0, 5.0]).view(1, 2, 1, 1, 1).expand(1, 2, 4, 4, 4)
    label = torch.ones(1, 4, 4, 4, dtype=torch.int64)
    batch = Batch(plain, label, torch.zeros_like(plain), plain)
    quiet = {"magnitude": 0.0, "hidden_fraction": 0.5}
    losses = FixMatch(image_as_logits, quiet, steps=100).forward(batch, 0)
    # The plain patch is sure of 1; the augmented one, all 0, says (1/2, 1/2).
    assert losses["consistency"].item() == pytest.approx(log(2))


def test_pseudo_labels_do_not_count_where_the_patch_is_hidden(image_as_logits):
    torch.manual_seed(0)
    image = torch.full((1, 2, 4, 4, 4), 2.0)
    image[:, 0] = 0
    label = torch.ones(1, 4, 4, 4, dtype=torch.int64)
    pseudo = PseudoLabel(image.softmax(1), torch.ones(1, 4, 4, 4))
    term = PseudoLabelTerm("mse", 1.0, "constant", 1)
    method = FixMatch(image_as_logits, {"magnitude": 0.0}, steps=100, pseudo_term=term)
    # Hidden voxels say (1/2, 1/2); all others say what the generalist says.
    losses = method.forward(Batch(image, label, image, image, pseudo), 0)
    assert losses["sam"].item() == pytest.approx(0, abs=1e-7)
