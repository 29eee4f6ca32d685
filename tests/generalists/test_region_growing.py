import time

import numpy as np
import pytest
from scipy import ndimage

from samssl_cli.generalists.region_growing import MAX_LOGIT, RegionGrowing, likeness
from samssl_cli.generalists.region_seeds import seeds_of_box, seeds_of_mask, seeds_of_points
from samssl_cli.prompts.types import Box, Points, Prompt

SHAPE = (40, 36, 28)


def _ellipsoid(shape=SHAPE) -> np.ndarray:
    grid = np.indices(shape).astype(float)
    return sum(((g - n / 2) / (0.27 * n)) ** 2 for g, n in zip(grid, shape, strict=True)) < 1


def _bright(truth: np.ndarray, *, noise: float = 0.3, channels: int = 1) -> np.ndarray:
    rng = np.random.default_rng(1)
    sharp = ndimage.gaussian_filter(truth.astype(float), 0.7)
    return (sharp + noise * rng.normal(size=(channels, *truth.shape))).astype(np.float32)


def _points(*signed: tuple[int, int, int, int]) -> Points:
    table = np.array(signed)
    return Points(table[:, :3], table[:, 3] > 0)


def _box_around(mask: np.ndarray, margin: int) -> Box:
    found = ndimage.find_objects(mask.astype(int))[0]
    low = tuple(s.start - margin for s in found)
    return Box(low, tuple(s.stop + margin for s in found))


def _answer(image: np.ndarray, *prompts: Prompt, **options) -> np.ndarray:
    generalist = RegionGrowing.build(options, checkpoint=None, device="cpu")
    proposal = generalist.segment(generalist.embed(image, (1.0, 1.0, 1.0)), prompts)
    assert np.isnan(proposal.predicted_iou).all()
    assert proposal.logits.dtype == np.float32
    assert np.isfinite(proposal.logits).all()
    return proposal.logits


def _dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


def test_a_mask_two_voxels_off_is_pulled_back_to_the_border():
    truth = _ellipsoid()
    shifted = np.roll(truth, (2, 2), (0, 1))

    (logits,) = _answer(_bright(truth), Prompt(mask=shifted))

    assert _dice(shifted, truth) < 0.8
    assert _dice(logits > 0, truth) > 0.95


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(box=_box_around(_ellipsoid(), 2)),
        Prompt(_points((20, 18, 14, 1))),
        Prompt(_points((20, 18, 14, 1), (22, 18, 14, 1), (20, 30, 14, -1))),
        Prompt(_points((20, 18, 14, 1)), _box_around(_ellipsoid(), 2), _ellipsoid()),
    ],
    ids=["box", "one point", "points of both signs", "all"],
)
def test_any_kind_of_prompt_finds_the_object(prompt):
    truth = _ellipsoid()

    (logits,) = _answer(_bright(truth), prompt)

    assert _dice(logits > 0, truth) > 0.95


def test_a_dark_object_and_an_uninformative_channel_are_no_obstacle():
    truth = _ellipsoid()
    dark = -_bright(truth)
    noise = np.random.default_rng(2).normal(size=dark.shape).astype(np.float32)

    (logits,) = _answer(np.concatenate([5 * noise, dark]), Prompt(box=_box_around(truth, 2)))

    assert _dice(logits > 0, truth) > 0.95


def test_a_constant_image_returns_the_mask_as_it_was():
    truth = _ellipsoid()

    (logits,) = _answer(np.ones((1, *SHAPE), np.float32), Prompt(mask=truth))

    assert ((logits > 0) == truth).all()


def test_logits_are_distances_to_the_border_in_voxels():
    mask = np.zeros((24, 24, 24), bool)
    mask[4:20, 4:20, 4:20] = True

    (logits,) = _answer(np.ones((1, 24, 24, 24), np.float32), Prompt(mask=mask), softness_voxels=2)

    # voxels 3 | 4, 5 on a face: half a voxel outside, half and one and a half inside, over 2
    assert logits[3:6, 12, 12].tolist() == [-0.25, 0.25, 0.75]
    assert logits.min() >= -MAX_LOGIT


def test_points_correct_the_mask_next_to_them():
    truth = _ellipsoid()
    points = _points((20, 18, 14, -1), (20, 2, 14, 1))

    (logits,) = _answer(_bright(truth, noise=0), Prompt(points, mask=truth))

    assert logits[20, 18, 14] < 0
    assert logits[22, 18, 14] > 0


def _one_voxel() -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[5, 6, 7] = True
    return mask


