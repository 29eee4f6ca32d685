from math import exp

import pytest

from samssl_cli.methods.ramps import sigmoid_ramp_down, sigmoid_ramp_up


@pytest.mark.parametrize(
    ("step", "up", "down"),
    [
        pytest.param(0, exp(-5), 1.0, id="start"),
        pytest.param(25, exp(-5 * 0.75**2), exp(-5 * 0.25**2), id="quarter"),
        pytest.param(50, exp(-1.25), exp(-1.25), id="half"),  # exp(-5 * 0.5^2)
        pytest.param(100, 1.0, exp(-5), id="end"),
        pytest.param(250, 1.0, exp(-5), id="beyond"),
    ],
)
def test_the_ramps_over_100_steps(step, up, down):
    assert sigmoid_ramp_up(step, 100) == pytest.approx(up)
    assert sigmoid_ramp_down(step, 100) == pytest.approx(down)


def test_a_ramp_of_no_steps_is_over_at_once():
    assert sigmoid_ramp_up(0, 0) == 1.0


def test_a_ramp_down_of_no_steps_is_over_at_once():
    assert sigmoid_ramp_down(0, 0) == pytest.approx(exp(-5))
