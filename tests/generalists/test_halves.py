import numpy as np

from samssl_cli.generalists.halves import ByHalves
from samssl_cli.generalists.types import Proposal
from samssl_cli.prompts.types import Prompt
from samssl_cli.volumes.half import Half


class Constant:
    """Says the same everywhere, of the image that it was shown."""

    def __init__(self, logit):
        self.logit = logit

    def embed(self, image, spacing_mm):
        return image.shape[1:], self.logit

    def segment(self, embedding, prompts):
        shape, logit = embedding
        said = np.full((len(prompts), *shape), logit, np.float32)
        return Proposal(said, np.full(len(prompts), abs(logit) / 10, np.float32))


def test_each_is_heard_in_its_half():
    both = ByHalves(Constant(1), Constant(-3), Half(axis=1, voxel=2, side="high"))
    embedding = both.embed(np.zeros((1, 2, 5, 3), np.float32), (1, 1, 1))

    said = both.segment(embedding, [Prompt(), Prompt()])

    assert said.logits.shape == (2, 2, 5, 3)
    assert (said.logits[:, :, 2:] == 1).all()
    assert (said.logits[:, :, :2] == -3).all()
    np.testing.assert_allclose(said.predicted_iou, 0.2)
