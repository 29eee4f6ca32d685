import hashlib

import numpy as np
import pytest

from samssl_cli.volumes.datasets import open_dataset
from samssl_cli.volumes.datasets.check import check_case
from samssl_cli.volumes.datasets.roles import assign_roles, read_split
from samssl_cli.volumes.geometry import Geometry, to_ras
from samssl_cli.volumes.phantom import SPACING_MM, draw_case, make_phantom_dataset

SHAPE = (20, 20, 16)


def write(root, seed=0):
    make_phantom_dataset(root, num_train=3, num_labeled=1, num_test=1, shape=SHAPE, seed=seed)
    return root


def digests(root):
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    return {p.relative_to(root): hashlib.sha256(p.read_bytes()).hexdigest() for p in paths}


def test_the_same_seed_writes_the_same_bytes(tmp_path):
    first, again, other = (
        write(tmp_path / name, seed) for name, seed in [("a", 0), ("b", 0), ("c", 1)]
    )
    assert digests(first) == digests(again)
    assert digests(first) != digests(other)


def test_the_data_set_opens_and_is_sound(tmp_path):
    dataset = open_dataset(write(tmp_path))
    assert dataset.class_names == ("background", "organ", "vessel")
    assert [case.label is not None for case in dataset.cases] == [True, False, False, True]
    assert [check_case(dataset, case, max_bytes=10**6) for case in dataset.cases] == [[]] * 4
    roles = assign_roles(dataset, labeled=None, split=read_split(tmp_path / "splits.json"))
    assert (len(roles.labeled), len(roles.unlabeled), len(roles.test)) == (1, 2, 1)


@pytest.mark.parametrize("number", [0, 3], ids=["stored as RAS", "stored as PIR"])
def test_files_hold_the_drawing_along_their_own_axes(tmp_path, number):
    dataset = open_dataset(write(tmp_path))
    case = dataset.cases[number]
    stored, grid = dataset.read_image(case, max_bytes=10**6)
    geometry = Geometry.of(grid)
    image, label = draw_case(np.random.default_rng([0, number]), SHAPE)
    np.testing.assert_array_equal(to_ras(stored, geometry)[0], np.round(image))
    stored_label = dataset.read_label(case, max_bytes=10**6)[0]
    np.testing.assert_array_equal(to_ras(stored_label, geometry), label)
    assert geometry.spacing_mm == pytest.approx(SPACING_MM)


def test_a_case_is_anatomy_that_no_threshold_finds():
    image, label = draw_case(np.random.default_rng([0, 0]), (56, 56, 40))
    assert (image.dtype, label.dtype, image.shape) == (np.float32, np.uint8, label.shape)
    organ, vessel = label == 1, label == 2
    assert 1000 < vessel.sum() < organ.sum() < 4000
    limits = np.quantile(image, np.linspace(0, 1, 21))
    windows = [(image >= a) & (image <= b) for a in limits for b in limits if a < b]
    best = max(2 * (w & organ).sum() / (w.sum() + organ.sum()) for w in windows)
    assert best < 0.5  # Dice of the best intensity window
