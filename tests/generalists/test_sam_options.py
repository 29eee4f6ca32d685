import pytest

from samssl_cli.errors import RecipeError
from samssl_cli.generalists.sam_options import SamOptions
from samssl_cli.recipe import validate


def _read(**values) -> SamOptions:
    return validate(SamOptions, values, where="sam_label.options.sam")


@pytest.mark.parametrize(
    ("written", "meant"), [(True, "rated"), (False, "off"), ("agreement", "agreement")]
)
def test_multimask_is_read_as_older_recipes_wrote_it(written, meant):
    assert _read(multimask=written).multimask == meant


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"window_percentiles": [60, 40]}, "two rising numbers from 0 to 100"),
        ({"window": "fixed"}, "go together"),
        ({"window_fixed": [0, 1]}, "go together"),
        ({"window": "fixed", "window_fixed": [1, 1]}, "window_fixed are two rising numbers"),
        ({"max_anisotropy": 0.5}, "max_anisotropy: Input should be greater"),
        ({"mosaic": 0}, "mosaic"),
        ({"mosaic": "many"}, "mosaic"),
        ({"axis": "x"}, "axis"),
        ({"clicks": "twice"}, "clicks"),
        ({"multimask": "best"}, "multimask"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_meant_is_refused(values, says):
    with pytest.raises(RecipeError, match=says):
        _read(**values)


def test_a_window_is_one_rule():
    window = _read(window="fixed", window_fixed=[-2, 3]).intensities

    assert (window.kind, window.fixed) == ("fixed", (-2, 3))
