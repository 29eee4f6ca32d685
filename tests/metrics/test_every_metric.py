"""Every metric on every combination of masks that has a rule, worked out by hand.

Voxels are 1 x 1 x 2 mm, 0.002 ml; the tolerance of nsd is 2 mm, one voxel along k.
"""

from dataclasses import asdict, dataclass

import numpy as np
import pytest

from samssl_cli.metrics import METRICS
from samssl_cli.metrics.score import score_case

SPACING_MM = (1.0, 1.0, 2.0)


@dataclass(frozen=True)
class Values:
    dice: float
    jaccard: float
    precision: float
    recall: float
    volume_difference_ml: float
    volume_difference_percent: float
    hd95_mm: float
    hd_mm: float
    asd_mm: float
    assd_mm: float
    nsd: float


PERFECT = Values(1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1)


def penalty(diagonal_mm, volume_ml):
    """What exactly one empty mask gives."""
    return Values(0, 0, 0, 0, volume_ml, 200, *[diagonal_mm] * 4, 0)


def mask(shape, *places):
    volume = np.zeros(shape, np.uint8)
    for place in places:
        volume[place] = 1
    return volume


SHAPE = (3, 4, 6)  # 3 x 4 x 12 mm: the diagonal is 13 mm
LINE = (1, 1, 5)  # along k: voxels are 2 mm apart
CUBE = (5, 5, 5)
EMPTY, FULL = mask(SHAPE), mask(SHAPE, np.s_[:])
BLOCK = np.s_[1:4, 1:4, 1:4]

CASES = {
    "both empty": (EMPTY, EMPTY, PERFECT),
    "prediction empty": (EMPTY, mask(SHAPE, np.s_[1, 1, 2:5]), penalty(13, 3 * 0.002)),
    "reference empty": (mask(SHAPE, np.s_[1, 1, 2:4]), EMPTY, penalty(13, 2 * 0.002)),
    "prediction empty, reference one voxel in a corner": (
        *(EMPTY, mask(SHAPE, (0, 0, 0))),
        penalty(13, 0.002),
    ),
    "reference empty, prediction fills the volume": (FULL, EMPTY, penalty(13, 72 * 0.002)),
    "same single voxel": (mask(SHAPE, (1, 2, 3)), mask(SHAPE, (1, 2, 3)), PERFECT),
    "same single voxel in a corner": (mask(SHAPE, (2, 3, 5)), mask(SHAPE, (2, 3, 5)), PERFECT),
    "both fill the volume": (FULL, FULL, PERFECT),
    # as large as each other, no overlap; 2, 3 and 1 x 2 mm apart: sqrt(4 + 9 + 4)
    "two single voxels apart": (
        *(mask(SHAPE, (0, 0, 0)), mask(SHAPE, (2, 3, 1))),
        Values(0, 0, 0, 0, 0, 0, *[17**0.5] * 4, 0),
    ),
    # no overlap, and yet within the tolerance
    "two single voxels side by side": (
        *(mask(SHAPE, (0, 0, 0)), mask(SHAPE, (0, 0, 1))),
        Values(0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 1),
    ),
    # opposite corners: 2, 3 and 5 x 2 mm apart: sqrt(4 + 9 + 100) = 10.6, less than a miss's 13
    "two single voxels in opposite corners": (
        *(mask(SHAPE, (0, 0, 0)), mask(SHAPE, (2, 3, 5))),
        Values(0, 0, 0, 0, 0, 0, *[113**0.5] * 4, 0),
    ),
    # |P| 2, |R| 4, both 2. From P: 0 0 mm; from R: 0 0 2 4 mm. Pooled: 0 0 0 0 2 4, whose 95th
    # percentile lies at 4.75 of 5 steps
    "prediction half of the reference, both at the border": (
        *(mask(SHAPE, np.s_[0, 0, :2]), mask(SHAPE, np.s_[0, 0, :4])),
        Values(4 / 6, 2 / 4, 1, 2 / 4, 0.004, 200 * 2 / 6, 2 + 0.75 * 2, 4, 0, 6 / 6, 5 / 6),
    ),
    # |P| 5, |R| 1, both 1. From P: 0 2 4 6 8 mm; from R: 0. Pooled: 0 0 2 4 6 8
    "prediction fills the volume, reference one voxel": (
        *(mask(LINE, np.s_[:]), mask(LINE, (0, 0, 0))),
        Values(2 / 6, 1 / 5, 1 / 5, 1, 0.008, 200 * 4 / 6, 7.5, 8, 20 / 5, 20 / 6, 3 / 6),
    ),
    "prediction one voxel, reference fills the volume": (
        *(mask(LINE, (0, 0, 0)), mask(LINE, np.s_[:])),
        Values(2 / 6, 1 / 5, 1, 1 / 5, 0.008, 200 * 4 / 6, 7.5, 8, 0, 20 / 6, 3 / 6),
    ),
    # |P| 27, |R| 26, both 26. The surface of either is the block's 26 outer voxels: nothing that
    # looks at surfaces sees a hole of one voxel
    "a hole of one voxel": (
        *(mask(CUBE, BLOCK), mask(CUBE, BLOCK) - mask(CUBE, (2, 2, 2))),
        Values(52 / 53, 26 / 27, 26 / 27, 1, 0.002, 200 / 53, 0, 0, 0, 0, 1),
    ),
}


