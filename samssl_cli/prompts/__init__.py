"""How the specialist's prediction becomes prompts: the STRATEGIES table.

A strategy is a pure function `(probability, uncertainty, options, rng) -> Prompt` of one object:

- probability (I, J, K) float32: the object's own probability, 0.5 and above inside it;
- uncertainty (I, J, K) float32 in 0-1: voxelwise entropy, divided by its largest possible value;
- options: the recipe's `Prompt` section;
- rng: where random draws come from; the same state gives the same prompt.

It returns an empty `Prompt` when there is no voxel of 0.5 and above.
"""

from samssl_cli.registry import Entry

STRATEGIES: dict[str, Entry] = {
    "mask": Entry(
        "samssl_cli.prompts.mask:mask",
        "the specialist's own mask of the object",
        "Zhang et al., SemiSAM+, arXiv:2502.20749 (mask prompt)",
    ),
    "box": Entry(
        "samssl_cli.prompts.box:box",
        "the bounding box of the specialist's mask, with a margin",
        "Kirillov et al., Segment Anything, ICCV 2023, arXiv:2304.02643 (box prompt)",
    ),
    "points": Entry(
        "samssl_cli.prompts.points:points",
        "clicks deep inside the object, and around it where it surely is not",
        "Sofiiuk et al., RITM, ICIP 2022, arXiv:2102.06583 (distance-transform clicks)",
    ),
    "uncertain-points": Entry(
        "samssl_cli.prompts.uncertain_points:uncertain_points",
        "clicks where the specialist is least sure among the voxels whose side it can tell",
        "after Zhang et al., SemiSAM, arXiv:2312.06316",
    ),
}
