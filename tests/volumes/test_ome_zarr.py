import json

import numpy as np
import pytest
import zarr
from ome_zarr_models.v05 import Image, Labels

from samssl_cli.errors import DataError
from samssl_cli.volumes import ome_zarr
from samssl_cli.volumes.ome_zarr import LabelMap, Picture, level_shapes, write_ome_zarr

SHAPE = (6, 5, 4)


def picture(shape=SHAPE, *, affine=None, channels=2, with_label=True):
    rng = np.random.default_rng(0)
    image = rng.normal(size=(channels, *shape)).astype(np.float32)
    label = rng.integers(0, 3, shape).astype(np.uint8)
    return Picture(
        "case",
        image,
        [f"channel {n}" for n in range(channels)],
        np.diag([1.0, 2.0, 3.0, 1.0]) if affine is None else affine,
        LabelMap("prediction", label, ["background", "liver", "spleen"]) if with_label else None,
        {"kind": "scores"},
    )


def attributes(path):
    return json.loads((path / "zarr.json").read_text())["attributes"]


@pytest.mark.parametrize("shape", [SHAPE, (100, 70, 20), (1, 1, 1), (130, 3, 1)], ids=str)
def test_it_is_valid_ome_zarr_0_5(tmp_path, shape):
    path = tmp_path / "case.ome.zarr"
    write_ome_zarr(path, picture(shape))
    image = Image.from_zarr(zarr.open_group(path, mode="r"))
    assert image.attributes.ome.version == "0.5"
    labels = Labels.from_zarr(zarr.open_group(path / "labels", mode="r"))
    assert labels.label_paths == ["prediction"]
    label = labels.get_image_labels_group("prediction").attributes.ome.image_label
    assert label.version == "0.5"
    assert label.source.image == "../../"
    assert [colour.label_value for colour in label.colors] == [0, 1, 2]
    assert label.colors[0].rgba == (0, 0, 0, 0)  # the background is not drawn
    assert len({colour.rgba for colour in label.colors}) == 3
    properties = attributes(path / "labels/prediction")["ome"]["image-label"]["properties"]
    assert properties[1] == {"label-value": 1, "class": "liver"}


def test_axes_are_turned_round_and_values_come_back(tmp_path):
    ours = picture()
    write_ome_zarr(tmp_path / "case.ome.zarr", ours)
    group = zarr.open_group(tmp_path / "case.ome.zarr", mode="r")
    image, label = group["0"], group["labels/prediction/0"]
    assert (image.shape, image.dtype) == ((2, 4, 5, 6), np.float32)
    assert (label.shape, label.dtype) == ((4, 5, 6), np.uint8)
    assert image.metadata.dimension_names == ("c", "z", "y", "x")
    assert label.metadata.dimension_names == ("z", "y", "x")
    # voxel (i, j, k) = (5, 0, 3) is z 3, y 0, x 5
    assert image[1, 3, 0, 5] == ours.image[1, 5, 0, 3]
    np.testing.assert_array_equal(image[...].transpose(0, 3, 2, 1), ours.image)
    np.testing.assert_array_equal(label[...].transpose(2, 1, 0), ours.label.voxels)


def test_spacing_and_origin_are_in_millimetres_in_the_order_of_the_axes(tmp_path):
    affine = np.array([[1.0, 0, 0, -7], [0, 2, 0, 8], [0, 0, 3, 9], [0, 0, 0, 1]])
    write_ome_zarr(tmp_path / "case.ome.zarr", picture(affine=affine))
    stored = attributes(tmp_path / "case.ome.zarr")
    (multiscale,) = stored["ome"]["multiscales"]
    assert multiscale["axes"] == [
        {"name": "c", "type": "channel"},
        *({"name": axis, "type": "space", "unit": "millimeter"} for axis in "zyx"),
    ]
    assert multiscale["datasets"] == [
        {
            "path": "0",
            "coordinateTransformations": [
                {"type": "scale", "scale": [1, 3, 2, 1]},
                {"type": "translation", "translation": [0, 9, 8, -7]},
            ],
        }
    ]
    ours = stored["samssl_export"]
    assert (ours["kind"], ours["orientation"], ours["affine"]) == (
        "scores",
        "RAS+",
        affine.tolist(),
    )


