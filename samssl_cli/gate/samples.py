"""The voxels of simulated objects that the gate is fitted on."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from samssl_cli import recipe
from samssl_cli.gate.features import contested, features
from samssl_cli.gate.folds import folds_of, groups_of, is_learned_from
from samssl_cli.gate.logistic import fit_logistic
from samssl_cli.gate.view import View

Array = NDArray[np.float64]
Read = Callable[[str], Sequence[View]]
"""Gives the views of a labeled case."""


@dataclass(frozen=True)
class Sample:
    """Some voxels of one simulated object."""

    features: NDArray[np.float32]
    """(n, F)."""
    target: NDArray[np.bool_]
    """(n,) whether they are the true object."""
    groups: NDArray[np.int64]
    """(n,) their folds."""
    case: int
    draw: int
    class_index: int
    agreement: float
    volume_mm3: float


@dataclass(frozen=True)
class Samples:
    """Those of all labeled cases, in the order of `each_object`."""

    all: Sequence[Sample]
    num_cases: int

    def can_be_fitted(self) -> bool:
        """Whether every fold leaves voxels of both kinds to learn from."""
        return all(self._kinds(fold) == {False, True} for fold in folds_of(self.num_cases))

    def fit(
        self, weights: Array, columns: slice, options: recipe.Gate, *, without: int | None = None
    ) -> Array:
        """Coefficients of some features, fitted without a fold; `weights` has one per object."""
        rows = [np.flatnonzero(self._learned(one, without)) for one in self.all]
        shares = [
            np.full(len(row), weight / max(len(one.target), 1))
            for one, row, weight in zip(self.all, rows, weights, strict=True)
        ]
        chosen = list(zip(self.all, rows, strict=True))
        return fit_logistic(
            np.concatenate([one.features[row, columns] for one, row in chosen]).astype(np.float64),
            np.concatenate([one.target[row] for one, row in chosen]).astype(np.float64),
            np.concatenate(shares),
            penalty=options.penalty,
        )

    def _kinds(self, without: int) -> set[bool]:
        """Which targets there are among the voxels that a fold is judged by."""
        targets = (one.target[self._learned(one, without)] for one in self.all)
        return {bool(kind) for target in targets for kind in np.unique(target)}

    def _learned(self, sample: Sample, without: int | None) -> NDArray[np.bool_]:
        if without is None:
            return np.ones(len(sample.target), bool)
        return is_learned_from(sample.groups, without, num_cases=self.num_cases)


def each_object(names: Sequence[str], read: Read) -> Iterator[tuple[int, View]]:
    """The number of the case, and the view, of each simulated object that is one in truth.

    Whether an object is there at all is not the gate's question.
    """
    for case, name in enumerate(names):
        for view in read(name):
            if view.truth is not None and view.truth.any():
                yield case, view


def draw_samples(names: Sequence[str], read: Read, options: recipe.Gate) -> Samples:
    """Draw `voxels_per_object` of the contested voxels of each simulated object."""
    samples = [
        _sample(view, case, len(names), options, np.random.default_rng([options.seed, number]))
        for number, (case, view) in enumerate(each_object(names, read))
    ]
    return Samples(samples, len(names))


def _sample(
    view: View, case: int, num_cases: int, options: recipe.Gate, rng: np.random.Generator
) -> Sample:
    assert view.truth is not None
    where = np.flatnonzero(contested(view))
    if len(where) > options.voxels_per_object:
        where = np.sort(rng.choice(where, options.voxels_per_object, replace=False))
    known = features(view)
    return Sample(
        features=known.reshape(len(known), -1)[:, where].T,
        target=view.truth.ravel()[where],
        groups=groups_of(view, case=case, num_cases=num_cases).ravel()[where],
        case=case,
        draw=view.draw,
        class_index=view.class_index,
        agreement=float(view.agreements.mean()),
        volume_mm3=view.volume_mm3,
    )
