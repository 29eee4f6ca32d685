import itertools
import json

import numpy as np
import pytest

from samssl_cli.artifacts.draft import Draft
from samssl_cli.artifacts.manifest import Plan
from samssl_cli.artifacts.scores import CaseScores, write_case_scores
from samssl_cli.cli.compare import runs_by_model
from samssl_cli.errors import DataError, UsageError
from samssl_cli.progress import Silent
from samssl_cli.report.comparison import as_json, sentences
from samssl_cli.stages.compare import compare
from samssl_cli.volumes.grid import NativeGrid

NAMES = [f"case_{index:02}" for index in range(12)]
DICE = np.linspace(0.7, 0.92, 12)
CASES, OTHER_CASES = "c" * 64, "d" * 64


class Notes(Silent):
    def __init__(self):
        self.lines = []

    def note(self, message):
        self.lines.append(message)


@pytest.fixture
def write(tmp_path):
    """Write scores as `evaluate` does, with the values that are given."""
    seeds = itertools.count()

    def scores(path, dice=DICE, *, names=NAMES, hd95=None, volume_ml=10.0, cases=CASES, **about):
        """`dice` is (cases,), or (cases, classes)."""
        values = np.asarray(dice, float).reshape(len(names), -1)
        metric = about.pop("distance", "hd95_mm")
        classes = about.pop("classes", ["organ", "vessel"][: values.shape[1]])
        distances = 20 * (1 - values) if hd95 is None else np.reshape(hd95, values.shape)
        seed = next(seeds)
        what = about.pop("what", f"what-{seed}")
        options = {
            "evaluate": {"blur_sigma_voxels": 1.5},
            "largest_component": about.pop("largest_component", [1]),
        }
        origin = {"seed": seed, "inputs": {"cases": cases, "what": what}}
        plan = Plan(kind="scores", stage="evaluate", options=options, **origin)
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        draft = Draft(tmp_path / path, plan)
        for case, overlaps, lengths in zip(names, values, distances, strict=True):
            records = [
                {
                    "class_index": 1 + index,
                    "values": {"dice": overlap, metric: length, "nsd": overlap},
                    "missed": False,
                    "spurious": False,
                    "is_empty": False,
                    "prediction_ml": volume_ml,
                    "reference_ml": volume_ml,
                }
                for index, (overlap, length) in enumerate(zip(overlaps, lengths, strict=True))
            ]
            grid = NativeGrid.from_affine((2, 2, 2), np.eye(4))
            rows = {"raw": records, "largest-component": records}
            prediction = np.zeros((2, 2, 2), np.uint8)
            write_case_scores(draft.root, case, CaseScores(prediction, grid, rows))
        facts = {
            "rows": ["raw", "largest-component"],
            "headline": "largest-component",
            "metrics": ["dice", metric, "nsd"],
            "class_names": ["background", *classes],
            "tolerance": 2.0,
        }
        draft.seal(facts | about)
        return tmp_path / path

    return scores


def comparison(models, **options):
    options = {"progress": Silent(), **options}
    return compare({name: np.atleast_1d(paths) for name, paths in models.items()}, **options)


def test_the_same_scores_in_another_order_of_cases_are_no_difference(write):
    order = np.random.default_rng(0).permutation(12)
    names = [NAMES[index] for index in order]
    paths = {"first": write("a.zarr"), "again": write("b.zarr", DICE[order], names=names)}
    found = comparison(paths)
    assert [(one.column.name, one.paired.p, one.p_holm) for one in found.contrasts] == [
        ("dice", 1.0, 1.0),
        ("hd95_mm", 1.0, 1.0),
    ]
    for one in found.contrasts:
        assert (one.paired.mean, one.paired.low, one.paired.high) == (0, 0, 0)
        assert (one.paired.num_wins, one.paired.num_ties, one.paired.num_losses) == (0, 12, 0)
    assert all(line.startswith("no difference was found") for line in sentences(found))


def test_a_planted_difference_is_found(write):
    noise = np.random.default_rng(0).normal(0, 0.015, 12)
    models = {"specialist": write("a.zarr"), "student": write("b.zarr", DICE + 0.03 + noise)}
    found = comparison(models, metrics=["dice"])
    (one,) = found.contrasts
    assert one.paired.mean == pytest.approx(0.03 + noise.mean())
    assert one.paired.low < 0.03 < one.paired.high
    assert one.paired.low > 0
    (sentence,) = sentences(found)
    assert sentence.startswith("student is better than specialist by")
    (back,) = sentences(comparison(dict(reversed(models.items())), metrics=["dice"]))
    assert back.startswith("specialist is worse than student by")


