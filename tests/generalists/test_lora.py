import pytest
import torch
from torch import nn

from samssl_cli.generalists.lora import LoraFactors, LoraQkv, add_lora, blank_factors, merge_lora


class Attention(nn.Module):
    """Nothing but the layer."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv: nn.Module = nn.Linear(6, 18).requires_grad_(False)


@pytest.fixture
def attention():
    torch.manual_seed(0)
    return Attention()


@pytest.fixture
def tokens():
    return torch.randn(2, 5, 6)


def moved(factors):
    """Give B something to do."""
    with torch.no_grad():
        for own in factors:
            own.q_b.normal_()
            own.v_b.normal_()


def test_at_first_nothing_changes(attention, tokens):
    before = attention.qkv(tokens)

    add_lora([attention], rank=2)

    assert isinstance(attention.qkv, LoraQkv)
    assert torch.equal(attention.qkv(tokens), before)


def test_queries_and_values_change_and_keys_do_not(attention, tokens):
    before = attention.qkv(tokens)

    moved(add_lora([attention], rank=2))
    query, key, value = (attention.qkv(tokens) - before).chunk(3, dim=-1)

    assert torch.equal(key, torch.zeros_like(key))
    assert query.abs().min() > 0
    assert value.abs().min() > 0


def test_the_update_is_b_a_x(attention):
    (factors,) = add_lora([attention], rank=1)
    with torch.no_grad():
        for name, value in (("q_a", 1.0), ("q_b", 2.0), ("v_a", 1.0), ("v_b", -3.0)):
            getattr(factors, name).fill_(value)
    x = torch.arange(6.0)  # A x = 0 + 1 + … + 5 = 15

    change = attention.qkv(x) - attention.qkv.base(x)

    torch.testing.assert_close(change, torch.tensor(6 * [30.0] + 6 * [0.0] + 6 * [-45.0]))


def test_gradients_reach_the_factors_and_not_the_layer(attention, tokens):
    (factors,) = add_lora([attention], rank=2)

    attention.qkv(tokens).square().sum().backward()

    assert factors.q_b.grad.abs().sum() > 0
    assert factors.v_b.grad.abs().sum() > 0
    assert attention.qkv.base.weight.grad is None


def test_merged_answers_are_the_same(attention, tokens):
    merged = Attention()
    merged.load_state_dict(attention.state_dict())
    factors = add_lora([attention], rank=2)
    moved(factors)
    copied = blank_factors([merged], rank=2)
    copied.load_state_dict(factors.state_dict())

    merge_lora([merged], copied)

    torch.testing.assert_close(merged.qkv(tokens), attention.qkv(tokens))


def test_zero_factors_leave_the_weights_as_they_were_to_the_bit(attention):
    before = attention.qkv.weight.clone()

    merge_lora([attention], nn.ModuleList([LoraFactors(6, 2)]))

    assert torch.equal(attention.qkv.weight, before)
