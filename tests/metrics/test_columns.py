import pytest

from samssl_cli.errors import UsageError
from samssl_cli.metrics import METRICS
from samssl_cli.metrics.columns import column, columns


def test_columns_in_mm_are_the_rows_of_the_table():
    assert [one.name for one in columns()] == list(METRICS)
    assert [one.metric for one in columns(in_voxels=True)] == list(METRICS)


@pytest.mark.parametrize(
    ("metric", "in_voxels", "name", "title", "shown"),
    [
        ("dice", False, "dice", "Dice (%)", "81.25"),
        ("dice", True, "dice", "Dice (%)", "81.25"),
        ("hd95_mm", False, "hd95_mm", "HD95 (mm)", "0.81"),
        ("hd95_mm", True, "hd95_voxels", "HD95 (voxels)", "0.81"),
        (
            *("volume_difference_ml", False),
            *("volume_difference_ml", "Volume difference (ml)", "0.81"),
        ),
        (
            *("volume_difference_ml", True),
            *("volume_difference_voxels", "Volume difference (voxels)", "0.81"),
        ),
        (
            *("volume_difference_percent", True),
            *("volume_difference_percent", "Volume difference (%)", "0.81"),
        ),
        ("nsd", True, "nsd", "NSD (%)", "81.25"),
    ],
)
def test_a_column_in_either_unit(metric, in_voxels, name, title, shown):
    (found,) = (one for one in columns(in_voxels=in_voxels) if one.metric == metric)
    assert (found.name, found.title, found.shown(0.8125)) == (name, title, shown)
    assert column(name) == found
    assert found.higher_is_better == METRICS[metric].higher_is_better


def test_names_and_titles_are_unique():
    for in_voxels in (False, True):
        every = columns(in_voxels=in_voxels)
        assert len({one.name for one in every}) == len({one.title for one in every}) == len(METRICS)


def test_an_unknown_column_lists_the_known():
    with pytest.raises(UsageError, match=r"unknown metric 'hd96'; known: dice, .*hd95_voxels"):
        column("hd96")