def test_runs_are_averaged_by_case_and_their_spread_is_told(write):
    runs = [write(f"{seed}/s.zarr", DICE + shift) for seed, shift in enumerate((0.01, 0.02, 0.06))]
    found = comparison({"specialist": [write("a.zarr")], "student": runs}, metrics=["dice"])
    (one,) = found.contrasts
    assert one.paired.num_cases == 12  # cases are counted, not runs
    assert one.paired.mean == pytest.approx(0.03)
    assert (one.baseline.num_runs, one.baseline.std_over_runs) == (1, None)
    assert one.model.num_runs == 3
    assert one.model.mean == pytest.approx(DICE.mean() + 0.03)
    # deviations -0.02, -0.01, 0.03: (4 + 1 + 9) / 2 = 7
    assert one.model.std_over_runs == pytest.approx(0.01 * 7**0.5)


def test_several_models_and_classes_are_one_family(write):
    two = np.stack([DICE, DICE - 0.2], axis=1)
    paths = {name: write(f"{name}.zarr", two + 0.01 * shift) for shift, name in enumerate("abc")}
    found = comparison(paths)
    assert [(one.column.name, one.class_name, one.model.name) for one in found.contrasts] == [
        (metric, name, model)
        for metric in ("dice", "hd95_mm")
        for name in (None, "organ", "vessel")
        for model in "bc"
    ]
    assert all(one.baseline.name == "a" for one in found.contrasts)
    assert found.contrasts[0].model.mean == pytest.approx(DICE.mean() - 0.1 + 0.01)
    assert found.contrasts[4].model.mean == pytest.approx(DICE.mean() - 0.2 + 0.01)
    # 12 of 12 cases go one way: each p is 2 ** -11, and there are 12 tests
    assert [one.p_holm for one in found.contrasts] == pytest.approx([12 * 2**-11] * 12)


def test_one_class_can_be_asked_for(write):
    two = np.stack([DICE, DICE - 0.2], axis=1)
    paths = {"a": write("a.zarr", two), "b": write("b.zarr", two + 0.01)}
    found = comparison(paths, classes=["vessel"], metrics=["dice"])
    assert [one.class_name for one in found.contrasts] == ["vessel"]
    with pytest.raises(UsageError, match="--class heart: the classes are organ, vessel"):
        comparison(paths, classes=["heart"])


def test_another_row_and_a_common_headline(write):
    paths = {"a": write("a.zarr"), "b": write("b.zarr", headline="raw")}
    with pytest.raises(UsageError, match=r"different headlines:\n.*a.zarr: largest(.|\n)*--row"):
        comparison(paths)
    assert comparison(paths, row="raw").row == "raw"
    own = comparison(paths, row="headline", metrics=["dice"])  # largest-component, and raw
    assert own.row == "headline"
    means = [one.mean for one in (own.contrasts[0].baseline, own.contrasts[0].model)]
    each = [comparison(paths, row=row, metrics=["dice"]) for row in ("largest-component", "raw")]
    assert means == [each[0].contrasts[0].baseline.mean, each[1].contrasts[0].model.mean]
    with pytest.raises(UsageError, match="has no row 'blur'; --row can be raw, largest-component"):
        comparison(paths, row="blur")


def test_other_cases(write):
    paths = {"a": write("a.zarr"), "b": write("b.zarr", DICE[2:] + 0.02, names=NAMES[2:])}
    with pytest.raises(DataError, match="--on-common-cases compares on the 10") as refused:
        comparison(paths)
    assert refused.value.problems[0].endswith("b.zarr lacks case_00, case_01")
    assert comparison(paths, on_common_cases=True).cases == tuple(NAMES[2:])
    paths["c"] = write("c.zarr", DICE[:2], names=["x", "y"])
    with pytest.raises(DataError, match="no case in common: evaluate the models on the same"):
        comparison(paths, on_common_cases=True)


def test_other_units_metrics_and_tolerances(write):
    paths = {
        "a": write("a.zarr"),
        "b": write("b.zarr", DICE + 0.01, distance="hd95_voxels", tolerance=1.0),
    }
    with pytest.raises(UsageError, match="has hd95_voxels, where hd95_mm is compared"):
        comparison(paths)
    assert len(comparison(paths, metrics=["dice"]).contrasts) == 1
    with pytest.raises(UsageError, match=r"different tolerances:\n.*2 mm\n.*1 voxels\nevaluate"):
        comparison(paths, metrics=["nsd"])
    with pytest.raises(UsageError, match="unknown metric 'beauty'"):
        comparison(paths, metrics=["beauty"])
    with pytest.raises(UsageError, match="has no jaccard; --metric can be dice, hd95_mm, nsd"):
        comparison(paths, metrics=["jaccard"])


