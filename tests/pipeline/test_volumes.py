"""Where decoded volumes lie does not change what is learned from them."""

import numpy as np

from samssl_cli.artifacts.checkpoint import Checkpoint


def assert_same(a, b):
    ours, theirs = Checkpoint(a).weights(), Checkpoint(b).weights()
    assert set(ours) == set(theirs)
    for name, weight in ours.items():
        assert np.array_equal(weight, theirs[name]), name


def test_volumes_in_a_file_train_the_same(loop, tmp_path):
    other = loop.linked(tmp_path, "cases", "pseudo", volumes_gb=0.0)
    assert_same(other.train(), loop.path("specialist"))
    assert_same(other.retrain(), loop.path("student"))
    assert sum("temporary file" in note for note in other.notes) == 2
