import pytest

from samssl_cli.errors import UsageError, WeightsError
from samssl_cli.recipe import Prompt, Recipe, SamLabel
from samssl_cli.stages.asking import (
    check_strategies,
    generalist_record,
    seed_of_case,
)
from samssl_cli.stages.which_generalist import Which, digest_of, is_artifact, which_generalist


def test_the_seed_of_a_case_depends_on_its_name_alone():
    assert seed_of_case(0, "a") == seed_of_case(0, "a")
    assert len({seed_of_case(0, "a"), seed_of_case(0, "b"), seed_of_case(1, "a")}) == 3


def which(**section):
    return which_generalist(Recipe(sam_label=SamLabel(**section)), None)


def test_medsam_is_known_to_the_register_by_its_own_name():
    medsam = which(generalist="sam", options={"sam": {"preprocessing": "medsam"}})
    assert generalist_record(medsam, {"weights": "abc"}) == {
        "name": "sam",
        "register": "medsam",
        "weights_sha256": "abc",
    }
    growing = which(generalist="region-growing")
    assert generalist_record(growing, {})["register"] == "region-growing"


@pytest.mark.parametrize(
    ("options", "register"),
    [
        ({}, "sam-med3d-turbo"),
        ({"variant": "turbo"}, "sam-med3d-turbo"),
        ({"variant": "original"}, "sam-med3d"),
    ],
    ids=["by default", "turbo", "original"],
)
def test_the_trainings_of_sam_med3d_are_told_apart(options, register):
    med3d = which(generalist="sam-med3d", options={"sam-med3d": options})

    assert generalist_record(med3d, {})["register"] == register


def test_an_unknown_strategy_is_told():
    with pytest.raises(UsageError, match="unknown strategy 'clicks'"):
        check_strategies(Prompt(strategies=("box", "clicks")))


def digest(generalist, weights):
    return digest_of(Which(Recipe(sam_label=SamLabel(generalist=generalist)), weights, None))


@pytest.fixture
def model_folder(tmp_path):
    """What transformers saves, as far as a digest looks at it."""
    folder = tmp_path / "sam2-tiny"
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "sam2_video"}')
    (folder / "model.safetensors").write_bytes(b"tensors")
    return folder


def test_a_folder_of_transformers_is_told_from_an_artifact(model_folder, tmp_path):
    artifact = tmp_path / "generalist.zarr"
    artifact.mkdir()
    (artifact / "zarr.json").write_text("{}")

    assert is_artifact(artifact)
    assert not is_artifact(model_folder)
    first = digest("sam2", model_folder)
    (model_folder / "config.json").write_text('{"model_type": "sam2_video", "image_size": 512}')
    assert digest("sam2", model_folder) != first


def test_a_folder_is_for_generalists_that_take_one(model_folder, tmp_path):
    with pytest.raises(WeightsError, match="this is not a file"):
        digest("sam", model_folder)
    with pytest.raises(
        UsageError, match=r"sam2 needs its weights: --checkpoint sam2\.1_hiera_tiny"
    ):
        digest("sam2", None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match=r"empty: there is no config\.json in this folder"):
        digest("sam2", tmp_path / "empty")


def test_medsam2_is_known_to_the_register_by_its_own_name():
    medsam2 = which(generalist="sam2", options={"sam2": {"variant": "medsam2"}})

    assert generalist_record(medsam2, {})["register"] == "medsam2"
    assert generalist_record(which(generalist="sam2"), {})["register"] == "sam2"
