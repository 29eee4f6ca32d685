"""What leaves the house overlays what came in: over all orientations, exactly."""

import itertools
import json

import nibabel as nib
import numpy as np
import pytest
import zarr
from ome_zarr_models.v05 import Image, Labels

from samssl_cli.artifacts.cases import Cases
from samssl_cli.artifacts.labels import PseudoLabels
from samssl_cli.artifacts.prompt_set import PromptSet
from samssl_cli.artifacts.scores import Scores
from samssl_cli.errors import ArtifactError, StaleArtifactError, UsageError
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


def run(loop, name, to, **changes):
    options = {"force": False, "progress": Silent(), **changes}
    return export(loop.path(name), to, **options)


def test_images_lie_on_the_preprocessed_grid(loop, tmp_path):
    cases = Cases(loop.path("cases"))
    paths = run(loop, "cases", tmp_path, with_images=True)
    assert sorted(path.name for path in paths) == sorted(
        [f"{name}.nii.gz" for name in cases.labeled]
        + [f"{name}_image.nii.gz" for name in cases.names]
    )
    for name in cases.names:
        case, back = cases.read_unlabeled(name), nib.load(tmp_path / f"{name}_image.nii.gz")
        assert back.get_data_dtype() == np.float32
        np.testing.assert_array_equal(np.asarray(back.dataobj), case.image[0].astype(np.float32))
        np.testing.assert_allclose(back.affine, case.geometry.affine, atol=1e-5)
        assert nib.aff2axcodes(back.affine) == ("R", "A", "S")


@pytest.mark.parametrize("name", ["prompts", "pseudo", "scores"])
def test_images_of_the_others_come_from_the_cases(loop, tmp_path, name):
    with pytest.raises(UsageError, match=r"which have no images; name the cases.*--cases"):
        run(loop, name, tmp_path / "out", with_images=True)
    assert not (tmp_path / "out").exists()
    paths = run(loop, name, tmp_path, with_images=True, cases_path=loop.path("cases"))
    images = [path for path in paths if path.name.endswith("_image.nii.gz")]
    assert len(images) == len(paths) / 2
    for path in images:
        case = Cases(loop.path("cases")).read_unlabeled(path.name.removesuffix("_image.nii.gz"))
        np.testing.assert_array_equal(nib.load(path).dataobj, case.image[0])


def ours(path, key):
    """An array of an OME-Zarr folder on our axes."""
    array = zarr.open_group(path, mode="r")[key][...]
    return np.moveaxis(array, (-1, -2, -3), (-3, -2, -1))


def assert_valid(path, label_name):
    image = Image.from_zarr(zarr.open_group(path, mode="r"))
    assert image.attributes.ome.version == "0.5"
    if label_name is not None:
        labels = Labels.from_zarr(zarr.open_group(path / "labels", mode="r"))
        assert labels.label_paths == [label_name]


def test_cases_as_ome_zarr(loop, tmp_path):
    cases = Cases(loop.path("cases"))
    paths = run(loop, "cases", tmp_path, file_format="ome-zarr")
    assert {path.name for path in paths} == {f"{name}.ome.zarr" for name in cases.names}
    for name in cases.names:
        path, is_labeled = tmp_path / f"{name}.ome.zarr", name in cases.labeled
        assert_valid(path, "label" if is_labeled else None)
        assert (path / "labels").exists() == is_labeled  # a held-out label goes nowhere
        np.testing.assert_array_equal(ours(path, "0"), cases.read_unlabeled(name).image)
    (name,) = cases.labeled
    label = ours(tmp_path / f"{name}.ome.zarr", "labels/label/0")
    np.testing.assert_array_equal(label, cases.read_labeled(name).label)


def test_prompts_and_pseudo_labels_lie_on_their_probabilities(loop, tmp_path):
    prompts, labels = PromptSet(loop.path("prompts")), PseudoLabels(loop.path("pseudo"))
    run(loop, "prompts", tmp_path / "prompts", file_format="ome-zarr")
    run(loop, "pseudo", tmp_path / "pseudo", file_format="ome-zarr")
    for name in prompts.names:
        path, probability = tmp_path / f"prompts/{name}.ome.zarr", prompts.probability(name)
        assert_valid(path, "prediction")
        np.testing.assert_array_equal(ours(path, "0"), probability)
        np.testing.assert_array_equal(ours(path, "labels/prediction/0"), probability.argmax(0))
        path, pseudo = tmp_path / f"pseudo/{name}.ome.zarr", labels.read(name)
        assert_valid(path, "pseudo-label")
        np.testing.assert_array_equal(ours(path, "0"), pseudo.confidence)
        np.testing.assert_array_equal(ours(path, "labels/pseudo-label/0"), pseudo.label)
    attributes = json.loads((path / "zarr.json").read_text())["attributes"]
    assert attributes["samssl_export"]["shows"] == "probabilities"
    channels = attributes["ome"]["omero"]["channels"]
    assert [channel["label"] for channel in channels] == list(
        Cases(loop.path("cases")).facts.class_names
    )


