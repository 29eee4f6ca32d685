"""Who is labeled, who is unlabeled, and who is only ever tested on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from samssl_cli.errors import DataError
from samssl_cli.volumes.datasets.dataset import Dataset
from samssl_cli.volumes.datasets.description import read_json, read_text

Split = Mapping[str, Sequence[str]]

_ROLES = ("labeled", "unlabeled", "test")


@dataclass(frozen=True)
class Roles:
    """Names of cases by role, in order; no name has two roles."""

    labeled: tuple[str, ...]
    unlabeled: tuple[str, ...]
    test: tuple[str, ...]


def read_split(path: Path) -> dict[str, tuple[str, ...]]:
    """Read a split.json: lists of case names under labeled, unlabeled and test, each optional.

    Raises:
        DataError: when it has another key, or a value is not a list of names.
    """
    values = read_json(path)
    problems = [f"unknown key {key!r}" for key in values if key not in _ROLES]
    problems += [
        f"{key!r} is not a list of case names"
        for key in _ROLES
        if not _is_names(values.get(key, []))
    ]
    if problems:
        expected = ", ".join(_ROLES)
        raise DataError(f"{path}: expected lists of case names under {expected}:", problems)
    return {key: tuple(names) for key, names in values.items()}


def read_names(path: Path) -> tuple[str, ...]:
    """Read a list of case names, one per line; empty lines and # comments are skipped.

    Raises:
        DataError: when the file cannot be read or lists nothing.
    """
    lines = (line.partition("#")[0].strip() for line in read_text(path).splitlines())
    names = tuple(line for line in lines if line)
    if not names:
        raise DataError(f"{path}: lists no case; write one name per line")
    return names


def assign_roles(
    dataset: Dataset, *, labeled: int | Sequence[str] | None, split: Split | None
) -> Roles:
    """Give every case its role.

    Args:
        dataset: the cases; those of its test folder are test cases unless `split` says otherwise.
        labeled: the first N candidates, or named cases, or None for all candidates. Candidates
            are split["labeled"], or the training cases that have a label.
        split: lists of names; what it leaves out is derived from the data set.

    A candidate that is not chosen becomes unlabeled, ahead of those that always were.

    Raises:
        DataError: listing all of: unknown names, names with two roles, labeled cases without a
            label, more labeled cases asked for than there are, none at all.
    """
    split = split or {}
    training, test = _training_and_test(dataset, split)
    candidates = _candidates(dataset, training, split)
    chosen = _chosen(candidates, labeled)
    others = _others(training, candidates, split)
    unlabeled = [name for name in (*candidates, *others) if name not in chosen]
    counts = Counter([*chosen, *unlabeled, *test])
    counts |= Counter(name for names in split.values() for name in names)
    problems = _name_problems(dataset, counts) + _labeled_problems(dataset, chosen, labeled)
    if problems:
        raise DataError(f"{dataset.root}: the cases cannot be divided:", problems)
    return Roles(tuple(chosen), tuple(unlabeled), tuple(test))


def _training_and_test(dataset: Dataset, split: Split) -> tuple[list[str], list[str]]:
    in_test = [case.name for case in dataset.cases if case.in_test]
    test = list(split.get("test", in_test))
    apart = {*in_test, *test}
    return [case.name for case in dataset.cases if case.name not in apart], test


def _candidates(dataset: Dataset, training: Sequence[str], split: Split) -> Sequence[str]:
    if "labeled" in split:
        return split["labeled"]
    has_label = {case.name for case in dataset.cases if case.label is not None}
    apart = set(split.get("unlabeled", ()))
    return [name for name in training if name in has_label and name not in apart]


def _others(training: Sequence[str], candidates: Sequence[str], split: Split) -> list[str]:
    """Who is unlabeled whatever is chosen; a case drops out only where a split names both roles.

    Whether a case that is not chosen has a label must not matter: its label is held out.
    """
    listed = list(split.get("unlabeled", ()))
    if "labeled" in split and "unlabeled" in split:
        return listed
    return listed + [name for name in training if name not in {*candidates, *listed}]


def _chosen(candidates: Sequence[str], labeled: int | Sequence[str] | None) -> Sequence[str]:
    if labeled is None:
        return candidates
    return candidates[: max(0, labeled)] if isinstance(labeled, int) else labeled


def _name_problems(dataset: Dataset, counts: Counter[str]) -> list[str]:
    known = {case.name for case in dataset.cases}
    problems = [f"no case is called {name!r}" for name in counts if name not in known]
    problems += [
        f"case {name} is listed {count} times; a case has one role"
        for name, count in counts.items()
        if count > 1
    ]
    return problems


def _labeled_problems(
    dataset: Dataset, chosen: Sequence[str], labeled: int | Sequence[str] | None
) -> list[str]:
    without_label = {case.name for case in dataset.cases if case.label is None}
    problems = [
        f"case {name} is to be labeled, but has no label file"
        for name in dict.fromkeys(chosen)
        if name in without_label
    ]
    if isinstance(labeled, int) and labeled > len(chosen):
        problems.append(f"{labeled} labeled cases asked for, but there are {len(chosen)}")
    if not chosen:
        problems.append("no labeled case; at least 1 is needed to learn from")
    return problems


def _is_names(values: object) -> bool:
    return isinstance(values, list) and all(isinstance(name, str) for name in values)
