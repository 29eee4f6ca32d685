import numpy as np

from samssl_cli.registration.alignment import Pair, align, within

OPTIONS = {
    "max_voxels": 10_000,
    "affine_iterations": 20,
    "deformable_iterations": 10,
    "deformation_smoothing": 1.5,
    "window_mm": 4.0,
}


def ball(shape, centre, radius, spacing_mm):
    axes = [np.arange(n) * size for n, size in zip(shape, spacing_mm, strict=True)]
    place = np.stack(np.meshgrid(*axes, indexing="ij"))
    offset = place - np.reshape(np.asarray(centre, float), (3, 1, 1, 1))
    return np.asarray((offset**2).sum(axis=0) <= radius**2)


def test_within_measures_millimetres():
    mask = np.zeros((9, 9, 9), bool)
    mask[4, 4, 4] = True

    near = within(mask, (1.0, 1.0, 2.0), distance_mm=2)

    assert near[2, 4, 4]
    assert not near[1, 4, 4]
    assert near[4, 4, 3]
    assert not near[4, 4, 2]
    assert not within(np.zeros_like(mask), (1.0, 1.0, 1.0), distance_mm=2).any()


def test_volumes_of_other_voxels_and_extent_meet():
    ours, theirs = (
        ball((24, 24, 24), (16, 12, 12), 6, (1,) * 3),
        ball((16, 16, 12), (12,) * 3, 5, (1.5, 1.5, 2)),
    )
    fixed, moving = ours.astype(np.float32), theirs.astype(np.float32)
    pair = Pair(
        fixed, (1.0,) * 3, moving, (1.5, 1.5, 2.0), within(theirs, (1.5, 1.5, 2), distance_mm=4)
    )

    transform, notes = align(pair, **OPTIONS)

    found = pair.carried(theirs, transform) > 0.5
    assert 2 * (found & ours).sum() / (found.sum() + ours.sum()) > 0.85
    assert not [note for note in notes if note.startswith("affine")]


def test_a_worse_step_is_left_out():
    image = np.random.default_rng(0).normal(size=(12, 12, 12)).astype(np.float32)
    pair = Pair(image, (1.0,) * 3, image, (1.0,) * 3, np.zeros(image.shape, bool))

    transform, notes = align(pair, **OPTIONS)

    assert [note.split(" registration")[0] for note in notes] == ["affine", "deformable"]
    assert all(note.endswith("the images matched less well") for note in notes)
    np.testing.assert_allclose(pair.correlation(transform, window_mm=4), 1, atol=1e-4)
