import pytest
import torch

from samssl_cli.scenes.scene import COARSER, draw_scene


@pytest.mark.parametrize("index", range(4))
def test_a_scene_holds_objects_that_are_worth_meaning(index):
    scene = draw_scene(0, index, size=32)
    assert scene.image.shape == (32, 32, 32)
    assert scene.depths
    for depth in scene.depths:
        assert depth.shape == (32 // COARSER,) * 3
        assert 0.004 < float((depth > 0).float().mean()) < 0.35


def test_a_scene_follows_from_seed_and_number():
    one, again = draw_scene(3, 7, size=24), draw_scene(3, 7, size=24)
    assert torch.equal(one.image, again.image)
    assert all(torch.equal(a, b) for a, b in zip(one.depths, again.depths, strict=True))
    for other in (draw_scene(3, 8, size=24), draw_scene(4, 7, size=24)):
        assert not torch.equal(one.image, other.image)
