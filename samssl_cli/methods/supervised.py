"""Learn from the labeled patches alone."""

from samssl_cli.methods.method import Method


class Supervised(Method):
    """Train the student on labeled patches; in `retrain`, on pseudo-labels too.

    total = dice_ce(student(x_l), y_l)

    Shapes: images (B, C, I, J, K) float32; labels (B_l, I, J, K) int64; losses are scalars.
    Source: Milletari et al., 3DV 2016, arXiv:1606.04797.
    """
