"""SAM 2's features in memory and on disk: fewer encodings, and not one bit otherwise."""

import numpy as np
import pytest

from samssl_cli.generalists.embedding_cache import EmbeddingCache
from samssl_cli.generalists.sam2 import Sam2
from samssl_cli.generalists.sam2_features import Features
from samssl_cli.generalists.sam2_video import Film
from samssl_cli.prompts.types import Box, Prompt

MM = (1.0, 1.0, 1.0)
FIRST = [Prompt(box=Box((2, 2, 1), (9, 9, 3)))]
SECOND = [Prompt(box=Box((1, 3, 2), (8, 9, 5)))]


@pytest.fixture
def asked(sam2, image, tmp_path):
    """Ask prompts in a run of its own; gives the answers and how many slices were encoded."""

    def ask(prompts, *, cached=True, weights="w", device="cpu", **options):
        generalist = Sam2(sam2, Sam2.Options(**options))
        if cached:
            cache = EmbeddingCache(tmp_path / "cache", max_gb=1)
            generalist.remember_in(cache, weights_sha256=weights, device=device)
        embedding = generalist.embed(image, MM)
        logits = generalist.segment(embedding, prompts).logits
        return logits, embedding.theatre.features.num_encoded

    return ask


def test_without_with_half_and_with_full_cache_the_answers_agree_to_the_bit(asked):
    without, num_slices = asked(SECOND, cached=False)
    _, in_first = asked(FIRST, reach=1)
    half_filled, in_half_filled = asked(SECOND)
    full, in_full = asked(SECOND)

    assert num_slices == 6
    assert in_half_filled == 6 - in_first > 0
    assert in_full == 0
    assert half_filled.tobytes() == full.tobytes() == without.tobytes()


def test_another_way_of_prompting_encodes_nothing(asked):
    asked(FIRST)
    assert asked(SECOND, key_prompt="mask", num_key_slices=2, kept_slices=2)[1] == 0


@pytest.mark.parametrize(
    "change",
    [{"weights": "other"}, {"device": "cuda"}, {"axis": "i"}, {"window_percentiles": (5, 95)}],
    ids=lambda change: next(iter(change)),
)
def test_what_changes_the_features_is_encoded_anew(asked, change):
    asked(FIRST)
    assert asked(FIRST, **change)[1] > 0


@pytest.fixture
def features(sam2):
    pictures = np.random.default_rng(0).integers(0, 256, (4, 20, 14, 1)).astype(np.uint8)
    film = Film(pictures, 64)
    return Features(sam2, film, pictures, kept_slices=2, memory=None), film


def test_features_and_positions_are_the_models_own(sam2, features):
    found, film = features

    got = found.get_vision_features(1)

    made = sam2.get_image_features(film[1][None], return_dict=True)
    for key, expected in (
        ("vision_feats", made.fpn_hidden_states),
        ("vision_pos_embeds", made.fpn_position_encoding),
    ):
        assert len(got[key]) == len(expected) == 3
        for one, other in zip(got[key], expected, strict=True):
            np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_features_beyond_the_limit_go_and_positions_are_kept_once(features):
    found, _ = features
    one, other = (found.get_vision_features(frame) for frame in (0, 1))
    assert one["vision_pos_embeds"] is other["vision_pos_embeds"]
    found.get_vision_features(2)
    assert (len(found), found.num_encoded) == (2, 3)
    found.get_vision_features(2)
    assert found.num_encoded == 3
    found.get_vision_features(0)
    assert found.num_encoded == 4