NEVER_CRASH = {
    "nothing": Prompt(),
    "empty mask": Prompt(mask=np.zeros(SHAPE, bool)),
    "empty mask with a box": Prompt(box=Box((1, 1, 1), (9, 9, 9)), mask=np.zeros(SHAPE, bool)),
    "one voxel": Prompt(mask=_one_voxel()),
    "full mask": Prompt(mask=np.ones(SHAPE, bool)),
    "mask at the corner": Prompt(mask=np.roll(_ellipsoid(), (20, 18, 14), (0, 1, 2))),
    "box of one voxel": Prompt(box=Box((5, 5, 5), (6, 6, 6))),
    "box of everything": Prompt(box=Box((0, 0, 0), SHAPE)),
    "box beyond the image": Prompt(box=Box((30, 30, 20), (50, 50, 50))),
    "box away from the mask": Prompt(box=Box((30, 30, 20), (33, 33, 23)), mask=_one_voxel()),
    "point at the corner": Prompt(_points((0, 0, 0, 1))),
    "only negative points": Prompt(_points((3, 3, 3, -1))),
    "both signs on one voxel": Prompt(_points((3, 3, 3, 1), (3, 3, 3, -1))),
    "negative point on the only voxel": Prompt(_points((5, 6, 7, -1)), mask=_one_voxel()),
}


@pytest.mark.parametrize("image", ["ellipsoid", "constant"])
@pytest.mark.parametrize("prompt", NEVER_CRASH.values(), ids=NEVER_CRASH)
def test_odd_prompts_are_answered(prompt, image):
    values = _bright(_ellipsoid()) if image == "ellipsoid" else np.zeros((1, *SHAPE), np.float32)

    (logits,) = _answer(values, prompt)

    assert logits.shape == SHAPE


def test_no_prompt_no_object():
    assert (_answer(_bright(_ellipsoid()), Prompt()) == -MAX_LOGIT).all()


def test_a_one_voxel_object_keeps_its_voxel():
    (logits,) = _answer(np.zeros((1, *SHAPE), np.float32), Prompt(mask=_one_voxel()))

    assert ((logits > 0) == _one_voxel()).all()


def test_three_sets_of_a_large_object_take_less_than_two_seconds():
    truth = _ellipsoid((100, 70, 44))
    prompt = Prompt(_points((50, 35, 22, 1)), _box_around(truth, 2), truth)
    image = _bright(truth)
    start = time.process_time()

    _answer(image, prompt, prompt, prompt)

    assert time.process_time() - start < 2  # processor time: 0.5 s on an idle core


def test_likeness_is_one_at_the_level_inside_and_minus_one_outside():
    image = np.array([0, 0, 5, 10, 10], np.float32).reshape(1, 5, 1, 1)
    inside, outside = image[0] == 10, image[0] == 0

    found = likeness(image, inside, outside).ravel()  # no noise: fully reliable

    np.testing.assert_allclose(found, [-1, -1, 0, 1, 1], atol=1e-6)


def test_half_of_a_thin_object_stays_inside_while_a_thick_one_loses_the_band():
    mask = np.zeros((30, 30, 30), bool)
    mask[5:25, 5:25, 5:25] = True  # half-width 10, band 3
    mask[14:17, 14:17, 25:] = True  # a vessel of half-width 2, far end

    seeds = seeds_of_mask(mask, band=0.3, min_band_voxels=2)

    assert seeds.inside[15, 15, 29]
    assert not seeds.inside[14, 15, 29]
    assert seeds.inside[5:, 15, 10].argmax() == 3  # the outer three voxels are contested
    assert seeds.outside[15, 15 - 10 - 4, 10]
    assert not seeds.outside[15, 15 - 10 - 3, 10]


def test_the_reach_of_points_is_twice_the_gap_between_the_signs():
    seeds = seeds_of_points(
        _points((10, 10, 10, 1), (10, 14, 10, -1)), (30, 30, 30), reach_voxels=24
    )

    assert (~seeds.outside[10, 10]).nonzero()[0].tolist() == list(range(2, 19))  # 8 either way


def test_the_middle_of_a_box_is_inside_and_its_surroundings_are_not():
    seeds = seeds_of_box(Box((2, 2, 2), (10, 10, 10)), (12, 12, 12))

    assert seeds.inside[5, 5].nonzero()[0].tolist() == [4, 5, 6, 7]  # |k - 5.5| <= 0.5 * 4
    assert (~seeds.outside[5, 5]).nonzero()[0].tolist() == list(range(2, 10))
