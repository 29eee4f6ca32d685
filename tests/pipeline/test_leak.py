"""No stage up to the student can be moved by a held-out mask, not in a single bit."""

import shutil

import h5py
import nibabel as nib
import numpy as np
import pytest

UP_TO_STUDENT = (
    "cases.zarr/visible",
    "specialist.zarr",
    "prompts.zarr",
    "pseudo.zarr",
    "student.zarr",
)


def held_out_masks(data, labeled):
    masks = (*data.glob("labelsTr/*.nii.gz"), *data.glob("labelsTs/*.nii.gz"))
    return [path for path in masks if path.name != f"{labeled}.nii.gz"]


def randomise(path, rng):
    old = nib.load(path)
    mask = rng.integers(0, 3, old.shape).astype(np.uint8)
    nib.save(nib.Nifti1Image(mask, None, old.header), path)


def digests(loop, hashes):
    return {name: hashes(loop.out / name) for name in UP_TO_STUDENT}


@pytest.mark.parametrize("fate", ["randomised", "deleted"])
def test_held_out_masks_change_nothing(loop, phantom, tmp_path, hashes, fate):
    data = shutil.copytree(phantom, tmp_path / phantom.name)
    masks = held_out_masks(data, "phantom_000")
    assert len(masks) == 3  # one of labelsTr that --labeled 1 does not choose, two of labelsTs
    rng = np.random.default_rng(0)
    for path in masks:
        randomise(path, rng) if fate == "randomised" else path.unlink()
    copy = loop.beside(data=data, out=tmp_path / "out").to_student()
    assert digests(copy, hashes) == digests(loop, hashes)
    assert hashes(copy.path("cases") / "heldout") != hashes(loop.path("cases") / "heldout")


def test_held_out_masks_do_not_change_a_first_guess(loop, phantom, tmp_path, hashes):
    from samssl_cli.progress import Silent
    from samssl_cli.stages.first_guess import first_guess

    data = shutil.copytree(phantom, tmp_path / phantom.name)
    rng = np.random.default_rng(0)
    for path in held_out_masks(data, "phantom_000"):
        randomise(path, rng)
    copy = loop.beside(data=data, out=tmp_path / "out")
    copy.preprocess()
    settings = {"recipe": loop.recipe, "seed": 0, "device": "cpu", "force": False}
    first, second = (
        hashes(
            first_guess(
                run.path("cases"),
                "template",
                tmp_path / f"guess-{number}.zarr",
                progress=Silent(),
                **settings,
            )
        )
        for number, run in enumerate((loop, copy))
    )
    assert first == second


def test_which_held_out_masks_exist_does_not_order_the_unlabeled_cases(phantom, tmp_path, loop):
    from samssl_cli.artifacts.cases import Cases

    data = shutil.copytree(phantom, tmp_path / phantom.name)
    # Without the first mask but with the last one, candidates for a label would come otherwise.
    image = nib.load(data / "imagesTr/phantom_003_0000.nii.gz")
    mask = nib.Nifti1Image(np.zeros(image.shape, np.uint8), None, image.header)
    nib.save(mask, data / "labelsTr/phantom_003.nii.gz")
    (data / "labelsTr/phantom_001.nii.gz").unlink()
    copy = loop.beside(data=data, out=tmp_path / "out")
    copy.preprocess()
    cases = Cases(copy.path("cases"))
    assert cases.unlabeled == Cases(loop.path("cases")).unlabeled
    assert cases.fingerprint == Cases(loop.path("cases")).fingerprint


def write_h5(root, *, seed):
    """Two training cases and one test case; `seed` decides the masks of all but the first.

    0 leaves the true ones, None writes none at all.
    """
    for number, name in enumerate(("a", "b", "t")):
        rng = np.random.default_rng(number)
        image = rng.normal(size=(20, 18, 16)).astype(np.float32)
        mask = np.zeros(image.shape, np.uint8)
        mask[5:13, 4:12, 4:12] = 1
        image[mask > 0] += 3
        if name != "a" and seed:
            mask = np.random.default_rng(seed).integers(0, 2, image.shape).astype(np.uint8)
        (root / name).mkdir(parents=True)
        with h5py.File(root / name / "mri_norm2.h5", "w") as file:
            file["image"] = image
            if name == "a" or seed is not None:
                file["label"] = mask
    (root / "train.list").write_text("a\nb\n")
    (root / "test.list").write_text("t\n")
    return root


def test_held_out_masks_in_h5_files_change_nothing(loop, tmp_path, hashes):
    runs = [
        loop.beside(data=write_h5(tmp_path / run / "data", seed=seed), out=tmp_path / run)
        for run, seed in (("true", 0), ("randomised", 1), ("deleted", None))
    ]
    for run in runs:
        run.to_student()
    true, randomised, deleted = (digests(run, hashes) for run in runs)
    assert true == randomised == deleted
    heldout = [hashes(run.path("cases") / "heldout") for run in runs]
    assert heldout[0] != heldout[1] != heldout[2] != heldout[0]


def test_h5_data_is_scored_in_voxels_unless_asked_otherwise(loop, tmp_path):
    from samssl_cli.artifacts.scores import Scores

    plain = ("evaluate.sanity=false", "train_ssl.steps=1", "train_ssl.method=supervised")
    run = loop.beside(data=write_h5(tmp_path / "data", seed=0), out=tmp_path, overrides=plain)
    run.preprocess()
    run.train()
    scores = Scores(run.evaluate("specialist"))
    assert "hd95_voxels" in scores.about["metrics"]
    assert scores.about["spacing_is_known"] is False
    assert any("knows no voxel size" in note for note in run.notes)
    in_mm = run.beside(overrides=(*plain, "evaluate.in_voxels=false"))
    assert "hd95_mm" in Scores(in_mm.evaluate("specialist", to="mm")).about["metrics"]


def test_what_the_stages_open_has_no_held_out_group(loop):
    from samssl_cli.artifacts.cases import Cases, UnlabeledCase

    cases = Cases(loop.path("cases"))
    for name in cases.unlabeled + cases.test:
        case = cases.read_unlabeled(name)
        assert isinstance(case, UnlabeledCase)
        assert not hasattr(case, "label")
        assert not (loop.path("cases") / "visible" / name / "label").exists()
    with pytest.raises(AssertionError):
        cases.read_labeled(cases.unlabeled[0])
