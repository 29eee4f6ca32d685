import gzip
import shutil

import nibabel as nib
import numpy as np
import pytest

from samssl_cli.errors import DataError, StaleArtifactError, UsageError
from samssl_cli.progress import Silent
from samssl_cli.recipe import read_recipe
from samssl_cli.stages.predict import find_images, predict


def run(loop, images, output, **changes):
    options = {"only_largest": False, "device": "cpu", "force": False, "progress": Silent()}
    options["recipe"] = loop.recipe
    return predict(loop.path("student"), images, output, **{**options, **changes})


def save(path, shape=(20, 18, 16), affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    voxels = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    nib.save(nib.Nifti1Image(voxels, np.eye(4) if affine is None else affine), path)
    return path


def test_a_folder_of_nnunet_files(loop, phantom, tmp_path):
    paths = run(loop, [phantom / "imagesTs"], tmp_path / "out")
    assert [path.name for path in paths] == ["phantom_004.nii.gz", "phantom_005.nii.gz"]
    for path in paths:
        file = path.name.replace(".nii.gz", "_0000.nii.gz")
        source, back = nib.load(phantom / "imagesTs" / file), nib.load(path)
        assert back.shape == source.shape
        np.testing.assert_array_equal(back.affine, source.affine)
        assert back.get_data_dtype() == np.uint8


def test_it_predicts_what_evaluate_scored(loop, phantom, tmp_path):
    from samssl_cli.artifacts.scores import Scores

    scores = Scores(loop.path("scores"))
    (path, _) = run(loop, [phantom / "imagesTs"], tmp_path / "out", only_largest=True)
    expected = scores.read("phantom_004").prediction
    np.testing.assert_array_equal(np.asarray(nib.load(path).dataobj), expected)


def test_odd_orientation_small_volume_and_plain_nii(loop, tmp_path):
    affine = np.array([[0, 0, -2.0, 9], [0.7, 0, 0, -4], [0, -0.9, 0, 2], [0, 0, 0, 1]])
    image = save(tmp_path / "ünder score.nii", shape=(9, 5, 3), affine=affine)
    (path,) = run(loop, [image], tmp_path / "out")
    assert path.name == "ünder score.nii.gz"
    assert nib.load(path).shape == (9, 5, 3)  # smaller than the patch along every axis
    np.testing.assert_array_equal(nib.load(path).affine, nib.load(image).affine)


def test_what_is_there_is_not_predicted_again(loop, tmp_path):
    images = [save(tmp_path / "in" / f"{name}.nii.gz") for name in "ab"]
    first = run(loop, images[:1], tmp_path / "out")[0]
    before = first.stat().st_mtime_ns
    assert len(run(loop, images, tmp_path / "out")) == 2
    assert first.stat().st_mtime_ns == before
    run(loop, images, tmp_path / "out", force=True)
    assert first.stat().st_mtime_ns > before


def test_unreadable_images_are_listed_and_the_others_predicted(loop, tmp_path):
    folder = tmp_path / "in"
    save(folder / "good.nii.gz")
    (folder / "empty.nii.gz").write_bytes(b"")
    (folder / "text.nii.gz").write_bytes(gzip.compress(b"hello"))
    save(folder / "channels.nii.gz", shape=(8, 8, 8, 2))
    with pytest.raises(DataError, match="3 of 4 images could not be predicted") as caught:
        run(loop, [folder], tmp_path / "out")
    message = str(caught.value)
    assert all(name in message for name in ("empty.nii.gz", "text.nii.gz", "channels.nii.gz"))
    assert "2 channels, expected 1 (MRI)" in message
    assert [path.name for path in (tmp_path / "out").glob("*.nii.gz")] == ["good.nii.gz"]


def test_missing_files_are_told_before_any_work(loop, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError) as caught:
        run(loop, [tmp_path / "no.nii.gz", tmp_path / "empty"], tmp_path / "out")
    assert "no.nii.gz: there is no such file" in str(caught.value)
    assert "empty: holds no NIfTI file" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_label_maps_never_go_among_the_images(loop, tmp_path):
    save(tmp_path / "a.nii.gz")
    tmp_path.with_name("link").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="holds the images; name another folder"):
        run(loop, [tmp_path], tmp_path.with_name("link"))


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("given", ["a.nii.gz", "b/a.nii.gz"], ids=["itself", "a link to it"])
def test_a_label_map_never_replaces_an_image(loop, tmp_path, given, force):
    image = save(tmp_path / "a.nii.gz")
    before = image.read_bytes()
    (tmp_path / "b").symlink_to(tmp_path)
    with pytest.raises(UsageError, match=r"a\.nii\.gz: is an image; name another folder"):
        run(loop, [tmp_path / given], tmp_path, force=force)
    assert image.read_bytes() == before
    assert not (tmp_path / "predicted-with.json").exists()