@pytest.mark.parametrize(
    ("name", "label_name"),
    [("prompts", "prediction"), ("pseudo", "pseudo-label"), ("scores", "prediction")],
)
def test_with_the_cases_they_lie_on_the_image(loop, tmp_path, name, label_name):
    cases = Cases(loop.path("cases"))
    paths = run(loop, name, tmp_path, file_format="ome-zarr", cases_path=cases.path)
    for path in paths:
        assert_valid(path, label_name)
        case = cases.read_unlabeled(path.name.removesuffix(".ome.zarr"))
        np.testing.assert_array_equal(ours(path, "0"), case.image)
        attributes = json.loads((path / "zarr.json").read_text())["attributes"]
        assert attributes["samssl_export"]["shows"] == "image"
        np.testing.assert_allclose(attributes["samssl_export"]["affine"], case.geometry.affine)


def test_the_predictions_of_scores_are_brought_to_the_grid_of_their_image(loop, tmp_path):
    from samssl_cli.volumes.geometry import from_native_label

    cases, scores = Cases(loop.path("cases")), Scores(loop.path("scores"))
    with pytest.raises(UsageError, match=r"holds scores, which have no images.*--cases"):
        run(loop, "scores", tmp_path, file_format="ome-zarr")
    run(loop, "scores", tmp_path, file_format="ome-zarr", cases_path=cases.path)
    for name in scores.names:
        geometry = cases.read_unlabeled(name).geometry
        expected = from_native_label(scores.read(name).prediction, geometry, 3)
        found = ours(tmp_path / f"{name}.ome.zarr", "labels/prediction/0")
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["prompts", "pseudo", "scores"])
def test_other_cases_are_refused(loop, tmp_path, name):
    other = loop.beside(out=tmp_path, overrides=("preprocess.spacing_mm=keep",), labeled=2)
    other.preprocess()
    with pytest.raises(StaleArtifactError, match=r"was made from other cases.*--force"):
        run(loop, name, tmp_path / "out", file_format="ome-zarr", cases_path=other.path("cases"))


def test_an_unknown_format_is_refused(loop, tmp_path):
    with pytest.raises(UsageError, match="no format 'dicom'; there are nifti, ome-zarr"):
        run(loop, "cases", tmp_path, file_format="dicom")


def test_an_ome_zarr_that_is_there_stays_without_force(loop, tmp_path):
    mine = tmp_path / "phantom_002.ome.zarr"
    mine.mkdir()
    (mine / "notes.txt").touch()
    with pytest.raises(UsageError, match=r"phantom_002.*exists already.*--force"):
        run(loop, "pseudo", tmp_path, file_format="ome-zarr")
    assert [path.name for path in mine.iterdir()] == ["notes.txt"]
    run(loop, "pseudo", tmp_path, file_format="ome-zarr", force=True)
    assert_valid(mine, "pseudo-label")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_an_export_is_never_taken_for_an_artifact_that_may_be_replaced(loop, tmp_path):
    run(loop, "pseudo", tmp_path, file_format="ome-zarr")
    name = "phantom_002.ome"
    with pytest.raises(ArtifactError, match="no artifact of samssl; name another output"):
        loop.linked(tmp_path, "cases", "student").evaluate(to=name, force=True)


def test_export_as_typed(samssl, loop, tmp_path):
    arguments = ("export", loop.path("scores"), "--to", tmp_path, "--cases", loop.path("cases"))
    finished = samssl(*arguments, "--format", "ome-zarr")
    assert finished.code == 0, finished.stderr
    assert finished.stdout.splitlines() == [
        str(tmp_path / f"phantom_00{n}.ome.zarr") for n in (4, 5)
    ]
    assert samssl("export", loop.path("scores"), "--to", tmp_path, "--images").code == 2
    with_images = samssl(*arguments, "--images")
    assert len(with_images.stdout.splitlines()) == 4
