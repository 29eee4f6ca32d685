"""SAM's attention in blocks gives what `segment_anything`'s gives."""

import copy

import pytest
import torch
from segment_anything.modeling.image_encoder import Attention as TheirEncoderAttention
from segment_anything.modeling.transformer import Attention as TheirDecoderAttention

from samssl_cli.generalists import sam_attention
from samssl_cli.generalists.sam_attention import DecoderAttention, EncoderAttention, make_lean


@pytest.fixture
def theirs():
    torch.manual_seed(0)
    attention = TheirEncoderAttention(
        24, num_heads=3, use_rel_pos=True, input_size=(5, 7), qkv_bias=True
    )
    for table in (attention.rel_pos_h, attention.rel_pos_w):
        torch.nn.init.normal_(table)
    return attention.requires_grad_(False)


def tokens():
    return torch.randn(2, 5, 7, 24, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("scores_at_once", [1, 36, 200, 35 * 35, 10**6])
def test_blocks_of_every_size_give_the_same(theirs, monkeypatch, scores_at_once):
    expected = theirs(tokens())
    monkeypatch.setattr(sam_attention, "_SCORES_AT_ONCE", scores_at_once)
    with torch.inference_mode():
        torch.testing.assert_close(EncoderAttention(theirs)(tokens()), expected)


def test_blocks_cover_every_query_of_every_head_once(monkeypatch):
    monkeypatch.setattr(sam_attention, "_SCORES_AT_ONCE", 40)
    seen = torch.zeros(6, 13, dtype=torch.int)
    for block in sam_attention._blocks(6, 13):
        assert seen[block].numel() * 13 <= 40
        seen[block] += 1
    assert (seen == 1).all()


def test_with_gradients_it_gives_the_same_and_its_gradients(theirs):
    mine, their_tokens = tokens().requires_grad_(), tokens().requires_grad_()
    ours = EncoderAttention(copy.deepcopy(theirs))(mine)
    expected = theirs(their_tokens)
    torch.testing.assert_close(ours, expected)
    ours.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(mine.grad, their_tokens.grad)


def test_the_decoders_attention_gives_the_same():
    torch.manual_seed(0)
    theirs = TheirDecoderAttention(32, num_heads=4, downsample_rate=2)
    query, key, value = torch.randn(2, 3, 32), torch.randn(2, 9, 32), torch.randn(2, 9, 32)
    torch.testing.assert_close(
        DecoderAttention(theirs)(query, key, value), theirs(query, key, value)
    )


def test_no_weight_changes_its_name(sam):
    before, lean = sam.state_dict(), copy.deepcopy(sam)
    make_lean(lean)
    after = lean.state_dict()
    assert set(after) == set(before)
    assert all(torch.equal(after[name], value) for name, value in before.items())
    kinds = {type(module).__name__ for module in lean.modules()}
    assert {"EncoderAttention", "DecoderAttention"} <= kinds
    assert "Attention" not in kinds
