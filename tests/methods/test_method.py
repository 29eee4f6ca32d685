from math import exp, log

import pytest
import torch

from samssl_cli.errors import RecipeError
from samssl_cli.methods import METHODS, check_network, norm_for
from samssl_cli.methods.method import Batch, Method, PseudoLabel, PseudoLabelTerm
from samssl_cli.methods.supervised import Supervised
from samssl_cli.networks import NETWORKS, NetworkEntry, build_network
from samssl_cli.recipe import Network, read_recipe
from samssl_cli.registry import load

PLAIN = [name for name in METHODS if not METHODS[name].needs_decoder]  # else test_branched.py
SUPERVISED = log(4 / 3) + 1 / 7  # dice_ce of (1/4, 3/4) where the label is 1: test_losses.py


def term(
    loss="mse", *, weight=2.0, schedule="constant", ramp_steps=100, first_step=0
) -> PseudoLabelTerm:
    return PseudoLabelTerm(loss, weight, schedule, ramp_steps, first_step)


@pytest.fixture
def sure_of_1() -> PseudoLabel:
    """The generalist says class 1 in two voxels, and is believed in the first one only."""
    probability = torch.zeros(1, 2, 1, 1, 2)
    probability[:, 1] = 1
    return PseudoLabel(probability, torch.tensor([1.0, 0.0]).view(1, 1, 1, 2))


def test_without_pseudo_labels_the_supervised_loss_is_all_there_is(quarter, make_batch):
    losses = Supervised(quarter, {}, steps=100).forward(make_batch(), 0)

    assert set(losses) == {"supervised"}
    assert losses["supervised"].item() == pytest.approx(SUPERVISED, abs=1e-4)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        # (1/4, 3/4) against (0, 1): ((1/4)^2 + (1/4)^2) / 2, twice
        pytest.param("mse", 2 / 16, id="mse"),
        pytest.param("dice-ce", 2 * SUPERVISED, id="dice-ce"),
        pytest.param("ce", 2 * log(4 / 3), id="ce"),
    ],
)
def test_pseudo_labels_add_a_weighted_term(loss, expected, quarter, make_batch, sure_of_1):
    method = Supervised(quarter, {}, steps=100, pseudo_term=term(loss))

    losses = method.forward(make_batch(pseudo=sure_of_1), 0)

    assert losses["sam"].item() == pytest.approx(expected, abs=1e-3)


def test_labeled_patches_keep_their_true_labels(quarter, make_batch, sure_of_1):
    wrong = PseudoLabel(sure_of_1.probability.flip(1), sure_of_1.confidence)
    method = Supervised(quarter, {}, steps=100, pseudo_term=term())

    losses = method.forward(make_batch(pseudo=wrong), 0)

    assert losses["supervised"].item() == pytest.approx(SUPERVISED, abs=1e-4)


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [
        pytest.param("constant", 0, 2.0, id="constant-start"),
        pytest.param("constant", 100, 2.0, id="constant-end"),
        pytest.param("ramp-up", 0, 2 * exp(-5), id="up-start"),
        pytest.param("ramp-up", 50, 2 * exp(-1.25), id="up-half"),
        pytest.param("ramp-up", 100, 2.0, id="up-end"),
        pytest.param("ramp-down", 0, 2.0, id="down-start"),
        pytest.param("ramp-down", 50, 2 * exp(-1.25), id="down-half"),
        pytest.param("ramp-down", 100, 2 * exp(-5), id="down-end"),
    ],
)
def test_the_weight_of_the_pseudo_label_term(schedule, step, expected):
    assert term(schedule=schedule).weight_at(step) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("schedule", "step", "expected"),
    [
        pytest.param("constant", 19, 0.0, id="constant-before"),
        pytest.param("constant", 20, 2.0, id="constant-after"),
        pytest.param("ramp-up", 19, 0.0, id="up-before"),
        pytest.param("ramp-up", 20, 2 * exp(-5), id="up-begins-then"),
        pytest.param("ramp-down", 19, 0.0, id="down-before"),
        pytest.param("ramp-down", 20, 2.0, id="down-begins-then"),
        pytest.param("ramp-down", 70, 2 * exp(-1.25), id="down-half"),
    ],
)
def test_a_warm_up_goes_before_any_schedule(schedule, step, expected):
    assert term(schedule=schedule, first_step=20).weight_at(step) == pytest.approx(expected)


@pytest.mark.parametrize("loss", ["mse", "ce", "dice-ce"])
def test_the_pseudo_label_term_teaches_in_proportion_to_its_weight(
    loss, constant, make_batch, sure_of_1
):
    # SemiSAM+ divides its loss by its own value: constant 1, whose gradient is exactly 0.
    def gradient(weight: float) -> torch.Tensor:
        student = constant(0.0, log(3))
        method = Supervised(student, {}, steps=100, pseudo_term=term(loss, weight=weight))
        method.forward(make_batch(pseudo=sure_of_1), 0)["sam"].backward()
        return student.logits.grad

    once = gradient(1.0)
    assert once[0] > 0.01  # class 0 has to become less likely
    assert once[1] < -0.01
    assert torch.allclose(gradient(2.0), 2 * once)


def test_the_pseudo_label_term_is_silent_where_the_answer_was_rejected(
    image_as_logits, make_batch, sure_of_1
):
    image = torch.tensor([[0.0, 0.0], [1.0, 1.0]]).view(1, 2, 1, 1, 2).requires_grad_()
    method = Supervised(image_as_logits, {}, steps=100, pseudo_term=term("dice-ce"))

    method.forward(make_batch(image, pseudo=sure_of_1), 0)["sam"].backward()

    assert image.grad[..., 0].abs().min() > 0.1
    assert (image.grad[..., 1] == 0).all()


