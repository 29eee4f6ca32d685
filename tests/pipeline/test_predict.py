import gzip
import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from samssl_cli.artifacts.checkpoint import Checkpoint
from samssl_cli.errors import DataError, StaleArtifactError, UsageError
from samssl_cli.progress import Silent
from samssl_cli.recipe import read_recipe
from samssl_cli.stages.images import find_images
from samssl_cli.stages.predict import predict


def run(loop, images, output, **changes):
    options = {"only_largest": False, "device": "cpu", "force": False, "progress": Silent()}
    options["recipe"] = loop.recipe
    return predict(loop.path("student"), images, output, **{**options, **changes})


class Notes(Silent):
    def __init__(self, notes):
        self.notes = notes

    def note(self, message):
        self.notes.append(message)


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


def test_the_record_is_readable_and_its_layout_does_not_matter(loop, tmp_path):
    image, out = save(tmp_path / "a.nii.gz"), tmp_path / "out"
    (path,) = run(loop, [image], out)
    record = out / "predicted-with.json"
    assert len(record.read_text().splitlines()) > 5
    record.write_text(json.dumps(json.loads(record.read_text())))  # one line, as older ones are
    before = path.stat().st_mtime_ns
    run(loop, [image], out)
    assert path.stat().st_mtime_ns == before
    record.write_text("{")
    with pytest.raises(StaleArtifactError):
        run(loop, [image], out)


def test_flips_are_recorded_and_change_the_probabilities(loop, tmp_path):
    image, out = save(tmp_path / "a.nii.gz"), tmp_path / "out"
    (_, plain) = run(loop, [image], out, with_probabilities=True)
    flips = read_recipe(str(loop.recipe_path), ["inference.flips=true"])
    with pytest.raises(StaleArtifactError):
        run(loop, [image], out, recipe=flips, with_probabilities=True)
    notes = []
    (_, mean) = run(
        *(loop, [image], tmp_path / "f"),
        recipe=flips,
        with_probabilities=True,
        progress=Notes(notes),
    )
    assert json.loads((tmp_path / "f/predicted-with.json").read_text())["inference"]["flips"]
    assert "has learned from images mirrored along no axes" in notes[0]
    difference = np.abs(nib.load(mean).get_fdata() - nib.load(plain).get_fdata())
    assert 1e-4 < difference.max() < 1


def test_probabilities_lie_on_the_native_grid_with_the_classes_last(loop, tmp_path):
    affine = np.array([[0, 0, -2.0, 9], [0.7, 0, 0, -4], [0, -0.9, 0, 2], [0, 0, 0, 1]])
    image = save(tmp_path / "a.nii.gz", shape=(9, 14, 11), affine=affine)
    label, probabilities = run(loop, [image], tmp_path / "out", with_probabilities=True)
    assert [label.name, probabilities.name] == ["a.nii.gz", "a_probabilities.nii.gz"]
    source, back = nib.load(image), nib.load(probabilities)
    assert back.shape == (9, 14, 11, 3)  # background and two organs
    assert back.get_data_dtype() == np.float32
    np.testing.assert_array_equal(back.affine, source.affine)
    assert [int(back.header[f"{form}_code"]) for form in ("qform", "sform")] == [
        int(source.header[f"{form}_code"]) for form in ("qform", "sform")
    ]
    assert back.header.get_zooms()[:3] == source.header.get_zooms()
    voxels = np.asarray(back.dataobj)
    np.testing.assert_allclose(voxels.sum(axis=-1), 1, atol=1e-5)
    np.testing.assert_array_equal(voxels.argmax(axis=-1), np.asarray(nib.load(label).dataobj))


def test_probabilities_asked_for_later_are_added_and_the_label_map_stays(loop, tmp_path):
    images, out = [save(tmp_path / f"in/{name}.nii.gz") for name in "ab"], tmp_path / "out"
    labels = run(loop, images, out)
    before = [path.stat().st_mtime_ns for path in labels]
    run(loop, images[:1], out, with_probabilities=True)
    late = out / "a_probabilities.nii.gz"
    made = late.stat().st_mtime_ns
    run(loop, images, out, with_probabilities=True)
    assert (out / "b_probabilities.nii.gz").exists()
    assert late.stat().st_mtime_ns == made
    assert [path.stat().st_mtime_ns for path in labels] == before
    run(loop, images, out)  # nobody asks for them now: up to date, and they stay
    assert late.stat().st_mtime_ns == made


