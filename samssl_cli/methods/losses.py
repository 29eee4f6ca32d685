"""The losses that the methods are made of, for hard and soft targets with a weight per voxel."""

import torch
from torch import Tensor
from torch.nn import functional

_SMOOTH = 1e-5


def one_hot(label: Tensor, num_classes: int) -> Tensor:
    """Turn a label map (B, I, J, K) int64 into probabilities (B, classes, I, J, K) float32."""
    return functional.one_hot(label, num_classes).movedim(-1, 1).float()


def dice_ce(logits: Tensor, target: Tensor, *, weight: Tensor | None = None) -> Tensor:
    """Give the sum of cross-entropy and soft Dice loss, both weighted per voxel.

    CE   = sum_v w_v * (-sum_c q_vc log p_vc) / sum_v w_v
    Dice = mean over foreground classes c of 1 - (2 sum_v w_v p_vc q_vc) / sum_v w_v (p_vc + q_vc)

    Shapes: logits and target (B, classes, I, J, K), target a probability; weight (B, I, J, K), 1
    everywhere when it is None. The sums run over the whole batch, so that a patch without the organ
    does not count as a class of its own. With all weights 0 both terms are 0.
    Source: Milletari et al., 3DV 2016 (Dice without squares, as in MONAI's `DiceCELoss` with
    batch=True); the weights are ours.
    """
    if weight is None:
        weight = torch.ones_like(logits[:, 0])
    log_probability = functional.log_softmax(logits, dim=1)
    entropy = _mean_cross_entropy(log_probability, target, weight)

    probability = log_probability.exp()[:, 1:]
    weight, target = weight[:, None], target[:, 1:]
    voxels = (0, 2, 3, 4)
    overlap = (weight * probability * target).sum(voxels)
    total = (weight * (probability + target)).sum(voxels)
    dice = 1 - (2 * overlap + _SMOOTH) / (total + _SMOOTH)
    return entropy + dice.mean()


def cross_entropy(logits: Tensor, target: Tensor, *, weight: Tensor | None = None) -> Tensor:
    """Give the cross-entropy alone, as in `dice_ce`.

    What predicts the mean of uncertain targets has the least, so that a voxel is foreground from a
    half on. Soft Dice is least when voxels count from half the Dice that can be reached: the more
    uncertain the targets, the larger what is drawn (Bertels et al., Medical Image Analysis 2021,
    doi:10.1016/j.media.2020.101833).

    Shapes: logits and target (B, classes, I, J, K), target a probability; weight (B, I, J, K).
    With all weights 0 the loss is 0.
    """
    if weight is None:
        weight = torch.ones_like(logits[:, 0])
    return _mean_cross_entropy(functional.log_softmax(logits, dim=1), target, weight)


def _mean_cross_entropy(log_probability: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    entropy = -(target * log_probability).sum(dim=1)
    return (weight * entropy).sum() / weight.sum().clamp_min(_SMOOTH)


def squared_error(logits: Tensor, target: Tensor, *, weight: Tensor | None = None) -> Tensor:
    """Give the weighted mean over voxels of the class-mean of (softmax(logits) - target) ** 2.

    Shapes: logits and target (B, classes, I, J, K), target a probability; weight (B, I, J, K).
    With all weights 0 the loss is 0.
    """
    error = (logits.softmax(dim=1) - target).square().mean(dim=1)  # (B, I, J, K)
    if weight is None:
        return error.mean()
    return (weight * error).sum() / weight.sum().clamp_min(_SMOOTH)


def symmetric_divergence(first: Tensor, second: Tensor) -> Tensor:
    """Give the mean over voxels of (KL(p || q) + KL(q || p)) / 2 of two logits.

    With log p and log q this is sum_c (p_c - q_c) (log p_c - log q_c) / 2.
    Shapes: both (B, classes, I, J, K). The gradient flows to both.
    """
    log_p, log_q = first.log_softmax(dim=1), second.log_softmax(dim=1)
    return ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(dim=1).mean() / 2