@pytest.mark.parametrize("name", PLAIN)
def test_every_method_works_without_unlabeled_patches(name, quarter, make_batch):
    method = load(METHODS, name, kind="method")(quarter, {}, steps=100)

    losses = method.forward(make_batch(torch.zeros(0, 1, 1, 1, 2)), 50)

    learners = 2 if "second" in method.trained() else 1
    assert losses["supervised"].item() == pytest.approx(learners * SUPERVISED, abs=1e-4)
    assert all(loss.isfinite() for loss in losses.values())


@pytest.mark.parametrize("name", METHODS)
def test_every_row_is_a_method_with_a_source_and_described_options(name):
    part = load(METHODS, name, kind="method")

    assert issubclass(part, Method)
    assert METHODS[name].summary
    assert METHODS[name].source
    assert all(field.description for field in part.Options.model_fields.values())


@pytest.mark.parametrize("name", METHODS)
def test_unknown_options_are_refused(name, quarter):
    part = load(METHODS, name, kind="method")
    with pytest.raises(RecipeError, match=r"method_options is not valid:\s+- colour: Extra"):
        part(quarter, {"colour": "red"}, steps=1)


@pytest.mark.parametrize("name", PLAIN)
def test_every_method_gives_finite_scalars_and_predicts_with_one_of_its_networks(
    name, image_as_logits, make_batch
):
    torch.manual_seed(0)
    method = load(METHODS, name, kind="method")(image_as_logits, {}, steps=100, in_channels=2)

    losses = method.forward(make_batch(torch.randn(2, 2, 1, 1, 2)), 50)

    assert all(loss.isfinite() and loss.shape == () for loss in losses.values())
    assert method.trained().items() <= method.modules().items()
    assert method.modules()["student"] is image_as_logits
    assert method.predictor() in method.modules().values()


def build(name: str, *, num_classes: int, **more) -> Method:
    """A method with a real network, which takes cubes of 8 voxels."""
    torch.manual_seed(0)
    options = Network(channels=(2, 2, 2), norm="batch", dropout=0.2)
    network = build_network(options, in_channels=1, num_classes=num_classes)
    part = load(METHODS, name, kind="method")
    method: Method = part(network, {}, steps=100, num_classes=num_classes, **more)
    return method


def cubes(*, num_classes: int, pseudo: PseudoLabel | None = None) -> Batch:
    """Two labeled and three unlabeled ones."""
    labeled, unlabeled = torch.randn(2, 1, 8, 8, 8), torch.randn(3, 1, 8, 8, 8)
    label = torch.randint(num_classes, (2, 8, 8, 8))
    return Batch(labeled, label, unlabeled, unlabeled + 0.1, pseudo)


@pytest.mark.parametrize("name", METHODS)
def test_every_method_teaches_three_classes(name):
    method = build(name, num_classes=3)

    losses = method.forward(cubes(num_classes=3), 50)
    torch.stack(list(losses.values())).sum().backward()

    assert METHODS[name].learns_from_unlabeled == (len(losses) > 1)
    weights = [p for one in method.trained().values() for p in one.parameters()]
    assert all(p.grad is None or p.grad.isfinite().all() for p in weights)
    assert all(p.grad.abs().max() > 0 for p in weights if p.grad is not None and p.dim() == 5)


@pytest.mark.parametrize("loss", ["mse", "ce", "dice-ce"])
@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns_pseudo_labels_only_where_they_are_believed(name, loss):
    def gradients(confidence: float) -> list[torch.Tensor]:
        method = build(name, num_classes=2, pseudo_term=term(loss))
        probability = torch.randn(3, 2, 8, 8, 8).softmax(1)
        pseudo = PseudoLabel(probability, torch.full((3, 8, 8, 8), confidence))
        method.forward(cubes(num_classes=2, pseudo=pseudo), 50)["sam"].backward()
        return [p.grad for p in method.student.parameters() if p.grad is not None]

    assert all((gradient == 0).all() for gradient in gradients(0.0))
    assert max(gradient.abs().max() for gradient in gradients(1.0)) > 1e-3


@pytest.mark.parametrize("name", METHODS)
def test_the_table_says_what_the_method_learns_from(name):
    method = load(METHODS, name, kind="method")
    assert METHODS[name].learns_from_unlabeled == method.learns_from_unlabeled


def test_auto_norm_goes_with_what_a_method_learns_from():
    assert norm_for("supervised") == "instance"  # one labeled case: no statistics for others
    assert norm_for("mean-teacher") == "batch"
    recipe = read_recipe("quick")
    assert recipe.network.norm == "auto"
    assert recipe.with_norm("batch").network.norm == "batch"
    decided = read_recipe("quick", ["network.norm=instance"])
    assert decided.with_norm("batch").network.norm == "instance"


def test_a_method_that_needs_a_decoder_refuses_a_network_without_one(monkeypatch):
    monkeypatch.setitem(NETWORKS, "flat", NetworkEntry("a:b", "no halves", "none"))
    check_network("supervised", "flat")
    check_network("dtc", "segresnet")
    with pytest.raises(RecipeError, match=r"'flat': method dtc.*one of unet, vnet, segresnet"):
        check_network("dtc", "flat")
