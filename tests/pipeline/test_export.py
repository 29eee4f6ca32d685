"""What leaves the house overlays what came in: over all orientations, exactly."""

import itertools
import json

import nibabel as nib
import numpy as np
import pytest

from samssl_cli.errors import UsageError
from samssl_cli.progress import Silent
from samssl_cli.stages.export import export

SPACING_MM = (0.5, 1.25, 3.0)
SHAPE = (5, 7, 6)
ORIENTATIONS = [
    "".join(codes)
    for axes in itertools.permutations(("RL", "AP", "SI"))
    for codes in itertools.product(*axes)
]


def file_of(rng, codes, voxels, number):
    """The voxels under an affine whose axes run along `codes`, with all kinds of form codes."""
    axes = nib.orientations.axcodes2ornt(codes)
    affine = np.zeros((4, 4))
    for column, ((axis, flip), size) in enumerate(zip(axes, SPACING_MM, strict=True)):
        affine[int(axis), column] = flip * size
    affine[:3, 3], affine[3, 3] = rng.uniform(-90, 90, 3), 1
    image = nib.Nifti1Image(voxels, affine)
    qform_code, sform_code = ((1, 1), (2, 0), (0, 4), (3, 2))[number % 4]
    image.set_qform(affine if qform_code else None, qform_code)
    image.set_sform(affine if sform_code else None, sform_code)
    return image


@pytest.fixture(scope="module")
def oriented(tmp_path_factory, loop):
    """48 labeled cases, one per orientation, preprocessed on their own grids."""
    root = tmp_path_factory.mktemp("oriented")
    rng = np.random.default_rng(0)
    for folder in ("imagesTr", "labelsTr"):
        (root / "data" / folder).mkdir(parents=True)
    for number, codes in enumerate(ORIENTATIONS):
        label = rng.integers(0, 3, SHAPE).astype(np.uint8)
        image = rng.normal(size=SHAPE).astype(np.float32)
        seed = np.random.default_rng(number)
        nib.save(file_of(seed, codes, image, number), root / f"data/imagesTr/{codes}_0000.nii.gz")
        seed = np.random.default_rng(number)
        nib.save(file_of(seed, codes, label, number), root / f"data/labelsTr/{codes}.nii.gz")
    description = {
        "channel_names": {"0": "MRI"},
        "labels": {"background": 0, "a": 1, "b": 2},
        "numTraining": 48,
        "file_ending": ".nii.gz",
    }
    (root / "data/dataset.json").write_text(json.dumps(description))
    keep = ("preprocess.spacing_mm=keep",)
    cases = loop.beside(data=root / "data", out=root, labeled=None, overrides=keep)
    cases.preprocess()
    export(cases.path("cases"), root / "out", force=False, progress=Silent())
    return root


def test_there_are_48_orientations():
    assert len(set(ORIENTATIONS)) == 48


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_a_label_comes_back_voxel_for_voxel_on_its_own_grid(oriented, codes):
    source = nib.load(oriented / f"data/labelsTr/{codes}.nii.gz")
    back = nib.load(oriented / f"out/{codes}.nii.gz")
    assert_same_grid(back, nib.load(oriented / f"data/imagesTr/{codes}_0000.nii.gz"))
    assert back.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asarray(back.dataobj), np.asarray(source.dataobj))


def assert_same_grid(back, source):
    assert back.shape == source.shape
    np.testing.assert_array_equal(back.affine, source.affine)
    for form in ("qform", "sform"):
        (matrix, code), (expected, expected_code) = (
            getattr(image.header, f"get_{form}")(coded=True) for image in (back, source)
        )
        assert code == expected_code
        np.testing.assert_array_equal(matrix, expected)
    np.testing.assert_array_equal(back.header.get_zooms(), source.header.get_zooms())


@pytest.mark.parametrize("name", ["cases", "prompts", "pseudo", "scores"])
def test_every_artifact_with_label_maps_is_exported_to_the_native_grid(
    loop, phantom, tmp_path, name
):
    paths = export(loop.path(name), tmp_path / "out", force=False, progress=Silent())
    assert len(paths) == {"cases": 1, "prompts": 3, "pseudo": 3, "scores": 2}[name]
    for path in paths:
        file = path.name.replace(".nii.gz", "_0000.nii.gz")
        (source,) = phantom.glob(f"images*/{file}")
        back = nib.load(path)
        assert_same_grid(back, nib.load(source))
        assert back.get_data_dtype() == np.uint8
        assert np.asarray(back.dataobj).max() <= 2


def test_the_exported_scores_are_the_predictions_that_were_scored(loop, tmp_path):
    from samssl_cli.artifacts.scores import Scores

    scores = Scores(loop.path("scores"))
    export(scores.path, tmp_path, force=False, progress=Silent())
    for name in scores.names:
        exported = np.asarray(nib.load(tmp_path / f"{name}.nii.gz").dataobj)
        np.testing.assert_array_equal(exported, scores.read(name).prediction)


def test_a_checkpoint_has_no_label_maps(loop, tmp_path):
    with pytest.raises(UsageError, match=r"holds a checkpoint.*use: samssl predict"):
        export(loop.path("student"), tmp_path / "out", force=False, progress=Silent())
    assert not (tmp_path / "out").exists()


def test_label_maps_that_are_there_stay_without_force(loop, tmp_path):
    mine = tmp_path / "phantom_002.nii.gz"
    mine.write_text("drawn by hand")
    with pytest.raises(UsageError, match=r"phantom_002.*exists already.*--force"):
        export(loop.path("pseudo"), tmp_path, force=False, progress=Silent())
    assert [path.name for path in tmp_path.iterdir()] == [mine.name]
    export(loop.path("pseudo"), tmp_path, force=True, progress=Silent())
    assert nib.load(mine).shape
