import math

import pytest
import torch

from samssl_cli.generalists.scout_evidence import likeness, pointed_at, standardised

SHAPE = (8, 8, 8)


def slab(low, high):
    where = torch.zeros(SHAPE)
    where[low:high] = 1
    return where


def test_the_mask_points_first_then_clicks_then_the_box():
    mask, clicks, box = slab(0, 2), slab(2, 4), slab(4, 6)
    assert torch.equal(pointed_at(mask, clicks, box, SHAPE), mask > 0.5)
    assert torch.equal(pointed_at(None, clicks, box, SHAPE), clicks > 0.5)
    assert torch.equal(pointed_at(mask * 0.4, clicks * 0, box, SHAPE), box > 0.5)
    assert bool(pointed_at(None, None, None, SHAPE).all())


def test_seven_grid_points_say_too_little():
    few = torch.zeros(SHAPE)
    few.view(-1)[:7] = 1
    assert bool(pointed_at(few, None, None, SHAPE).all())
    few.view(-1)[7] = 1
    assert int(pointed_at(few, None, None, SHAPE).sum()) == 8


def test_an_image_is_standardised_over_what_is_pointed_at():
    image = torch.arange(512.0).view(SHAPE)
    where = slab(2, 5) > 0
    seen = standardised(image, where)[where]
    assert float(seen.mean()) == pytest.approx(0, abs=1e-5)
    assert float(seen.std()) == pytest.approx(1, abs=1e-5)


def test_what_is_uniform_is_measured_by_the_rest():
    image = slab(0, 4)  # 0 and 1, half each: spread 0.5 (with 511 for 512)
    spread = 0.15 * math.sqrt(0.25 * 512 / 511)
    outside = standardised(image, image > 0)[4:]
    assert float(outside.max()) == pytest.approx(-1 / spread, rel=1e-4)
    assert bool(torch.isfinite(standardised(torch.zeros(SHAPE), image > 0)).all())


def test_what_looks_alike_is_likely_and_what_does_not_is_not():
    image = torch.full(SHAPE, -1.0)
    image[:4] = 1.0  # two tissues; half of the bright one is pointed at
    found = likeness(image, slab(0, 2) > 0)
    assert float(found[0].min()) > 0
    assert float(found[7].max()) == pytest.approx(-1.5)  # never seen there: clamped
    assert torch.allclose(found, likeness(-image, slab(0, 2) > 0))  # dark on bright is as good


def test_without_an_elsewhere_nothing_is_likelier():
    assert not likeness(torch.randn(SHAPE), torch.ones(SHAPE, dtype=torch.bool)).any()
