import numpy as np
import pytest

from samssl_cli.prompts.types import Box, Points, Prompt

BOX = Box((1, 0, 2), (3, 4, 5))
CLICKS = Points(np.array([[4, 1, 7], [2, 6, 3], [9, 9, 9]]), np.array([True, True, False]))
MASK = np.zeros((6, 6, 6), bool)
MASK[2, 3, 1] = MASK[4, 3, 5] = True


@pytest.mark.parametrize(
    ("prompt", "extent"),
    [
        (Prompt(CLICKS, BOX, MASK), Box((2, 3, 1), (5, 4, 6))),
        (Prompt(CLICKS, BOX, np.zeros_like(MASK)), BOX),
        (Prompt(CLICKS), Box((2, 1, 3), (5, 7, 8))),
        (Prompt(Points(CLICKS.coordinates[2:], CLICKS.is_positive[2:])), None),
        (Prompt(), None),
    ],
    ids=["mask", "empty mask and box", "positive clicks", "a negative click", "nothing"],
)
def test_the_object_is_where_the_most_certain_part_says(prompt, extent):
    assert prompt.extent == extent
