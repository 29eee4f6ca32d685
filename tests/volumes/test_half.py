import numpy as np
import pytest

from samssl_cli.volumes.half import Half


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_both_halves_together_are_the_volume(axis):
    low, high = (Half(axis, 2, side).mask((5, 6, 7)) for side in ("low", "high"))

    assert (low ^ high).all()
    assert np.moveaxis(low, axis, 0)[:, 0, 0].tolist()[:3] == [True, True, False]
