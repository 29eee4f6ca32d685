import pytest

from samssl_cli.report.diagnosis import diagnosis_as_json, quality_tables, reliabilities


def curve(count, confidence_sum, hits):
    return {"count": count, "confidence_sum": confidence_sum, "hits": hits}


def prompts(positive, inside):
    zeros = dict.fromkeys(
        (
            *("num_objects", "num_negative", "negative_outside", "num_boxes", "num_prompted"),
            *("num_reference", "num_both", "num_components", "missed_components"),
        ),
        0,
    )
    return {**zeros, "box_iou_sum": 0.0, "num_positive": positive, "positive_inside": inside}


class FakeScores:
    """Two cases whose counts differ: 1 of 1 and 1 of 3 positive points are inside."""

    names, path = ("a", "b"), "scores.zarr"

    def __init__(self, scored="checkpoint"):
        self.about = {"class_names": ["background", "organ"], "scored": scored}

    def diagnosis(self, name):
        is_first = name == "a"
        return {
            "reliability": {
                "organ": curve([2, 0], [0.5, 0.0], [1.0, 0.0])
                if is_first
                else curve([0, 4], [0.0, 3.2], [0.0, 4.0])
            },
            "prompts": {"organ": prompts(1, 1) if is_first else prompts(3, 1)},
        }


def test_shares_are_those_of_the_sums():
    found = diagnosis_as_json(FakeScores())
    assert found["prompts"]["organ"]["positive_share"] == 0.5  # 2 of 4, not (1 + 1/3) / 2
    # (|0.5 - 1| + |3.2 - 4|) / 6 voxels
    assert found["reliability"]["organ"]["ece"] == pytest.approx((0.5 + 0.8) / 6)
    assert "pseudo_labels" not in found
    assert "no stage can use it" in found["note"]


def test_the_page_gets_a_curve_and_a_table():
    (curve_of_organ,) = reliabilities(FakeScores())
    assert curve_of_organ.count.tolist() == [2, 4]
    assert curve_of_organ.frequency.tolist() == [0.5, 1.0]
    (table,) = quality_tables(FakeScores())
    assert table.title == "Prompts that this prediction would lead to"
    cells = dict(zip(table.headings, table.rows[0], strict=True))
    assert cells["positive points inside"] == "50.0 % of 4"
    assert cells["negative points outside"] == "-"
    assert quality_tables(FakeScores("prompts"))[0].title == "Prompts that were scored"
