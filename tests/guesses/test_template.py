import numpy as np
import pytest
from scipy import ndimage

from samssl_cli.errors import RecipeError, UsageError
from samssl_cli.guesses.template import Template
from samssl_cli.volumes.labeled_image import LabeledImage
from samssl_cli.volumes.phantom import SPACING_MM, draw_case

SHAPE = (32, 32, 20)
FEW = {"affine_iterations": 20, "deformable_iterations": 10}


def dice(one, other):
    return 2 * (one & other).sum() / (one.sum() + other.sum())


@pytest.fixture(scope="module")
def patient():
    """Give one image (1, I, J, K), standardised, and its label."""
    image, label = draw_case(np.random.default_rng(3), SHAPE)
    return ((image - image.mean()) / image.std())[None], label


@pytest.fixture(scope="module")
def moved(patient):
    """Give the same patient, shifted by (3, -3, 1) voxels and larger by a sixth."""
    image, label = patient
    matrix, offset = np.eye(3) / 1.16, np.array([0.0, 4.8, 0.0])

    def move(volume, order):
        return ndimage.affine_transform(volume, matrix, offset, order=order, mode="nearest")

    return (1.3 * move(image[0], 1) + 0.2)[None].astype(np.float32), move(label, 0)


def labeled(image, label, name="a"):
    return LabeledImage(name, image, label, SPACING_MM)


def build(cases, **options):
    return Template.build({**FEW, **options}, labeled=cases, num_classes=3)


def test_labels_follow_the_image(patient, moved):
    image, reference = moved

    guess = build([labeled(*patient)]).guess(image, SPACING_MM)

    found, copied = guess.probability.argmax(axis=0), patient[1]
    assert guess.probability.shape == (3, *SHAPE)
    assert guess.probability.dtype == np.float32
    np.testing.assert_allclose(guess.probability.sum(axis=0), 1, atol=1e-5)
    for index in (1, 2):
        before = dice(copied == index, reference == index)
        assert dice(found == index, reference == index) > max(0.8, before + 0.15), index


def test_equal_calls_give_equal_bytes(patient, moved):
    template = build([labeled(*patient)])

    first, second = (template.guess(moved[0], SPACING_MM).probability for _ in range(2))

    assert first.tobytes() == second.tobytes()


def test_where_a_template_matches_its_vote_counts_more(patient, moved):
    image, reference = moved
    noise = np.random.default_rng(0).normal(size=image.shape).astype(np.float32)
    nonsense = labeled(noise, np.full(SHAPE, 2, np.uint8), "nonsense")

    guess = build([labeled(*patient), nonsense]).guess(image, SPACING_MM)

    assert dice(guess.probability.argmax(axis=0) == 1, reference == 1) > 0.75


def test_a_registration_that_cannot_be_leaves_the_stretched_copy_and_a_note():
    label = np.zeros((8, 8, 6), np.uint8)
    label[2:6, 2:6, 2:4] = 1
    flat = labeled(np.zeros((1, 8, 8, 6), np.float32), label)

    guess = build([flat]).guess(np.zeros((1, 16, 16, 12), np.float32), SPACING_MM)

    assert any(note.startswith("a: affine registration left out: ") for note in guess.notes)
    found = guess.probability[1] > 0.5
    assert found[8, 8, 6]
    assert found.sum() == pytest.approx(8 * 8 * 4, rel=0.3)  # the object, stretched twofold


def test_one_slice_and_a_label_without_objects_are_no_problem():
    image = np.random.default_rng(0).normal(size=(1, 12, 12, 1)).astype(np.float32)
    empty = labeled(image, np.zeros((12, 12, 1), np.uint8))

    guess = build([empty]).guess(image, SPACING_MM)

    assert guess.probability[0].min() > 0.999


def test_another_channel_may_be_registered(patient, moved):
    (image, label), (other, reference) = patient, moved
    noise = np.random.default_rng(0).normal(size=image.shape).astype(np.float32)

    template = build([labeled(np.concatenate([noise, image]), label)], channel=1)
    guess = template.guess(np.concatenate([noise, other]), SPACING_MM)

    assert dice(guess.probability.argmax(axis=0) == 1, reference == 1) > 0.8


def test_a_channel_that_is_not_there_is_named(patient):
    with pytest.raises(UsageError, match=r"channel is 2, but a has 1 channels"):
        build([labeled(*patient)], channel=2)


def test_unknown_options_are_refused():
    with pytest.raises(RecipeError, match=r"first_guess\.options\.template is not valid:\s+- colo"):
        Template.build({"colour": 1}, labeled=[], num_classes=2)
