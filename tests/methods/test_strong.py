import pytest
import torch

from samssl_cli.methods.strong import change_strongly, draw_box, draw_strong, visible


def test_without_magnitude_nothing_changes():
    image = torch.randn(2, 2, 5, 4, 3)
    changed = change_strongly(image, draw_strong(image, 0.0))
    assert torch.allclose(changed, image, atol=1e-6)


def test_a_change_keeps_the_shape_and_differs_from_patch_to_patch():
    torch.manual_seed(0)
    image = torch.randn(1, 2, 5, 4, 3).expand(2, -1, -1, -1, -1)
    changed = change_strongly(image, draw_strong(image, 1.0))
    assert changed.shape == image.shape
    assert changed.isfinite().all()
    assert (changed[0] != changed[1]).all()
    assert (changed - image).abs().mean() > 0.1


def test_the_draw_depends_on_torchs_seed_alone():
    image = torch.zeros(1, 1, 4, 4, 4)
    drawn = []
    for _ in range(2):
        torch.manual_seed(5)
        drawn.append(change_strongly(image, draw_strong(image, 1.0)))
    assert torch.equal(*drawn)


@pytest.mark.parametrize(
    ("fraction", "sides"), [(0.0, (0, 0, 0)), (0.5, (4, 3, 1)), (1.0, (8, 6, 2))]
)
def test_a_box_has_its_part_of_each_side_and_lies_inside(fraction, sides):
    torch.manual_seed(0)
    lows = set()
    for _ in range(50):
        box = draw_box((8, 6, 2), fraction)
        assert tuple(side.stop - side.start for side in box) == sides
        assert all(0 <= one.start <= one.stop <= n for one, n in zip(box, (8, 6, 2), strict=True))
        lows.add(box[0].start)
    assert lows == set(range(8 - sides[0] + 1))  # every place occurs


def test_what_is_in_the_box_is_hidden():
    box = (slice(0, 1), slice(1, 3), slice(0, 2))
    shown = visible(torch.ones(2, 5, 2, 3, 2), [box, (slice(0, 0),) * 3])
    assert shown.shape == (2, 2, 3, 2)
    assert (shown[0, 0, 1:] == 0).all()
    assert shown.sum(dim=(1, 2, 3)).tolist() == [12 - 4, 12]