def metrics_of(prediction, reference, **options):
    given = {"tolerance": 2.0, "in_voxels": False, **options}
    (score,) = score_case(prediction, reference, SPACING_MM, 2, **given)
    return score.values


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("case", CASES)
def test_every_metric_by_hand(case, metric):
    prediction, reference, expected = CASES[case]
    assert metrics_of(prediction, reference)[metric] == pytest.approx(asdict(expected)[metric])


def test_the_table_covers_every_metric_in_its_order():
    assert list(asdict(PERFECT)) == list(METRICS)


def test_a_miss_agrees_nowhere_however_large_the_tolerance():
    assert metrics_of(EMPTY, mask(SHAPE, np.s_[0, 0, :4]), tolerance=100.0)["nsd"] == 0
    assert metrics_of(mask(SHAPE, np.s_[0, 0, :4]), EMPTY, tolerance=100.0)["nsd"] == 0


def test_in_voxels_by_hand():
    prediction, reference = mask(SHAPE, np.s_[0, 0, :2]), mask(SHAPE, np.s_[0, 0, :4])
    # from P: 0 0 voxels; from R: 0 0 1 2 voxels
    assert metrics_of(prediction, reference, tolerance=1.0, in_voxels=True) == pytest.approx(
        {
            **{"dice": 4 / 6, "jaccard": 2 / 4, "precision": 1, "recall": 2 / 4},
            **{"volume_difference_voxels": 2, "volume_difference_percent": 200 * 2 / 6},
            **{"hd95_voxels": 1 + 0.75, "hd_voxels": 2, "asd_voxels": 0, "assd_voxels": 3 / 6},
            "nsd": 5 / 6,
        }
    )
    missed = metrics_of(EMPTY, reference, tolerance=1.0, in_voxels=True)
    assert missed["hd_voxels"] == pytest.approx(61**0.5)  # the diagonal of 3 x 4 x 6 voxels
    assert missed["volume_difference_voxels"] == 4


@pytest.mark.parametrize(
    ("class_index", "expected", "flags", "volumes_ml"),
    [
        pytest.param(1, PERFECT, (False, False, False), (0.002, 0.002), id="in both"),
        pytest.param(2, penalty(13, 0.004), (False, True, False), (0.004, 0), id="not in R"),
        pytest.param(3, penalty(13, 0.006), (True, False, False), (0, 0.006), id="not in P"),
        pytest.param(4, PERFECT, (False, False, True), (0, 0), id="in neither"),
    ],
)
def test_a_class_missing_among_others(class_index, expected, flags, volumes_ml):
    prediction, reference = mask(SHAPE, (1, 1, 1)), mask(SHAPE, (1, 1, 1))
    prediction[0, 0, :2], reference[2, 3, :3] = 2, 3
    scores = score_case(prediction, reference, SPACING_MM, 5, tolerance=2.0, in_voxels=False)
    score = scores[class_index - 1]
    assert score.class_index == class_index
    assert score.values == pytest.approx(asdict(expected))
    assert (score.missed, score.spurious, score.is_empty) == flags
    assert (score.prediction_ml, score.reference_ml) == pytest.approx(volumes_ml)
