"""Each block against its formula, written out; the whole against the published names and shapes."""

from itertools import product

import numpy as np
import pytest
import torch
from torch.nn import functional

from samssl_cli.generalists.med3d_architecture import Architecture, Med3d
from samssl_cli.generalists.med3d_decoder import CrossAttention, TwoWayBlock
from samssl_cli.generalists.med3d_encoder import EncoderBlock, GridAttention, PatchEmbedding
from samssl_cli.generalists.med3d_layers import ChannelNorm, Perceptron
from samssl_cli.generalists.med3d_prompts import PromptEncoder


def _linear(name: str, before: int, after: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (after, before), f"{name}.bias": (after,)}


def _norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def _conv(name: str, *shape: int, bias: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": shape, f"{name}.bias": (bias,)}


def _encoder_entries() -> dict[str, tuple[int, ...]]:
    entries = {"pos_embed": (1, 8, 8, 8, 768)}
    entries |= _conv("patch_embed.proj", 768, 1, 16, 16, 16, bias=768)
    for index in range(12):
        block, rows = f"blocks.{index}", 15 if index in (2, 5, 8, 11) else 27
        entries |= _norm(f"{block}.norm1", 768) | _norm(f"{block}.norm2", 768)
        entries |= _linear(f"{block}.attn.qkv", 768, 2304) | _linear(f"{block}.attn.proj", 768, 768)
        entries |= {f"{block}.attn.rel_pos_{axis}": (rows, 64) for axis in "dhw"}
        entries |= _linear(f"{block}.mlp.lin1", 768, 3072) | _linear(f"{block}.mlp.lin2", 3072, 768)
    entries |= {"neck.0.weight": (384, 768, 1, 1, 1), "neck.2.weight": (384, 384, 3, 3, 3)}
    return entries | _norm("neck.1", 384) | _norm("neck.3", 384)


def _prompt_entries() -> dict[str, tuple[int, ...]]:
    entries = {"pe_layer.positional_encoding_gaussian_matrix": (3, 128)}
    names = ("point_embeddings.0", "point_embeddings.1", "not_a_point_embed", "no_mask_embed")
    entries |= {f"{name}.weight": (1, 384) for name in names}
    entries |= _conv("mask_downscaling.0", 4, 1, 2, 2, 2, bias=4) | _norm("mask_downscaling.1", 4)
    entries |= _conv("mask_downscaling.3", 16, 4, 2, 2, 2, bias=16)
    entries |= _norm("mask_downscaling.4", 16)
    return entries | _conv("mask_downscaling.6", 384, 16, 1, 1, 1, bias=384)


def _attention_entries(name: str, inner: int) -> dict[str, tuple[int, ...]]:
    entries = _linear(f"{name}.out_proj", inner, 384)
    for part in "qkv":
        entries |= _linear(f"{name}.{part}_proj", 384, inner)
    return entries


def _decoder_entries() -> dict[str, tuple[int, ...]]:
    entries = {"iou_token.weight": (1, 384), "mask_tokens.weight": (4, 384)}
    for index in range(2):
        layer = f"transformer.layers.{index}"
        entries |= _attention_entries(f"{layer}.self_attn", 384)
        entries |= _attention_entries(f"{layer}.cross_attn_token_to_image", 192)
        entries |= _attention_entries(f"{layer}.cross_attn_image_to_token", 192)
        entries |= _linear(f"{layer}.mlp.lin1", 384, 2048) | _linear(f"{layer}.mlp.lin2", 2048, 384)
        for number in range(1, 5):
            entries |= _norm(f"{layer}.norm{number}", 384)
    entries |= _attention_entries("transformer.final_attn_token_to_image", 192)
    entries |= _norm("transformer.norm_final_attn", 384) | _norm("output_upscaling.1", 96)
    entries |= _conv("output_upscaling.0", 384, 96, 2, 2, 2, bias=96)
    entries |= _conv("output_upscaling.3", 96, 48, 2, 2, 2, bias=48)
    for index in range(4):
        for layer, after in enumerate((384, 384, 48)):
            entries |= _linear(f"output_hypernetworks_mlps.{index}.layers.{layer}", 384, after)
    widths = ((384, 256), (256, 256), (256, 4))
    for layer, (before, after) in enumerate(widths):
        entries |= _linear(f"iou_prediction_head.layers.{layer}", before, after)
    return entries


def test_the_published_size_has_the_published_names_and_shapes():
    expected = {
        f"{part}.{name}": shape
        for part, entries in {
            "image_encoder": _encoder_entries(),
            "prompt_encoder": _prompt_entries(),
            "mask_decoder": _decoder_entries(),
        }.items()
        for name, shape in entries.items()
    }
    with torch.device("meta"):
        model = Med3d(Architecture())

    found = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}

    assert len(found) == 324
    assert found == expected
    assert sum(parameter.numel() for parameter in model.parameters()) == 100_509_232
    assert sum(parameter.numel() for parameter in model.image_encoder.parameters()) == 92_924_928
    assert sum(parameter.numel() for parameter in model.prompt_encoder.parameters()) == 8_668
    assert sum(parameter.numel() for parameter in model.mask_decoder.parameters()) == 7_575_636