def test_an_oblique_volume_keeps_its_spacing_and_its_affine(tmp_path):
    c, s = np.cos(0.3), np.sin(0.3)
    affine = np.array([[0.7 * c, -1.1 * s, 0, 1], [0.7 * s, 1.1 * c, 0, 2], [0, 0, 4, 3.0]])
    affine = np.vstack([affine, [0, 0, 0, 1]])
    write_ome_zarr(tmp_path / "case.ome.zarr", picture(affine=affine))
    stored = attributes(tmp_path / "case.ome.zarr")
    scale, translation = stored["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    np.testing.assert_allclose(scale["scale"], [1, 4, 1.1, 0.7])
    np.testing.assert_allclose(translation["translation"], [0, 3, 2, 1])
    np.testing.assert_array_equal(stored["samssl_export"]["affine"], affine)


@pytest.mark.parametrize(
    ("shape", "spacing_mm", "expected"),
    [
        ((64, 64, 64), (1, 1, 1), []),
        ((65, 64, 10), (1, 1, 1), [(33, 32, 5)]),
        ((200, 200, 200), (1, 1, 1), [(100, 100, 100), (50, 50, 50)]),
        # 1 x 1 x 4 mm: the slices stay until the others are 4 mm, too
        ((400, 400, 40), (1, 1, 4), [(200, 200, 40), (100, 100, 40), (50, 50, 20)]),
        ((1, 1, 100), (0.1, 0.1, 5), [(1, 1, 50)]),
        ((3, 1, 300), (0.1, 1, 5), [(2, 1, 300), (1, 1, 300), (1, 1, 150), (1, 1, 75), (1, 1, 38)]),
    ],
    ids=["fits", "odd", "two", "thick slices", "needle", "slab"],
)
def test_levels(shape, spacing_mm, expected):
    assert level_shapes(shape, spacing_mm) == [shape, *expected]


def test_a_coarser_level_is_the_mean_and_lies_where_the_metadata_says(tmp_path):
    """Along x: 66 voxels of 1 mm at 0, 1, 2, … become 33 of 2 mm at 0.5, 2.5, …."""
    shape = (66, 2, 2)
    ramp = np.broadcast_to(np.arange(66, dtype=np.float32)[:, None, None], shape)
    label = np.zeros(shape, np.uint8)
    label[10:20] = 1
    made = Picture(
        "a", ramp[None].copy(), ["x"], np.eye(4), LabelMap("label", label, ["background", "a"])
    )
    write_ome_zarr(tmp_path / "a.ome.zarr", made)
    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="r")
    assert group["1"].shape == (1, 1, 1, 33)
    np.testing.assert_allclose(group["1"][0, 0, 0], np.arange(0.5, 66, 2), atol=1e-5)
    assert np.flatnonzero(group["labels/label/1"][0, 0]).tolist() == [5, 6, 7, 8, 9]
    datasets = attributes(tmp_path / "a.ome.zarr")["ome"]["multiscales"][0]["datasets"]
    scale, translation = datasets[1]["coordinateTransformations"]
    assert scale["scale"] == [1, 2, 2, 2]
    assert translation["translation"] == [0, 0.5, 0.5, 0.5]


def test_channels_say_how_to_be_shown(tmp_path):
    image = np.zeros((2, 10, 10, 10), np.float32)
    image[0].flat = np.arange(1000)
    made = Picture("a", image, ["T1", "constant"], np.eye(4))
    write_ome_zarr(tmp_path / "a.ome.zarr", made)
    first, second = attributes(tmp_path / "a.ome.zarr")["ome"]["omero"]["channels"]
    assert (first["label"], first["active"], second["active"]) == ("T1", True, False)
    # the 0.5 and 99.5 percentiles of 0, 1, …, 999
    assert first["window"] == pytest.approx({"min": 0, "max": 999, "start": 4.995, "end": 994.005})
    assert second["window"] == {"min": 0, "max": 1, "start": 0, "end": 1}


def test_without_a_label_map_there_are_no_labels(tmp_path):
    write_ome_zarr(tmp_path / "a.ome.zarr", picture(with_label=False))
    assert sorted(path.name for path in (tmp_path / "a.ome.zarr").iterdir()) == ["0", "zarr.json"]
    assert Image.from_zarr(zarr.open_group(tmp_path / "a.ome.zarr", mode="r")).labels is None


def test_a_killed_write_leaves_nothing_that_looks_complete(tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    path = tmp_path / "a.ome.zarr"
    with monkeypatch.context() as patched:
        patched.setattr(ome_zarr, "_write_label", killed)
        with pytest.raises(KeyboardInterrupt):
            write_ome_zarr(path, picture())
    assert [found.name for found in tmp_path.iterdir()] == [".a.ome.zarr.part"]
    write_ome_zarr(path, picture())
    assert [found.name for found in tmp_path.iterdir()] == ["a.ome.zarr"]


def test_what_was_there_is_replaced_whole(tmp_path):
    path = tmp_path / "a.ome.zarr"
    write_ome_zarr(path, picture((100, 4, 4)))
    write_ome_zarr(path, picture(with_label=False))
    assert sorted(found.name for found in path.iterdir()) == ["0", "zarr.json"]
    assert [found.name for found in tmp_path.iterdir()] == ["a.ome.zarr"]


@pytest.mark.parametrize("name", ["a.zarr", "missing/nowhere/a.ome.zarr"])
def test_a_path_that_cannot_be_written_is_refused(tmp_path, name):
    (tmp_path / "missing").write_text("a file")
    with pytest.raises(DataError, match=name):
        write_ome_zarr(tmp_path / name, picture())
