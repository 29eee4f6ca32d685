"""Who is asked about a labeled case: generalists that did not learn from it.

A generalist that was adapted to the labeled cases, or looks at them, knows their outlines. A gate
that is calibrated there would believe it too much, so in its place those weights are asked that
left the case out, or it is shown the other cases alone.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.generalist import GeneralistWeights, LeftOut
from samssl_cli.errors import UsageError
from samssl_cli.generalists.halves import ByHalves
from samssl_cli.generalists.types import Generalist
from samssl_cli.stages.panel import Panel, Panelist

Folds = tuple[LeftOut, ...]
"""Of one generalist, those that left a case out: one, or both halves; none without adaptation."""


class OutOfFold:
    """The generalists that are asked together, and those that stand in for them."""

    def __init__(
        self,
        panel: Panel,
        generalists: Sequence[Generalist],
        cases: Cases,
        load: Callable[[Panelist, Sequence[str]], Generalist],
    ) -> None:
        """Find out whose weights learned from what.

        Args:
            panel: those that are asked.
            generalists: they themselves, with all they learned.
            cases: with the labeled ones that they are asked about.
            load: builds one of them with its weights; it sees no labeled case of these names.

        Raises:
            UsageError: when it is not known what was learned, the weights without it are not there,
                or one looks at the labeled cases, and there is but one.
        """
        _check_something_is_left(panel, cases)
        self.generalists = generalists
        self.names = [one.name for one in panel]
        self._panel, self._load = panel, load
        self._by_case = [folds_by_case(one, cases) for one in panel]
        self._looks = any(one.looks_at_labels for one in panel)
        self._loaded: tuple[tuple[list[Folds], str], Sequence[Generalist]] | None = None

    @property
    def adapted(self) -> list[str]:
        """The names of those that others stand in for."""
        return [name for name, folds in zip(self.names, self._by_case, strict=True) if folds]

    def in_order(self, cases: Sequence[str]) -> list[str]:
        """Labeled cases, those together that are asked about with the same weights."""
        return sorted(
            cases, key=lambda case: [fold.member for f in self._folds(case) for fold in f]
        )

    def about(self, case: str) -> Sequence[Generalist]:
        """The generalists to ask about a labeled case; the last ones are kept in memory."""
        folds = self._folds(case)
        if not any(folds) and not self._looks:
            return self.generalists
        wanted = folds, case if self._looks else ""
        if self._loaded is None or self._loaded[0] != wanted:
            self._loaded = None  # make room first
            self._loaded = wanted, list(self._built(folds, case))
        return self._loaded[1]

    def _folds(self, case: str) -> list[Folds]:
        return [by_case.get(case, ()) for by_case in self._by_case]

    def _built(self, all_folds: Sequence[Folds], case: str) -> Iterator[Generalist]:
        for one, whole, folds in zip(self._panel, self.generalists, all_folds, strict=True):
            loaded = [self._load(_with_weights_of(one, fold), ()) for fold in folds]
            if one.looks_at_labels:
                yield self._load(one, (case,))
            elif len(loaded) == 2:
                assert folds[0].half is not None
                yield ByHalves(loaded[0], loaded[1], folds[0].half)
            else:
                yield loaded[0] if loaded else whole


def _check_something_is_left(panel: Panel, cases: Cases) -> None:
    looking = [one.name for one in panel if one.looks_at_labels]
    if looking and len(cases.labeled) < 2:
        raise UsageError(
            f"generalist {looking[0]} looks at the labeled cases; to calibrate the gate each is "
            f"left out in turn, and {cases.path} has but {len(cases.labeled)}: use --set "
            "sam_label.gate=thresholds"
        )


def folds_by_case(one: Panelist, cases: Cases) -> Mapping[str, Folds]:
    """For each labeled case that a generalist learned from: the folds that left it out.

    Empty where it was not adapted, or to cases of other names. A labeled case without an object is
    not there: nothing was learned from it.

    Raises:
        UsageError: when it was adapted and keeps no weights of folds, or was adapted to cases of
            the same names that are not these.
    """
    own = one.which.own
    if own is None or not own.is_adapted:
        return {}
    folds = own.folds()
    if not folds:
        raise UsageError(
            f"{own.path}: was adapted to labeled cases before weights that left them out were "
            "kept, so that no gate can be calibrated there; run samssl adapt again with --force, "
            "or use --set sam_label.gate=thresholds"
        )
    learned = {case for fold in folds for case in fold.cases}
    known = [case for case in cases.labeled if case in learned]
    _check_are_these(own, cases, known)
    return {case: tuple(fold for fold in folds if case in fold.cases) for case in known}


def _check_are_these(own: GeneralistWeights, cases: Cases, known: Sequence[str]) -> None:
    assert own.adapted is not None
    if known and own.adapted["cases_fingerprint"] != cases.fingerprint:
        raise UsageError(
            f"{own.path}: was adapted to {' and '.join(known[:3])}, as preprocessed or split "
            f"otherwise than in {cases.path}, on which the gate is calibrated; adapt to these "
            "cases, or use --set sam_label.gate=thresholds"
        )


def _with_weights_of(one: Panelist, fold: LeftOut) -> Panelist:
    assert one.which.own is not None
    return replace(one, which=replace(one.which, own=one.which.own.of_fold(fold)))