def test_a_window_has_whole_patches_and_no_more_than_the_attention_takes():
    with pytest.raises(AssertionError):
        Architecture(window=100)
    with pytest.raises(AssertionError):
        Architecture(window=256)


def test_channels_are_normalised_voxel_by_voxel():
    norm = ChannelNorm(2)
    x = torch.tensor([3.0, 5.0]).reshape(1, 2, 1, 1, 1)

    # mean 4, biased variance 1: (3 - 4) / 1 and (5 - 4) / 1
    torch.testing.assert_close(norm(x).flatten(), torch.tensor([-1.0, 1.0]), atol=1e-5, rtol=0)


def test_a_perceptron_has_relu_between_layers_and_none_after():
    perceptron = Perceptron((1, 2, 1))
    with torch.no_grad():
        perceptron.layers[0].weight.copy_(torch.tensor([[1.0], [-1.0]]))
        perceptron.layers[0].bias.zero_()
        perceptron.layers[1].weight.copy_(torch.tensor([[-1.0, -10.0]]))
        perceptron.layers[1].bias.fill_(0.5)

        # relu(2, -2) = (2, 0); -1 * 2 - 10 * 0 + 0.5
        assert perceptron(torch.tensor([2.0])).item() == -1.5


def _slow_attention(attention: GridAttention, tokens: np.ndarray) -> np.ndarray:
    """The formula in the docstring of `GridAttention`, token by token, on the padded cube."""
    side, heads = attention.side, attention.num_heads
    grid, width = tokens.shape[0], tokens.shape[-1]
    cube = np.zeros((side, side, side, width))
    cube[:grid, :grid, :grid] = tokens
    weights = {
        name: value.detach().double().numpy() for name, value in attention.named_parameters()
    }
    qkv = cube @ weights["qkv.weight"].T + weights["qkv.bias"]
    query, key, value = (part.reshape(side, side, side, heads, -1) for part in np.split(qkv, 3, -1))
    tables = (weights["rel_pos_d"], weights["rel_pos_h"], weights["rel_pos_w"])
    joined = np.zeros((grid, grid, grid, heads, width // heads))
    for i, j, k, n in product(range(grid), range(grid), range(grid), range(heads)):
        scores = np.zeros((side, side, side))
        for x, y, z in product(range(side), repeat=3):
            scores[x, y, z] = query[i, j, k, n] @ key[x, y, z, n] / np.sqrt(width // heads)
            asked = (query[i, j, k, n], query[i, j, x, n], query[i, j, y, n])
            for q, table, step in zip(asked, tables, (i - z, j - z, y - z), strict=True):
                scores[x, y, z] += q @ table[step + side - 1]
        share = np.exp(scores - scores.max())
        joined[i, j, k, n] = np.tensordot(share / share.sum(), value[..., n, :], axes=3)
    flat = joined.reshape(grid, grid, grid, width)
    return flat @ weights["proj.weight"].T + weights["proj.bias"]


@pytest.mark.parametrize(("grid", "side"), [(2, 2), (2, 3)], ids=["global", "in a larger cube"])
def test_attention_follows_its_formula_with_the_padding_taking_part(grid, side):
    torch.manual_seed(0)
    attention = GridAttention(4, 2, side)
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.normal_()
        tokens = torch.randn(2, grid, grid, grid, 4)

        found = attention(tokens)

    for one, expected in zip(found, tokens, strict=True):
        slow = _slow_attention(attention, expected.double().numpy())
        np.testing.assert_allclose(one.numpy(), slow, atol=1e-5)


def test_an_encoder_block_pads_after_its_norm_and_adds_twice():
    torch.manual_seed(0)
    block = EncoderBlock(4, 2, 8, 3)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.normal_()
        x = torch.randn(1, 2, 2, 2, 4)

        normed = functional.layer_norm(x, (4,), block.norm1.weight, block.norm1.bias, 1e-6)
        attended = _slow_attention(block.attn, normed[0].double().numpy())
        y = x + torch.tensor(attended, dtype=torch.float32)
        normed = functional.layer_norm(y, (4,), block.norm2.weight, block.norm2.bias, 1e-6)
        expected = y + block.mlp.lin2(functional.gelu(block.mlp.lin1(normed)))

        torch.testing.assert_close(block(x), expected, atol=1e-4, rtol=1e-4)


def test_patches_become_tokens_in_the_order_of_the_axes():
    embedding = PatchEmbedding(2, 1)
    image = torch.zeros(1, 1, 4, 4, 4)
    image[0, 0, 2:, :2, 2:] = 1  # the patch (1, 0, 1)
    with torch.no_grad():
        embedding.proj.weight.fill_(1)
        embedding.proj.bias.zero_()

        tokens = embedding(image)

    assert tokens.shape == (1, 2, 2, 2, 1)
    assert tokens[0, 1, 0, 1, 0] == 8
    assert tokens.sum() == 8


@pytest.fixture
def prompt_encoder() -> PromptEncoder:
    """Windows of 4 voxels in 4 patches; one frequency, along the first axis alone."""
    encoder = PromptEncoder(width=3, grid=4, window=4, mask_channels=4)
    encoder.pe_layer.positional_encoding_gaussian_matrix.copy_(torch.tensor([[1.0], [0.0], [0.0]]))
    with torch.no_grad():
        for value, embedding in enumerate([*encoder.point_embeddings, encoder.not_a_point_embed]):
            embedding.weight.fill_(10.0 * (value + 1))  # negative 10, positive 20, none 30
    return encoder


def test_a_click_is_its_position_and_its_sign(prompt_encoder):
    coordinates = torch.tensor([[[0.0, 2.0, 3.0], [1.0, 0.0, 0.0]]])
    is_positive = torch.tensor([[True, False]])

    tokens = prompt_encoder.clicks(coordinates, is_positive)

    # voxel 0 of 4: 0.125, angle 2 pi (0.25 - 1) = -3/2 pi: sine 1, cosine 0
    # voxel 1 of 4: 0.375, angle 2 pi (0.75 - 1) = -1/2 pi: sine -1, cosine 0
    expected = torch.tensor([[[21.0, 20.0, 21.0], [9.0, 10.0, 9.0], [30.0, 30.0, 30.0]]])
    torch.testing.assert_close(tokens, expected, atol=1e-5, rtol=0)


def test_without_clicks_there_are_no_tokens(prompt_encoder):
    tokens = prompt_encoder.clicks(torch.zeros(2, 0, 3), torch.zeros(2, 0, dtype=torch.bool))

    assert tokens.shape == (2, 0, 3)


def test_the_positions_of_patches_have_their_first_two_axes_swapped(prompt_encoder):
    positions = prompt_encoder.grid_positions()

    # the frequency of the first axis of clicks varies along the second axis of patches
    sines = torch.tensor([1.0, -1.0, 1.0, -1.0])
    expected = sines[None, :, None].expand(4, 4, 4)
    assert positions.shape == (1, 3, 4, 4, 4)
    torch.testing.assert_close(positions[0, 0], expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(positions[0, 2], expected, atol=1e-5, rtol=0)


def test_a_mask_is_encoded_at_a_quarter_of_its_size(prompt_encoder):
    assert prompt_encoder.mask(torch.zeros(2, 1, 16, 16, 16)).shape == (2, 3, 4, 4, 4)


def test_attention_to_one_token_is_that_token_projected():
    attention = CrossAttention(16, 8)
    query, key, value = torch.randn(1, 3, 16), torch.randn(1, 1, 16), torch.randn(1, 1, 16)

    with torch.no_grad():
        found = attention(query, key, value)
        expected = attention.out_proj(attention.v_proj(value)).expand(1, 3, 16)

    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("is_first", [True, False], ids=["first", "later"])
def test_only_later_blocks_add_to_their_tokens(is_first):
    block = TwoWayBlock(16, 8, is_first=is_first)
    tokens, image = torch.randn(1, 2, 16), torch.randn(1, 5, 16)
    answer = torch.randn(16)
    with torch.no_grad():
        for name, parameter in block.named_parameters():
            if "norm" not in name:
                parameter.zero_()
        block.self_attn.out_proj.bias.copy_(answer)

        found, seen = block(tokens, image, tokens, image)

    expected = answer.expand(1, 2, 16) if is_first else tokens + answer
    torch.testing.assert_close(found, functional.layer_norm(expected, (16,)), atol=1e-4, rtol=0)
    torch.testing.assert_close(seen, functional.layer_norm(image, (16,)), atol=1e-4, rtol=0)


def test_a_mask_is_the_first_brush_times_the_upscaled_image(med3d, tiny_shape):
    torch.manual_seed(1)
    features = torch.randn(1, 48, 4, 4, 4)
    clicks, mask = torch.randn(2, 2, 48), torch.randn(2, 48, 4, 4, 4)
    decoder, positions = med3d.mask_decoder, med3d.prompt_encoder.grid_positions()

    logits, ratings = decoder(features, positions, clicks, mask)

    own = torch.cat([decoder.iou_token.weight, decoder.mask_tokens.weight]).expand(2, 5, 48)
    image = (features + mask).reshape(2, 48, 64).transpose(1, 2)
    tokens, image = decoder.transformer(
        torch.cat([own, clicks], dim=1), image, positions.reshape(1, 48, 64).transpose(1, 2)
    )
    drawn = decoder.output_upscaling(image.transpose(1, 2).reshape(2, 48, 4, 4, 4))
    brush = decoder.output_hypernetworks_mlps[0](tokens[:, 1])
    expected = (brush[:, :, None, None, None] * drawn).sum(dim=1)
    assert logits.shape == (2, 1, tiny_shape.low_res, tiny_shape.low_res, tiny_shape.low_res)
    torch.testing.assert_close(logits[:, 0], expected)
    torch.testing.assert_close(ratings, decoder.iou_prediction_head(tokens[:, 0])[:, 0])


def test_answers_of_a_batch_are_those_of_each_alone(med3d, tiny_shape):
    torch.manual_seed(2)
    features = med3d.encode(torch.randn(1, 1, 32, 32, 32))
    coordinates = torch.tensor([[[3.0, 4.0, 5.0]], [[20.0, 4.0, 30.0]]])
    signs, previous = torch.tensor([[True], [False]]), torch.randn(2, 1, 16, 16, 16)

    together, ratings = med3d.answer(features, coordinates, signs, previous)

    for one in range(2):
        part = slice(one, one + 1)
        alone, rating = med3d.answer(features, coordinates[part], signs[part], previous[part])
        torch.testing.assert_close(alone, together[part])
        torch.testing.assert_close(rating, ratings[part])
