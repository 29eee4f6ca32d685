import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from samssl_cli.errors import UsageError, WeightsError
from samssl_cli.generalists import GENERALISTS
from samssl_cli.generalists import scout as module
from samssl_cli.generalists.exposure import exposure
from samssl_cli.generalists.scout import OUTSIDE_LOGIT, Scout, hear
from samssl_cli.generalists.scout_weights import SHIPPED_WEIGHTS
from samssl_cli.prompts.types import Box, Points, Prompt

CUBIC = (1.0, 1.0, 1.0)
LEAST = 24**3  # grid points of the smallest view


class Stub(nn.Module):
    """A network that is a formula of its six channels, and remembers what it was shown."""

    def __init__(self, formula):
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(1), requires_grad=False)
        self.formula, self.shown = formula, []

    def forward(self, inputs):
        self.shown += inputs.split(1)
        return self.formula(inputs)

    def __deepcopy__(self, memo):
        return self  # what the copy was shown counts


def asked(formula, image, *prompts, spacing_mm=CUBIC, **options):
    """The proposal of a stub, and the stub."""
    network = Stub(formula)
    scout = Scout(network, Scout.Options(**{"budget": LEAST, **options}))
    return scout.segment(scout.embed(image, spacing_mm), prompts), network


def points(*signed):
    table = np.array(signed)
    return Points(table[:, :3], table[:, 3] > 0)


def ball(shape, centre, radius):
    offsets = np.indices(shape) - np.reshape(centre, (3, 1, 1, 1))
    return (offsets**2).sum(axis=0) < radius**2


def dice(a, b):
    return 2 * int((a & b).sum()) / int(a.sum() + b.sum())


def of_mask(inputs):
    return 8 * inputs[:, 1:2]


def of_image(inputs):
    """Inside where the image is as it is where the prompt points."""
    return 20 * (3 - inputs[:, :1].abs())


@pytest.fixture
def noise():
    """(1, 26, 22, 18) float32."""
    return np.random.default_rng(0).normal(size=(1, 26, 22, 18)).astype(np.float32)


@pytest.fixture
def l_shape():
    """(26, 22, 18) bool, another one when it is mirrored along any axis."""
    mask = np.zeros((26, 22, 18), bool)
    mask[6:20, 6:9, 4:7] = True
    mask[6:9, 6:16, 4:7] = True
    mask[6:9, 6:9, 4:13] = True
    return mask


@pytest.mark.parametrize("num_flips", [1, 2, 4, 8])
def test_mirrored_views_are_turned_back(num_flips, noise, l_shape):
    proposal, network = asked(of_mask, noise, Prompt(mask=l_shape), num_flips=num_flips)
    assert dice(proposal.logits[0] > 0, l_shape) > 0.99
    assert len(network.shown) == num_flips
    assert len({view.numpy().tobytes() for view in network.shown}) == num_flips
    # A formula of each voxel alone says the same in every view.
    expected = np.nan if num_flips == 1 else 1.0
    np.testing.assert_allclose(proposal.predicted_iou, [expected], atol=1e-4)


def test_the_quality_is_how_well_the_views_agree(noise, l_shape):
    def of_place(inputs):  # the first half along i, whatever is shown
        return 30 * torch.linspace(1, -1, inputs.shape[2]).view(1, 1, -1, 1, 1).expand_as(
            inputs[:, :1]
        )

    proposal, _ = asked(of_place, noise, Prompt(mask=l_shape), num_flips=4)
    # As it is and mirrored along j and k: alike. Mirrored along i: nothing in common but the
    # blur in the middle. Three of the six pairs agree.
    assert proposal.predicted_iou[0] == pytest.approx(0.5, abs=0.03)


def test_the_pairwise_agreement_by_hand():
    a, b = torch.tensor([1.0, 0.5, 0.0]), torch.tensor([0.5, 0.5, 0.5])
    assert module._agreement([a, b]) == pytest.approx((0.5 + 0.5 + 0) / (1 + 0.5 + 0.5))
    assert np.isnan(module._agreement([a]))


def test_a_prompt_that_says_nothing_gets_nothing(noise):
    nothing = [Prompt(), Prompt(points=points((5, 5, 5, -1))), Prompt(mask=noise[0] > 99)]
    proposal, network = asked(of_mask, noise, *nothing)
    assert proposal.logits.shape == (3, 26, 22, 18)
    assert (proposal.logits == OUTSIDE_LOGIT).all()
    assert np.isnan(proposal.predicted_iou).all()
    assert not network.shown


def test_an_empty_answer_is_an_answer(noise, l_shape):
    proposal, _ = asked(lambda x: 0 * x[:, :1] - 20, noise, Prompt(mask=l_shape), num_passes=3)
    assert (proposal.logits < 0).all()
    assert np.isfinite(proposal.logits).all()