def test_a_forced_run_predicts_the_probabilities_that_are_there_again(loop, tmp_path):
    images, out = [save(tmp_path / f"in/{name}.nii.gz") for name in "ab"], tmp_path / "out"
    run(loop, images[:1], out, with_probabilities=True)
    save(images[0], shape=(12, 12, 12))  # another image of that name
    run(loop, images, out, force=True)
    assert nib.load(out / "a_probabilities.nii.gz").shape == (12, 12, 12, 3)
    assert not (out / "b_probabilities.nii.gz").exists()


def test_a_run_killed_between_both_files_adds_the_one_that_is_missing(loop, tmp_path, monkeypatch):
    from samssl_cli.volumes import nifti

    image, out = save(tmp_path / "a.nii.gz"), tmp_path / "out"
    write_label = nifti.write_label

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(nifti, "write_label", killed)
    with pytest.raises(KeyboardInterrupt):
        run(loop, [image], out, with_probabilities=True)
    assert sorted(path.name for path in out.iterdir()) == [
        "a_probabilities.nii.gz",
        "predicted-with.json",
    ]
    made = (out / "a_probabilities.nii.gz").stat().st_mtime_ns
    monkeypatch.setattr(nifti, "write_label", write_label)
    label, probabilities = run(loop, [image], out, with_probabilities=True)
    assert label.exists()
    assert probabilities.stat().st_mtime_ns == made


def test_a_run_killed_anywhere_resumes_to_the_same_files(samssl, loop, phantom, tmp_path, hashes):
    recipe = ("--recipe", loop.recipe_path, "--device", "cpu", "--probabilities")
    whole, killed = (
        ("predict", loop.path("student"), phantom / "imagesTr", "-o", out, *recipe)
        for out in (tmp_path / "whole", tmp_path / "killed")
    )
    assert samssl(*whole).code == 0
    for number in (0, 1):  # a second kill, of a run that resumes
        seen = tmp_path / f"killed/phantom_00{number}_probabilities.nii.gz"
        assert samssl(*killed, after_path=seen).code == -9
        assert not (tmp_path / "killed/summary.json").exists()
    assert samssl(*killed).code == 0
    assert hashes(tmp_path / "killed") == hashes(tmp_path / "whole")


@pytest.mark.parametrize("force", [False, True])
def test_probabilities_never_replace_an_image(loop, tmp_path, force):
    image, out = save(tmp_path / "in/a.nii.gz"), tmp_path / "out"
    before = image.read_bytes()
    out.mkdir()
    (out / "a_probabilities.nii.gz").symlink_to(image)
    with pytest.raises(UsageError, match=r"a_probabilities\.nii\.gz: is an image"):
        run(loop, [image], out, with_probabilities=True, force=force)
    assert image.read_bytes() == before
    assert [path.name for path in out.iterdir()] == ["a_probabilities.nii.gz"]


def test_probabilities_of_others_stay(loop, tmp_path):
    image = save(tmp_path / "in/a.nii.gz")
    other = save(tmp_path / "out/a_probabilities.nii.gz")
    with pytest.raises(UsageError, match=r"a_probabilities.*was not written by samssl predict"):
        run(loop, [image], tmp_path / "out", with_probabilities=True)
    with pytest.raises(UsageError, match=r"also holds a_probabilities.nii.gz"):
        run(loop, [image], tmp_path / "out", force=True)
    assert other.exists()


def test_two_files_of_one_name_are_refused(loop, tmp_path):
    images = [save(tmp_path / f"in/{name}.nii.gz") for name in ("a", "a_probabilities")]
    with pytest.raises(UsageError, match=r"probabilities of a and the label map of a_probab"):
        run(loop, images, tmp_path / "out", with_probabilities=True)
    assert len(run(loop, images, tmp_path / "out")) == 2


def summary_of(out):
    return json.loads((out / "summary.json").read_text())


def test_the_summary_counts_voxels_and_millilitres(loop, tmp_path):
    image = save(tmp_path / "a_0000.nii.gz", affine=np.diag([0.7, 1.1, 4.0, 1]))
    (label,) = run(loop, [image], tmp_path / "out")
    summary = summary_of(tmp_path / "out")
    assert summary["schema"] == "samssl-prediction/1"
    assert summary["checkpoint"] == Checkpoint(loop.path("student")).fingerprint
    assert (summary["largest_component"], summary["inference"]["overlap"]) == (False, 0.25)
    background, *organs = summary["classes"]
    (case,) = summary["cases"]
    assert (case["case"], case["images"], case["label_map"]) == ("a", [str(image)], "a.nii.gz")
    assert (case["shape"], case["spacing_mm"]) == ([20, 18, 16], [0.7, 1.1, 4.0])
    assert background not in case["found"]
    voxels = np.asarray(nib.load(label).dataobj)
    for index, organ in enumerate(organs, 1):
        count = int((voxels == index).sum())
        # a voxel is 0.7 x 1.1 x 4 = 3.08 mm³ = 0.00308 ml
        expected = {"num_voxels": count, "volume_ml": pytest.approx(count * 0.00308, abs=1e-5)}
        assert case["found"][organ] == expected