def test_label_maps_of_others_are_not_taken_for_done(loop, tmp_path):
    image = save(tmp_path / "in/a_0000.nii.gz")
    reference = save(tmp_path / "labelsTs/a.nii.gz")
    before = reference.read_bytes()
    with pytest.raises(UsageError, match=r"was not written by samssl predict.*another folder"):
        run(loop, [image], tmp_path / "labelsTs")
    assert reference.read_bytes() == before
    run(loop, [image], tmp_path / "labelsTs", force=True)
    assert reference.read_bytes() != before


def test_another_inference_is_stale(loop, tmp_path):
    image, out = save(tmp_path / "a.nii.gz"), tmp_path / "out"
    run(loop, [image], out)
    other = read_recipe(str(loop.recipe_path), ["inference.overlap=0"])
    with pytest.raises(StaleArtifactError, match=r"another checkpoint, or predicted.*--force"):
        run(loop, [image], out, recipe=other)
    run(loop, [image], out, recipe=other, force=True)
    assert '"overlap": 0.0' in (out / "predicted-with.json").read_text()


def test_a_forced_run_that_was_killed_leaves_nothing_of_the_old_checkpoint(loop, tmp_path):
    images, out = [save(tmp_path / f"in/{name}.nii.gz") for name in "ab"], tmp_path / "out"
    run(loop, images, out)
    record = out / "predicted-with.json"
    record.write_text('{"checkpoint": "another"}')
    with pytest.raises(UsageError, match=r"also holds b.nii.gz"):  # it would pass for ours
        run(loop, images[:1], out, force=True)
    seen = []

    class Killed(Silent):
        def start(self, title, *, total, done=0):
            seen.extend(path.name for path in out.glob("*.nii.gz"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(loop, images, out, force=True, progress=Killed())
    assert seen == []
    assert len(run(loop, images, out)) == 2  # without --force: nothing old is taken for done
    assert sorted(path.name for path in out.glob("*.nii.gz")) == ["a.nii.gz", "b.nii.gz"]


def test_the_recipe_limits_the_size_of_an_image(loop, tmp_path):
    small = read_recipe(str(loop.recipe_path), ["preprocess.max_volume_gb=1e-6"])
    with pytest.raises(DataError, match=r"raise preprocess\.max_volume_gb"):
        run(loop, [save(tmp_path / "a.nii.gz")], tmp_path / "out", recipe=small)


def names(folder, *channels):
    return [
        (case.name, [path.name for path in case.images]) for case in find_images([folder], channels)
    ]


def touch(folder, *files):
    folder.mkdir(exist_ok=True)
    for file in files:
        (folder / file).touch()
    return folder


def test_channels_are_grouped_in_order(tmp_path):
    touch(tmp_path, "b_0001.nii.gz", "b_0000.nii.gz", "a_0000.nii", "a_0001.nii", "._b.nii.gz")
    assert names(tmp_path, "CT", "T1") == [
        ("a", ["a_0000.nii", "a_0001.nii"]),
        ("b", ["b_0000.nii.gz", "b_0001.nii.gz"]),
    ]


def test_a_number_without_a_channel_0_belongs_to_the_name(tmp_path):
    touch(tmp_path, "amos_0007.nii.gz", "amos_0009.nii.gz", "scan_2019.nii.gz", "x_0000.nii.gz")
    assert [name for name, _ in names(tmp_path, "CT")] == [
        "amos_0007",
        "amos_0009",
        "scan_2019",
        "x",
    ]


@pytest.mark.parametrize(
    ("files", "channels", "message"),
    [
        (["a_0000.nii.gz", "b_0000.nii.gz", "b_0001.nii.gz"], ("CT",), "b_0001.*is channel 1"),
        (["a_0000.nii.gz", "a_0002.nii.gz"], ("x", "y", "z"), r"channel 1 \(y\) is missing"),
        (["a.nii.gz", "a_0000.nii.gz"], ("CT",), "is case a as .* is; rename one"),
    ],
    ids=["surplus", "missing", "twice"],
)
def test_wrong_channels_are_told(tmp_path, files, channels, message):
    with pytest.raises(DataError, match=message):
        find_images([touch(tmp_path / "in", *files)], channels)


def test_one_file_may_hold_all_channels(tmp_path):
    assert names(touch(tmp_path, "a.nii.gz"), "CT", "T1") == [("a", ["a.nii.gz"])]


def test_a_copied_checkpoint_predicts(loop, tmp_path):
    copy = shutil.copytree(loop.path("student"), tmp_path / "student.zarr")
    (path,) = run(loop.beside(out=tmp_path), [save(tmp_path / "a.nii.gz")], tmp_path / "out")
    assert copy.exists()
    assert path.exists()