def test_a_mask_of_one_voxel(noise):
    mask = np.zeros(noise.shape[1:], bool)
    mask[13, 2, 17] = True
    # Grid points lie a quarter of a voxel beside it, along each axis: 0.75 ** 3 of it is seen.
    proposal, network = asked(lambda x: 8 * (x[:, 1:2] + 0.4), noise, Prompt(mask=mask))
    np.testing.assert_array_equal(proposal.logits[0] > 0, mask)
    assert network.shown[0].shape == (1, 6, 24, 24, 24)


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(points=points((13, 11, 9, 1), (2, 2, 1, -1))),
        Prompt(box=Box((5, 4, 1), (18, 16, 14))),
        Prompt(mask=ball((26, 22, 18), (13, 11, 9), 5)),
        Prompt(
            points((13, 11, 9, 1)),
            Box((5, 4, 1), (18, 16, 14)),
            ball((26, 22, 18), (13, 11, 9), 5),
        ),
    ],
    ids=["points", "box", "mask", "all"],
)
@pytest.mark.parametrize("spacing_mm", [CUBIC, (0.8, 1.1, 3.0)], ids=["cubic", "anisotropic"])
def test_every_kind_of_prompt_is_answered_on_the_grid_of_the_image(
    scout_weights, noise, spacing_mm, prompt
):
    options = {"budget": LEAST, "num_flips": 2}
    scout = Scout.build(options, checkpoint=scout_weights, device="cpu")
    proposal = scout.segment(scout.embed(noise, spacing_mm), [prompt, Prompt()])
    assert proposal.logits.shape == (2, 26, 22, 18)
    assert proposal.logits.dtype == np.float32
    assert np.isfinite(proposal.logits).all()
    assert proposal.logits[0].std() > 0
    assert (proposal.logits[1] == OUTSIDE_LOGIT).all()
    again = scout.segment(scout.embed(noise, spacing_mm), [prompt])
    np.testing.assert_array_equal(again.logits[0], proposal.logits[0])


def test_what_is_shown_is_what_was_said(noise):
    mask = ball((26, 22, 18), (13, 11, 9), 6)
    box = Box((6, 5, 3), (20, 18, 16))
    said = Prompt(points((13, 11, 9, 1), (20, 11, 9, -1)), box, mask)
    _, network = asked(of_mask, noise, said, num_flips=1)
    image, prior, boxed, inside, outside, alike = network.shown[0][0]
    assert float(image[prior > 0].mean()) == pytest.approx(0, abs=1e-4)
    assert float(alike.abs().max()) > 0
    assert (float(prior.min()), float(prior.max())) == (-1, 1)
    assert float(boxed.max()) == 1
    # the middle of the view is the middle of the object, and the click lies there
    assert float(inside[11:13, 11:13, 11:13].min()) > 0.8
    assert float(outside[11:13, 11:13, 11:13].max()) < 0.3
    assert float(outside.max()) > 0.8


def test_the_view_is_cubic_in_millimetres():
    # A ball of 6 mm on a grid of 1 x 1 x 3 mm: in the view it is as long along every axis.
    grid = np.indices((30, 30, 10)) * np.array([1.0, 1.0, 3.0]).reshape(3, 1, 1, 1)
    mask = ((grid - np.array([15.0, 15, 15]).reshape(3, 1, 1, 1)) ** 2).sum(axis=0) < 36
    image = np.zeros((1, 30, 30, 10), np.float32)
    _, network = asked(of_mask, image, Prompt(mask=mask), spacing_mm=(1, 1, 3), num_flips=1)
    prior = network.shown[0][0, 1] > 0
    lengths = [int(prior.any(dim=others).sum()) for others in ((1, 2), (0, 2), (0, 1))]
    assert max(lengths) - min(lengths) <= 3
    assert min(lengths) > 10


@pytest.mark.parametrize("radius", [7, 11])
@pytest.mark.parametrize("where", [(24, 24, 24), (12, 30, 26)], ids=["middle", "aside"])
def test_clicks_alone_find_the_size_of_the_object(radius, where):
    truth = ball((48, 48, 48), where, radius)
    proposal, _ = asked(
        of_image, truth[None].astype(np.float32), Prompt(points=points((*where, 1))), num_flips=1
    )
    assert dice(proposal.logits[0] > 0, truth) > 0.9


def test_clicks_that_find_nothing_anywhere(noise):
    proposal, network = asked(
        lambda x: 0 * x[:, :1] - 20, noise, Prompt(points=points((13, 11, 9, 1))), num_flips=1
    )
    assert (proposal.logits < 0).all()
    assert np.isnan(proposal.predicted_iou).all()
    assert len(network.shown) == 4  # every size was tried


def test_an_answer_is_asked_again_as_the_mask(noise, l_shape):
    def grown(inputs):  # everything within a voxel or two of the mask
        return 10 * (nn.functional.max_pool3d(inputs[:, 1:2], 3, 1, 1) + 0.5)

    once, one = asked(grown, noise, Prompt(mask=l_shape), num_flips=1)
    twice, two = asked(grown, noise, Prompt(mask=l_shape), num_flips=1, num_passes=2)
    assert (len(one.shown), len(two.shown)) == (1, 2)
    assert (twice.logits > 0).sum() > (once.logits > 0).sum() > l_shape.sum()


