import numpy as np

from samssl_cli.guesses.prototypes import prototypes, similarity, unit


def test_clusters_become_unit_vectors_in_their_middle():
    rng = np.random.default_rng(0)
    ends = np.repeat(np.eye(3, dtype=np.float32)[:2], 20, axis=0)
    vectors = unit((ends + 0.05 * rng.normal(size=ends.shape)).T.astype(np.float32)).T

    found = prototypes(vectors, 2, np.random.default_rng(1))

    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found[found[:, 0].argsort()], np.eye(3)[[1, 0]], atol=0.06)


def test_few_vectors_stand_for_themselves_and_none_for_nothing():
    rng, one = np.random.default_rng(0), np.eye(3, dtype=np.float32)[:1]

    np.testing.assert_array_equal(prototypes(one, 4, rng), one)
    assert prototypes(one[:0], 4, rng).shape == (0, 3)


def test_the_likest_prototype_counts_and_an_unknown_class_is_unlike():
    features = unit(np.array([[3.0, 0.0], [4.0, 2.0]], np.float32)[:, :, None, None])
    classes = [np.eye(2, dtype=np.float32), np.zeros((0, 2), np.float32)]

    found = similarity(features, classes)

    np.testing.assert_allclose(found[0].ravel(), [0.8, 1.0])
    np.testing.assert_array_equal(found[1], -1)


def test_zeros_have_no_direction():
    np.testing.assert_array_equal(unit(np.zeros((2, 1), np.float32)), 0)
