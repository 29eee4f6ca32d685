import numpy as np

from samssl_cli.prompts.placement import clicks, core, depth, outskirts, spread


def test_the_core_is_what_is_confident(cube):
    cube[7, 7, 4] = 0.7
    inside = core(cube, 0.8)
    assert inside.sum() == 7**3 - 1
    assert not inside[7, 7, 4]


def test_the_core_is_the_whole_object_when_no_voxel_is_confident(cube):
    assert core(np.minimum(cube, 0.6), 0.8).sum() == 7**3


def test_the_depth_counts_voxels_to_the_outside():
    mask = np.ones((5, 5, 5), bool)  # touches every border, which counts as outside
    assert depth(mask)[2, 2, 2] == 3
    assert depth(mask)[0, 2, 2] == 1
    assert depth(np.zeros((2, 2, 2), bool)).max() == 0


def test_the_shell_is_two_to_six_voxels_away():
    line = np.zeros((12, 1, 1), np.float32)
    line[0] = 1  # the voxel at i is i voxels away
    assert np.flatnonzero(outskirts(line, 0.8)).tolist() == [2, 3, 4, 5, 6]


def test_the_shell_of_a_soft_object_starts_where_the_background_is_confident():
    line = np.array([1, 0.4, 0.4, 0.4, 0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], np.float32)
    shell = outskirts(line.reshape(-1, 1, 1), 0.8)
    assert np.flatnonzero(shell).tolist() == [5, 6, 7, 8, 9]


def test_the_shell_takes_the_nearest_background_when_none_is_two_voxels_away():
    line = np.array([0, 1, 1, 1, 0], np.float32).reshape(-1, 1, 1)
    assert np.flatnonzero(outskirts(line, 0.8)).tolist() == [0, 4]


def test_no_object_and_no_background_have_no_shell():
    assert not outskirts(np.zeros((3, 3, 3), np.float32), 0.8).any()
    assert not outskirts(np.ones((3, 3, 3), np.float32), 0.8).any()


def test_spread_goes_to_the_highest_priority_then_to_the_far_end(rng):
    candidates = np.stack([np.arange(10)] + [np.zeros(10, np.int64)] * 2, axis=1)
    priority = np.where(np.arange(10) == 3, 1.0, 0.0)
    chosen = spread(candidates, priority, 3, rng)
    assert chosen[:, 0].tolist() in ([3, 9, 6], [3, 9, 0])  # 6 and 0 are both 3 away


def test_spread_gives_each_candidate_once_and_no_more(rng):
    candidates = np.argwhere(np.ones((1, 2, 2), bool))
    assert np.unique(spread(candidates, np.ones(4), 9, rng), axis=0).shape == (4, 3)
    assert spread(candidates[:0], np.ones(0), 3, rng).shape == (0, 3)
    assert spread(candidates, np.ones(4), 0, rng).shape == (0, 3)


def test_ties_are_decided_by_the_generator():
    candidates = np.argwhere(np.ones((9, 9, 9), bool))
    draws = [
        spread(candidates, np.ones(729), 1, np.random.default_rng(seed))[0].tolist()
        for seed in (1, 1, 2)
    ]
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]


def test_clicks_carry_their_sign():
    points = clicks(np.array([[1, 2, 3]]), np.array([[4, 5, 6], [7, 8, 9]]))
    assert points.coordinates.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert points.is_positive.tolist() == [True, False, False]
