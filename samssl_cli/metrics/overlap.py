"""How much two masks overlap."""

import numpy as np
from numpy.typing import NDArray


def dice(prediction: NDArray[np.bool_], reference: NDArray[np.bool_]) -> float:
    """Give 2 |P and R| / (|P| + |R|).

    Shapes: any, the same for both. Both empty: 1. Exactly one empty: 0.
    Source: Dice, Ecology 1945.
    """
    total = np.count_nonzero(prediction) + np.count_nonzero(reference)
    return float(2 * np.count_nonzero(prediction & reference) / total) if total else 1.0


def jaccard(prediction: NDArray[np.bool_], reference: NDArray[np.bool_]) -> float:
    """Give |P and R| / |P or R|, the intersection over the union.

    Shapes: any, the same for both. Both empty: 1. Exactly one empty: 0.
    Source: Jaccard, New Phytologist 1912.
    """
    union = np.count_nonzero(prediction | reference)
    return float(np.count_nonzero(prediction & reference) / union) if union else 1.0