def test_every_channel_is_asked_or_the_one_that_is_named(noise, l_shape):
    image = np.concatenate([noise, -noise, 2 * noise])
    proposal, network = asked(of_mask, image, Prompt(mask=l_shape), num_flips=2)
    assert len(network.shown) == 6
    _, network = asked(of_mask, image, Prompt(mask=l_shape), num_flips=1, channel=1)
    (shown,) = network.shown
    _, alone = asked(of_mask, -noise, Prompt(mask=l_shape), num_flips=1)
    assert torch.equal(shown, alone.shown[0])
    assert proposal.predicted_iou[0] == pytest.approx(1, abs=1e-4)


def test_a_channel_that_is_not_there_is_told(noise):
    with pytest.raises(UsageError, match="channel is 1, but the image has 1 channels"):
        asked(of_mask, noise, Prompt(), channel=1)


def test_a_box_alone_says_where_and_a_mask_says_it_better(l_shape):
    box = Box((0, 0, 0), (26, 22, 18))
    assert hear(Prompt(box=box)).extent[1].tolist() == [26, 22, 18]
    low, high = hear(Prompt(box=box, mask=l_shape)).extent
    assert (low.tolist(), high.tolist()) == ([6, 6, 4], [20, 16, 13])
    assert hear(Prompt(points=points((1, 2, 3, 1)))).extent is None


def test_other_weights_take_the_place_of_its_own(scout_weights, noise, l_shape, tmp_path):
    scout = Scout.build({"budget": LEAST}, checkpoint=scout_weights, device="cpu")
    volume = scout.embed(noise, CUBIC)
    before = scout.segment(volume, [Prompt(mask=l_shape)]).logits
    tensors = {name: value.float().numpy() for name, value in load_file(scout_weights).items()}
    for array in tensors.values():
        array.setflags(write=False)  # as they come from an artifact
    scout.take_weights(tensors, path=tmp_path)
    np.testing.assert_array_equal(scout.segment(volume, [Prompt(mask=l_shape)]).logits, before)
    scout.take_weights({**tensors, "body.conv_final.2.conv.bias": np.float32([5])}, path=tmp_path)
    assert (scout.segment(volume, [Prompt(mask=l_shape)]).logits > before).any()
    with pytest.raises(WeightsError, match="not the expected scout"):
        scout.take_weights({"body.conv_final.2.conv.bias": np.float32([5])}, path=tmp_path)


def test_the_shipped_weights_are_taken_when_none_are_named(noise, l_shape):
    assert GENERALISTS["scout"].shipped == SHIPPED_WEIGHTS
    if not SHIPPED_WEIGHTS.exists():
        with pytest.raises(WeightsError, match=r"scout\.safetensors: there is no such file"):
            Scout.build({}, checkpoint=None, device="cpu")
        pytest.skip("the weights are not in the package yet")
    shape, rng = (40, 40, 32), np.random.default_rng(0)
    truth = ball(shape, (19, 21, 16), 9)
    image = (truth + 0.2 * rng.normal(size=(1, *shape))).astype(np.float32)
    shifted = np.roll(truth, 3, axis=0)
    scout = Scout.build({"budget": 30_000}, checkpoint=None, device="cpu")
    proposal = scout.segment(scout.embed(image, CUBIC), [Prompt(mask=shifted)])
    assert dice(proposal.logits[0] > 0, truth) > dice(shifted, truth) + 0.05
    assert 0 < proposal.predicted_iou[0] <= 1


def test_it_has_seen_no_data_set():
    seen = exposure("scout", "Left Atrium", "f" * 64)
    assert seen.verdict == "procedural"
    assert "it has seen no data set" in seen.sentence
    assert exposure("scout", "a data set that nobody knows").verdict == "procedural"


def test_the_answer_is_that_of_the_weights_it_has_now(noise):
    prompt = Prompt(mask=ball(noise.shape[1:], (13, 11, 9), 6))

    def ask(scout):
        return scout.segment(scout.embed(noise, CUBIC), [prompt]).logits

    scout, other = (Scout.build({"budget": LEAST}, checkpoint=None, device="cpu") for _ in range(2))
    first = ask(scout)
    halved = {name: 0.5 * one.numpy() for name, one in scout._network.state_dict().items()}
    scout.take_weights(halved, path=SHIPPED_WEIGHTS)
    assert not np.allclose(ask(scout), first, atol=0.1)
    with torch.no_grad():
        for one in other.training_parts(lora_rank=0).parameters():
            one *= 0.5
    np.testing.assert_allclose(ask(other), ask(scout), atol=1e-3)  # as it is, and folded
    other._network.requires_grad_(False)
    np.testing.assert_allclose(ask(other), ask(scout), atol=1e-5)
