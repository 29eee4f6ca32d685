import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from samssl_cli.errors import WeightsError
from samssl_cli.generalists.scout_network import ScoutNetwork
from samssl_cli.generalists.scout_weights import SHIPPED_WEIGHTS, identify_scout, load_scout
from samssl_cli.stages.weights import verify_weights


def test_half_precision_in_the_file_is_single_precision_in_use(scout_weights):
    network = load_scout(scout_weights, device="cpu")
    stored = load_file(scout_weights)
    for name, value in network.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, stored[name].float())
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_a_network_maps_six_channels_to_logits(scout_weights):
    with torch.inference_mode():
        logits = load_scout(scout_weights, device="cpu")(torch.randn(2, 6, 24, 32, 24))
    assert logits.shape == (2, 1, 24, 32, 24)
    assert bool(torch.isfinite(logits).all())


def _without(weights):
    weights.pop("body.conv_final.2.conv.bias")


def _with_more(weights):
    weights["head.9.bias"] = torch.zeros(1)


def _of_another_shape(weights):
    weights["body.conv_final.2.conv.bias"] = torch.zeros(2)


def _not_finite(weights):
    weights["body.conv_final.2.conv.bias"] = torch.tensor([float("nan")])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without, r"not the expected scout: 1 entry \(body\.conv_final\.2\.conv\.bias\) missing"),
        (_with_more, r"1 entry \(head\.9\.bias\) unexpected; expected the weights in the package"),
        (_of_another_shape, r"1 entry \(body\.conv_final\.2\.conv\.bias\) of another shape"),
        (_not_finite, r"1 entry \(body\.conv_final\.2\.conv\.bias\) not finite"),
    ],
)
def test_other_weights_are_refused(change, message, scout_weights, tmp_path):
    weights = load_file(scout_weights)
    change(weights)
    path = tmp_path / "other.safetensors"
    save_file(weights, path)
    with pytest.raises(WeightsError, match=message):
        load_scout(path, device="cpu")


def test_a_file_is_identified_and_verified(scout_weights):
    facts = identify_scout(scout_weights)
    assert facts.model == "scout"
    assert facts.num_parameters == sum(p.numel() for p in ScoutNetwork().parameters()) == 2_184_673
    verified = verify_weights(scout_weights)
    assert (verified["generalist"], verified["num_parameters"]) == ("scout", 2_184_673)


def test_the_weights_in_the_package_are_sound():
    if not SHIPPED_WEIGHTS.exists():
        pytest.skip("the weights are not in the package yet")
    stored = load_file(SHIPPED_WEIGHTS)
    assert {value.dtype for value in stored.values()} == {torch.float16}
    assert identify_scout(SHIPPED_WEIGHTS).num_parameters == 2_184_673
    assert SHIPPED_WEIGHTS.stat().st_size < 6e6
    assert all(np.isfinite(value.numpy()).all() for value in stored.values())