def test_an_unchanged_summary_is_left_alone_and_a_missing_one_written(loop, tmp_path):
    image, out = save(tmp_path / "a.nii.gz"), tmp_path / "out"
    (label,) = run(loop, [image], out)
    path, made = out / "summary.json", label.stat().st_mtime_ns
    text, before = path.read_text(), path.stat().st_mtime_ns
    run(loop, [image], out)
    assert path.stat().st_mtime_ns == before
    path.unlink()
    run(loop, [image], out)
    assert path.read_text() == text
    assert label.stat().st_mtime_ns == made


def test_a_summary_that_was_edited_is_written_anew(loop, tmp_path):
    image, out = save(tmp_path / "a.nii.gz"), tmp_path / "out"
    run(loop, [image], out)
    whole = summary_of(out)
    for cases in ("none", [{"case": "a"}, 7], [{**whole["cases"][0], "label_map_sha256": ""}]):
        (out / "summary.json").write_text(json.dumps({**whole, "cases": cases}))
        run(loop, [image], out)
        assert summary_of(out) == whole


def test_the_summary_follows_the_label_maps_of_all_runs(loop, tmp_path):
    images, out = [save(tmp_path / f"in/{name}.nii.gz") for name in "abc"], tmp_path / "out"
    for image in images:  # one after the other, as a watched folder is
        run(loop, [image], out)
    assert [case["case"] for case in summary_of(out)["cases"]] == ["a", "b", "c"]
    drawn = nib.load(out / "a.nii.gz")  # corrected by hand: two voxels are left
    voxels = np.zeros(drawn.shape, np.uint8)
    voxels[0, 0, :2] = 1
    nib.save(nib.Nifti1Image(voxels, None, drawn.header), out / "a.nii.gz")
    (out / "b.nii.gz").unlink()
    run(loop, images[2:], out)
    a, c = summary_of(out)["cases"]
    assert (a["case"], c["case"]) == ("a", "c")
    assert [found["num_voxels"] for found in a["found"].values()] == [2, 0]
    assert a["images"] == [str(images[0])]


def test_problems_of_some_images_do_not_lose_the_summary_of_the_others(loop, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    save(folder / "good.nii.gz")
    (folder / "empty.nii.gz").write_bytes(b"")
    with pytest.raises(DataError, match="1 of 2 images could not be predicted"):
        run(loop, [folder], out)
    assert [case["case"] for case in summary_of(out)["cases"]] == ["good"]
    (folder / "empty.nii.gz").unlink()
    (out / "good.nii.gz").write_bytes(b"damaged since")
    save(folder / "later.nii.gz")
    with pytest.raises(DataError, match=r"1 label maps of an earlier run cannot be read.*--force"):
        run(loop, [folder], out)
    assert [case["case"] for case in summary_of(out)["cases"]] == ["later"]
    run(loop, [folder], out, force=True)
    assert len(summary_of(out)["cases"]) == 2


def test_a_summary_of_others_stays(loop, tmp_path):
    image, out = save(tmp_path / "a.nii.gz"), tmp_path / "out"
    out.mkdir()
    (out / "summary.json").write_text('{"foreground_mean": {"Dice": 0.9}}')  # nnU-Net's
    with pytest.raises(UsageError, match=r"summary.json: exists and was not written by samssl"):
        run(loop, [image], out)
    assert "Dice" in (out / "summary.json").read_text()
    run(loop, [image], out, force=True)
    assert len(summary_of(out)["cases"]) == 1


def test_json_goes_to_stdout_instead_of_the_paths(samssl, loop, tmp_path):
    image, out = save(tmp_path / "a.nii.gz"), tmp_path / "out"
    arguments = ("predict", loop.path("student"), image, "-o", out, "--recipe", loop.recipe_path)
    finished = samssl(*arguments, "--json", "--probabilities", "--flips", "--device", "cpu")
    assert finished.code == 0, finished.stderr
    assert json.loads(finished.stdout) == summary_of(out)
    assert (out / "a_probabilities.nii.gz").exists()
    again = samssl(*arguments, "--flips", "--probabilities")
    assert again.stdout == f"{out / 'a.nii.gz'}\n{out / 'a_probabilities.nii.gz'}\n"
    assert "is up to date" in again.stderr


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
        (["a_0001.nii.gz", "a_0001_0000.nii.gz"], ("CT",), "is case a_0001 as .* is; rename one"),
    ],
    ids=["surplus", "missing", "twice", "twice-with-number"],
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
