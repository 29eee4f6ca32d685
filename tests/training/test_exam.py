from types import SimpleNamespace

import numpy as np
import pytest

from samssl_cli.training.exam import Exam
from samssl_cli.training.folds import Fold, make_folds
from samssl_cli.training.labeled_objects import LabeledObject


def an_object(case, low=4):
    mask = np.zeros((16, 24, 12), bool)
    mask[4:12, low : low + 8, 3:9] = True
    image = np.random.default_rng(0).normal(size=(1, *mask.shape)) + 2 * mask
    return LabeledObject(case, 1, 1, image.astype(np.float32), (1.0, 2.0, 1.0), mask)


class Half:
    """Answers with the voxels of j below 8, whatever is asked; counts what is embedded."""

    def __init__(self):
        self.num_embedded = 0

    def embed(self, image, spacing_mm):
        self.num_embedded += 1
        return image.shape[1:]

    def segment(self, shape, prompts):
        logits = np.full((len(prompts), *shape), -1.0)
        logits[:, 4:12, 4:8, 3:9] = 1
        return SimpleNamespace(logits=logits)


@pytest.fixture
def fold():
    return Fold("a, b", (), (an_object("a"), an_object("b"), an_object("b", low=12)))


def test_each_case_gets_the_same_number_of_prompts(fold):
    exam = Exam(fold, prompts_per_case=4, seed=0)

    assert [question.about.case for question in exam.questions] == list("aaaabbbb")
    assert [question.about.box[0][1] for question in exam.questions[4:]] == [4, 12, 4, 12]


def test_answers_are_scored_and_averaged_by_case(fold):
    exam, generalist = Exam(fold, prompts_per_case=2, seed=0), Half()

    dice = exam.dice(generalist)

    # The lower half of an object: 2 * 4 / (4 + 8). Of the object that begins at 12: nothing.
    np.testing.assert_allclose(dice, [2 / 3, 2 / 3, 2 / 3, 0])
    np.testing.assert_allclose(exam.by_unit(dice), [2 / 3, 1 / 3])
    np.testing.assert_allclose(exam.by_unit(np.stack([dice, 0 * dice]))[1], [0, 0])
    assert generalist.num_embedded == 2


def test_the_questions_depend_on_the_seed_alone(fold):
    def points(seed):
        prompts = [q.prompt for q in Exam(fold, prompts_per_case=3, seed=seed).questions]
        return [
            (p.points.coordinates.tolist(), p.box, None if p.mask is None else int(p.mask.sum()))
            for p in prompts
        ]

    assert points(0) == points(0)
    assert points(0) != points(1)


def test_of_a_half_only_that_half_is_scored():
    high, low = make_folds([an_object("a")], 2)  # cut at j = 8

    scores = [Exam(half, prompts_per_case=1, seed=0).dice(Half()) for half in (high, low)]

    np.testing.assert_allclose(scores, [[0], [1]])
