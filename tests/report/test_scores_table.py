from samssl_cli.report.plain_table import table_lines
from samssl_cli.report.scores_table import comparison_table, score_table


def a_class(mean, *, num_missed=1, low=0.0, high=1.0):
    """What `scores.json` holds of one class over two cases, as far as the table shows it."""
    values = {"dice": mean, "precision": 0.5, "hd95_mm": 25.0}
    ends = {"low": {"dice": low}, "high": {"dice": high}}
    return {"mean": values, **ends, "num_missed": num_missed, "num_cases": 2}


def a_record(**classes):
    about = {"rows": ["raw"], "headline": "raw", "metrics": ["dice", "precision", "hd95_mm"]}
    means = {"dice": 0.25, "precision": 0.5, "hd95_mm": 25.0}
    return {"about": about, "summary": {"raw": {"mean": means, "classes": classes}}}


def lines(table):
    return list(table_lines(table, 120))


def test_overlaps_are_in_percent_with_their_interval_and_the_mean_of_classes_comes_last():
    record = a_record(organ=a_class(0.5), vessel=a_class(0.0, num_missed=2, high=0.1))
    assert lines(score_table(record, title="student")) == [
        "student",
        "prediction  class               Dice (%)  HD95 (mm)  missed  n",
        "--------------------------------------------------------------",
        "raw         organ   50.00 [0.00, 100.00]      25.00       1  2",
        "raw         vessel    0.00 [0.00, 10.00]      25.00       2  2",
        "raw         mean                   25.00      25.00       3  2",
    ]


def test_models_are_compared_on_the_headline_row():
    record = a_record(organ=a_class(0.5))
    record["about"]["rows"] = ["other", "raw"]
    table = comparison_table({"specialist": record, "student": record}, title="both")
    cells = "organ  50.00 [0.00, 100.00]      25.00       1  2"
    assert lines(table)[3:] == [f"specialist  {cells}", f"student     {cells}"]


def test_names_with_brackets_are_shown_as_they_are():
    record = a_record(**{"tumor [/b] [enhancing]": a_class(0.5)})
    for table in (score_table(record, "a [/b]"), comparison_table({"m [/b]": record}, "a [/b]")):
        assert lines(table)[0] == "a [/b]"
        assert "tumor [/b] [enhancing]" in lines(table)[3]
    assert lines(table)[3].startswith("m [/b]")