def test_other_classes(write):
    paths = {"a": write("a.zarr"), "b": write("b.zarr", classes=["heart"])}
    with pytest.raises(UsageError, match=r"different classes:\n.*organ\n.*heart\ncompare"):
        comparison(paths)


def test_other_references(write):
    paths = {"a": write("a.zarr"), "b": write("b.zarr", cases=OTHER_CASES)}
    notes = Notes()
    comparison(paths, progress=notes)
    (line,) = notes.lines
    assert "evaluated on another cases.zarr (dddddddddddd)" in line
    paths["b"] = write("c.zarr", cases=OTHER_CASES, volume_ml=10.5)
    with pytest.raises(DataError, match=r"different references, on case_00, .* and 4 more"):
        comparison(paths)


def test_a_run_counts_once_and_one_model_is_nothing_to_compare(write):
    path, other = write("a.zarr"), write("b.zarr")
    with pytest.raises(UsageError, match="are the same run of a: give each run once"):
        comparison({"a": [path, path], "b": [other]})
    with pytest.raises(UsageError, match=r"only one model is given .*at least two"):
        comparison({"a": [path, other]})


def test_names_of_models(tmp_path):
    found = runs_by_model(["scores/round-1.zarr", "student=0/s.zarr", "student=1/s.zarr"])
    assert {name: [str(path) for path in paths] for name, paths in found.items()} == {
        "round-1": ["scores/round-1.zarr"],
        "student": ["0/s.zarr", "1/s.zarr"],
    }
    odd = tmp_path / "lr=0.1" / "s.zarr"
    odd.mkdir(parents=True)
    assert runs_by_model([str(odd)]) == {"s": [odd]}
    for words in (["0/s.zarr", "1/s.zarr"], ["s=0/x.zarr", "1/s.zarr"], ["0/s.zarr", "s=1/x.zarr"]):
        with pytest.raises(UsageError, match="would both be called 's': name the models, as in"):
            runs_by_model(words)


def test_the_command(samssl, write):
    first, second = write("a.zarr"), write("b.zarr", DICE + 0.05)
    finished = samssl("compare", f"specialist={first}", f"student={second}")
    assert finished.code == 0
    assert finished.stdout.splitlines()[0].startswith(
        "student is better than specialist by 5.00 Dice (%) [5.00, 5.00], p < 0.001 (Holm), "
        "n = 12 cases, 1 run each; wins 12, ties 0, losses 0"
    )
    assert len(finished.stdout.splitlines()) == 2
    assert "difference to specialist over 12 cases" in finished.stderr
    as_document = samssl("compare", f"specialist={first}", f"student={second}", "--json")
    models = {"specialist": [first], "student": [second]}
    assert json.loads(as_document.stdout) == as_json(comparison(models))
    refused = samssl("compare", first)
    assert (refused.code, refused.stdout) == (2, "")
    assert "only one model is given" in refused.stderr


def test_other_cleaning_is_told(write):
    a, b = write("a.zarr"), write("b.zarr", largest_component=[])
    notes = Notes()
    compare({"a": [a], "b": [b]}, progress=notes)
    assert "largest component of classes [1]" in notes.lines[0]


def test_one_checkpoint_scored_twice_is_one_run(write):
    a, b, again = write("a.zarr"), write("b.zarr", what="x"), write("again.zarr", what="x")
    with pytest.raises(UsageError, match="are the same run of b"):
        compare({"a": [a], "b": [b, again]}, progress=Silent())


def test_brackets_in_the_name_of_a_model_are_shown(write):
    from samssl_cli.report.comparison import model_table
    from samssl_cli.report.plain_table import table_lines

    compared = compare({"a[/b]": [write("a.zarr")], "b": [write("b.zarr")]}, progress=Silent())
    assert "a[/b]" in "\n".join(table_lines(model_table(compared), 140))


def test_a_path_with_an_equals_sign_is_a_path(tmp_path):
    path = tmp_path / "lr=0.01" / "s.zarr"
    path.mkdir(parents=True)
    assert runs_by_model([str(path), f"b={path}"]) == {"s": [path], "b": [path]}
