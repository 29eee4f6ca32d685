import numpy as np
import pytest

from samssl_cli.errors import RecipeError
from samssl_cli.guesses.prototype import Prototype
from samssl_cli.volumes.coarse import CoarseGrid
from samssl_cli.volumes.labeled_image import LabeledImage

SPACING_MM = (1.0, 1.0, 1.0)
CELL = 2


class Mean:
    """Describe a cell by its intensity as a direction, and by a constant that all share."""

    def dense_features(self, image, spacing_mm, *, num_shifts):
        assert spacing_mm == SPACING_MM
        i, j, k = (n // CELL for n in image.shape[1:])
        mean = image[0].reshape(i, CELL, j, CELL, k, CELL).mean(axis=(1, 3, 5))
        features = np.stack([np.cos(mean), np.sin(mean), np.full(mean.shape, 5.0)])
        return CoarseGrid(features.astype(np.float32), (CELL,) * 3)


def cubes(*corners):
    """Give a label with cubes of class 1 (bright) and 2 (dark), and its image."""
    label = np.zeros((16, 16, 16), np.uint8)
    for index, (i, j, k) in enumerate(corners, start=1):
        label[i : i + 6, j : j + 6, k : k + 6] = index
    return label, np.array([0.0, 2.0, -2.0], np.float32)[label][None]


def build(label, image, **options):
    case = LabeledImage("a", image, label, SPACING_MM)
    return Prototype.build(options, labeled=[case], num_classes=3, encoder=Mean())


def test_objects_are_found_wherever_they_are():
    known, (label, image) = cubes((2, 2, 2), (8, 8, 8)), cubes((8, 2, 8), (2, 8, 2))

    probability = build(*known).guess(image, SPACING_MM).probability

    assert probability.dtype == np.float32
    np.testing.assert_allclose(probability.sum(axis=0), 1, atol=1e-5)
    assert (probability.argmax(axis=0) == label).mean() > 0.97


def test_equal_calls_give_equal_bytes():
    label, image = cubes((2, 2, 2), (8, 8, 8))
    noisy = image + np.random.default_rng(0).normal(size=image.shape).astype(np.float32)

    first, second = (
        build(label, noisy, num_prototypes=2).guess(noisy, SPACING_MM).probability.tobytes()
        for _ in range(2)
    )

    assert first == second


def test_a_class_that_no_labeled_case_has_is_the_least_likely():
    known, (_, image) = cubes((2, 2, 2)), cubes((8, 8, 8))

    probability = build(*known).guess(image, SPACING_MM).probability

    assert not (probability.argmax(axis=0) == 2).any()


def test_an_object_smaller_than_a_cell_speaks_through_its_fullest_cell():
    label, image = np.zeros((8, 8, 8), np.uint8), np.zeros((1, 8, 8, 8), np.float32)
    label[3, 3, 3], image[0, 3, 3, 3] = 1, 9.0

    probability = build(label, image).guess(image, SPACING_MM).probability

    likest = np.unravel_index(probability[1].argmax(), label.shape)
    assert [index // CELL for index in likest] == [1, 1, 1]
    assert probability[1].max() > 100 * probability[1, 6, 6, 6]


def test_unknown_options_are_refused():
    with pytest.raises(RecipeError, match=r"first_guess\.options\.prototype is not valid"):
        Prototype.build({"num_shifts": 3}, labeled=[], num_classes=2, encoder=Mean())
