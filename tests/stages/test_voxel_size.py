"""Which grid a checkpoint predicts on, from what it and the cases know of their voxels."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from samssl_cli.artifacts.cases import DatasetFacts
from samssl_cli.stages.voxel_size import PredictionGrid, prediction_grid
from samssl_cli.volumes.geometry import Geometry
from samssl_cli.volumes.grid import NativeGrid


def geometry(spacing_mm, shape=(8, 8, 8)):
    return Geometry.of(NativeGrid.from_affine(shape, np.diag([*spacing_mm, 1.0])))


@dataclass
class Known:
    """Stands in for cases or a checkpoint: what the decision looks at."""

    spacing_mm: list[float] | None
    spacing_is_known: bool = True
    name: str = "heart"
    geometries: dict = field(default_factory=dict)

    @property
    def facts(self):
        return DatasetFacts(self.name, ("MR",), ("background", "organ"), vars(self))

    @property
    def unlabeled(self):
        return tuple(self.geometries)

    test = ()

    def geometry(self, name):
        return self.geometries[name]


FINE, COARSE = [1.0, 1.0, 1.0], [2.0, 2.0, 2.0]


@pytest.mark.parametrize(
    ("cases", "checkpoint", "expected"),
    [
        (Known(FINE), Known(FINE), None),
        (Known(FINE), Known([1.0001, 1, 1]), None),
        (Known(FINE), Known(None), None),
        (Known(FINE), Known(COARSE), (2, 2, 2)),
        (Known(COARSE), Known(FINE), (1, 1, 1)),
        (Known(FINE, False), Known(COARSE, True, "other"), None),
        (Known(FINE), Known(COARSE, False), None),
        (Known(FINE, False), Known(COARSE, False), (2, 2, 2)),
        (Known(None, geometries={"a": geometry(FINE)}), Known(FINE), None),
        (Known(None, geometries={"a": geometry((1, 1, 3))}), Known(FINE), (1, 1, 1)),
        (Known(None, geometries={"a": geometry((1, 1, 3))}), Known(None), None),
    ],
    ids=[
        "same",
        "same but for noise",
        "trained on cases with sizes of their own",
        "coarser",
        "finer",
        "files without a size, of other data",
        "trained on files without a size",
        "the same files without a size",
        "cases that kept the size it knows",
        "cases that kept another",
        "neither has one",
    ],
)
def test_the_size_that_predictions_are_made_at(cases, checkpoint, expected):
    grid = prediction_grid(cases, checkpoint)
    assert grid.size == expected
    assert (grid.note is None) == (grid.options == {}) == (expected is None)


def test_each_case_is_resampled_from_its_own_spacing():
    thick, fine = geometry((1, 1, 3)), geometry((1, 1, 1))
    grid = prediction_grid(Known(None, geometries={"a": thick, "b": fine}), Known(FINE))
    assert grid.shape(thick) == (8, 8, 24)
    assert grid.shape(fine) == (8, 8, 8)


def test_a_person_is_told_what_happens():
    grid = prediction_grid(Known([0.625, 0.625, 0.625]), Known([1.25, 1.25, 2.5]))
    assert grid.note == (
        "its images have voxels of 1.25 x 1.25 x 2.5 mm, these 0.625 mm: predictions are made at "
        "1.25 x 1.25 x 2.5 mm and brought back"
    )
    assert grid.options == {"predicted_at": {"voxel_size": [1.25, 1.25, 2.5], "unit": "mm"}}


def test_without_another_size_the_grid_is_the_cases_own():
    assert PredictionGrid().shape(geometry((1, 1, 3))) == (8, 8, 8)
