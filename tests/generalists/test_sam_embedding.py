"""The cache changes how long SAM takes, and not one bit of what it says."""

import numpy as np
import pytest
import torch

from samssl_cli.generalists.embedding_cache import EmbeddingCache
from samssl_cli.generalists.sam import SegmentAnything
from samssl_cli.prompts.types import Box, Prompt

MM = (1.0, 1.0, 1.0)
FIRST = [Prompt(box=Box((2, 2, 1), (9, 9, 4)))]  # slices 1, 2, 3
SECOND = [Prompt(box=Box((1, 3, 2), (8, 9, 6)))]  # slices 2, 3, 4, 5


@pytest.fixture
def asked(sam, image, tmp_path):
    """Ask prompts in a run of its own; gives the answers and how many slices were encoded."""

    def ask(
        prompts, *, cached=True, weights="w", device="cpu", shown=image, spacing_mm=MM, **options
    ):
        generalist = SegmentAnything(sam, SegmentAnything.Options(**options))
        if cached:
            cache = EmbeddingCache(tmp_path / "cache", max_gb=1)
            generalist.remember_in(cache, weights_sha256=weights, device=device)
        embedding = generalist.embed(shown, spacing_mm)
        logits = generalist.segment(embedding, prompts).logits
        return logits, embedding.num_encoded

    return ask


WAYS = {
    "all axes": {"axis": "all"},
    "all axes of flat voxels": {"axis": "all", "spacing_mm": (1, 1, 2)},
    "all axes, in groups": {"axis": "all", "encode_batch": 4},
    "mosaics": {"mosaic": 2},
    "mosaics, all axes": {"mosaic": 2, "axis": "all", "encode_batch": 2},
    "one mosaic": {"mosaic": "fit"},
    "around the object": {"window": "around", "axis": "all"},
    "one by one": {"clicks": "one-by-one", "multimask": "agreement"},
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_however_a_volume_is_shown_the_cache_changes_no_bit(asked, way):
    without, num_pictures = asked(SECOND, cached=False, **way)
    asked(FIRST, **way)
    half_filled, in_half_filled = asked(SECOND, **way)
    full, in_full = asked(SECOND, **way)

    assert half_filled.tobytes() == full.tobytes() == without.tobytes()
    assert in_half_filled < num_pictures or way.get("window") == "around"
    assert in_full == 0


@pytest.mark.parametrize("encode_batch", [1, 2, 4])
@pytest.mark.parametrize("preprocessing", ["sam", "medsam"])
def test_no_cache_an_empty_a_half_filled_and_a_full_one_agree_to_the_bit(
    asked, preprocessing, encode_batch
):
    options = {"preprocessing": preprocessing, "encode_batch": encode_batch}
    without, _ = asked(SECOND, cached=False, **options)

    asked(FIRST, **options)
    half_filled, num_encoded = asked(SECOND, **options)
    full, num_encoded_again = asked(SECOND, **options)

    assert num_encoded == 2  # slices 4 and 5, whatever the groups: 0-3 were encoded for the first
    assert num_encoded_again == 0
    assert half_filled.tobytes() == full.tobytes() == without.tobytes()


def test_slices_are_encoded_in_groups_that_do_not_depend_on_who_asks(sam, image):
    generalist = SegmentAnything(sam, SegmentAnything.Options(encode_batch=4))
    ((alone,), (together,)) = (generalist.embed(image, MM).views([]) for _ in range(2))
    alone, together = alone.pictures, together.pictures

    (one,) = alone.features([2])
    many = together.features([5, 3, 2])

    assert (alone.num_encoded, together.num_encoded) == (4, 6)  # 0-3; 0-3 and the last two
    assert one.dtype == torch.float16
    assert torch.equal(one, many[2])


def test_another_strategy_encodes_nothing(asked):
    everything = [Prompt(box=Box((0, 0, 0), (20, 14, 6)))]
    assert asked(everything)[1] == 6
    assert asked(SECOND)[1] == 0
    assert asked(FIRST, box_margin=5, use_mask_prompt=False, decode_batch=1)[1] == 0


@pytest.mark.parametrize(
    "change",
    [
        {"weights": "other"},
        {"device": "cuda some card"},
        {"preprocessing": "medsam"},
        {"window_percentiles": (5, 95)},
        {"axis": "i"},
        {"encode_batch": 3},
        {"mosaic": 2},
        {"window": "tissue", "window_percentiles": (5, 95)},
        {"spacing_mm": (1, 2, 1)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_changes_the_features_is_encoded_anew(asked, change):
    asked(FIRST)
    assert asked(FIRST, **change)[1] > 0


def test_the_axes_of_all_are_the_axes_that_were_asked_alone(asked):
    for axis in "ijk":
        asked(FIRST, axis=axis)

    assert asked(FIRST, axis="all")[1] == 0


def test_voxels_of_another_size_and_the_same_shape_change_nothing(asked):
    asked(FIRST)
    assert asked(FIRST, spacing_mm=(0.5, 0.5, 3))[1] == 0  # cut across k: square


def test_only_the_pictures_that_changed_are_encoded_anew(asked, image):
    asked(FIRST)
    changed = image.copy()
    changed[:, 5, 5, 2] = np.median(image)  # the 0.5 and 99.5 percentiles stay

    assert asked(FIRST, shown=changed)[1] == 1


def test_a_slice_is_kept_as_soon_as_it_is_encoded(asked, sam, monkeypatch):
    """As after a kill: the third slice was being encoded, the first two are never again."""
    passes = []
    encode = sam.image_encoder.forward

    def dies_at_the_third(pixels):
        passes.append(len(pixels))
        if len(passes) == 3:
            raise KeyboardInterrupt
        return encode(pixels)

    with monkeypatch.context() as patched:
        patched.setattr(sam.image_encoder, "forward", dies_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            asked(FIRST)

    resumed, num_encoded = asked(FIRST)
    assert num_encoded == 1
    assert resumed.tobytes() == asked(FIRST, cached=False)[0].tobytes()
