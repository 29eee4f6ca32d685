"""`--refine` of evaluate and predict."""

import hashlib
import json

import nibabel as nib
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from samssl_cli.artifacts.scores import Scores
from samssl_cli.errors import StaleArtifactError, UsageError
from samssl_cli.progress import Silent
from samssl_cli.stages.compare import compare
from samssl_cli.stages.evaluate import evaluate
from samssl_cli.stages.predict import predict

CLEANED = ["raw", "largest-component", "blur+largest-component"]
REFINED = ["refined", "refined+largest-component"]
SANITY = ["template", "generalist+specialist-prompts", "generalist+oracle-prompts"]


def score(loop, output, what="specialist", **changes):
    options = {
        "recipe": loop.recipe,
        "refine": True,
        "device": "cpu",
        "force": False,
        "progress": Silent(),
    }
    return evaluate(loop.path("cases"), loop.path(what), output, **{**options, **changes})


def run(loop, images, output, **changes):
    options = {
        "recipe": loop.recipe,
        "only_largest": False,
        "refine": True,
        "device": "cpu",
        "force": False,
        "progress": Silent(),
    }
    return predict(loop.path("specialist"), images, output, **{**options, **changes})


def summary_of(folder):
    return json.loads((folder / "summary.json").read_text())


@pytest.fixture(scope="module")
def scored(loop, tmp_path_factory):
    return score(loop, tmp_path_factory.mktemp("refined") / "scores.zarr")


def test_refined_rows_stand_beside_the_plain_ones(loop, scored):
    about = Scores(scored).about
    assert about["rows"] == [*CLEANED, *REFINED, *SANITY]
    assert about["headline"] == "refined+largest-component"
    assert {about["meaning"][row]["kind"] for row in REFINED} == {"prediction"}
    assert about["refined_by"][0]["name"] == "region-growing"
    assert about["exposure"][0]["verdict"] == "untrained"
    plain = Scores(score(loop, scored.with_name("plain.zarr"), refine=False))
    assert plain.about["rows"] == [*CLEANED, *SANITY]
    assert plain.about["headline"] == "largest-component"
    assert plain.about["refined_by"] == []
    for name in plain.names:
        ours, theirs = Scores(scored).rows(name), plain.rows(name)
        assert {row: ours[row] for row in theirs} == dict(theirs)
        assert ours["refined"] != ours["raw"]


def test_refined_and_plain_are_compared_by_their_own_headlines(loop, scored):
    plain = score(loop, scored.with_name("compared.zarr"), refine=False)
    models = {"plain": [plain], "refined": [scored]}
    with pytest.raises(UsageError, match=r"different headlines(.|\n)*--row headline"):
        compare(models, progress=Silent())
    contrast = compare(models, metrics=["dice"], row="headline", progress=Silent()).contrasts[0]
    for one, path, row in (
        (contrast.baseline, plain, "largest-component"),
        (contrast.model, scored, "refined+largest-component"),
    ):
        scores = Scores(path)
        dice = [line["values"]["dice"] for name in scores.names for line in scores.rows(name)[row]]
        assert one.mean == pytest.approx(np.mean(dice))


def test_what_evaluate_refines_is_what_sam_label_made_of_it(loop, tmp_path):
    unlabeled = loop.beside(overrides=("evaluate.cases=unlabeled", "evaluate.sanity=false"))
    refined = Scores(score(unlabeled, tmp_path / "refined.zarr"))
    assert refined.about["rows"] == [*CLEANED, *REFINED]
    pseudo = Scores(score(unlabeled, tmp_path / "pseudo.zarr", "pseudo", refine=False))
    for name in pseudo.names:
        for ours, theirs in (("refined", "raw"), ("refined+largest-component", CLEANED[1])):
            for one, other in zip(refined.rows(name)[ours], pseudo.rows(name)[theirs], strict=True):
                # but for voxels at exactly one half, which half precision may tip over
                assert one["values"]["dice"] == pytest.approx(other["values"]["dice"], abs=5e-3)


def test_a_plain_score_is_not_taken_for_a_refined_one(loop, scored, hashes):
    before = hashes(scored)
    assert score(loop, scored) == scored
    assert hashes(scored) == before
    with pytest.raises(StaleArtifactError, match="refine"):
        score(loop, scored, refine=False)


class Killed(BaseException):
    """Stands for a process that ends between two cases."""


class KilledAfterOne(Silent):
    def advance(self, detail=None):
        raise Killed


def test_a_killed_one_ends_as_an_undisturbed_one(loop, phantom, scored, tmp_path, hashes):
    with pytest.raises(Killed):
        score(loop, tmp_path / "scores.zarr", progress=KilledAfterOne())
    assert hashes(score(loop, tmp_path / "scores.zarr")) == hashes(scored)
    whole, out = tmp_path / "whole", tmp_path / "out"
    with pytest.raises(Killed):
        run(loop, [phantom / "imagesTs"], out, progress=KilledAfterOne())
    assert len(list(out.glob("*.nii.gz"))) == 1
    run(loop, [phantom / "imagesTs"], out)
    run(loop, [phantom / "imagesTs"], whole)
    assert hashes(out) == hashes(whole)


def test_only_a_checkpoint_is_refined_and_only_with_weights(loop, tmp_path):
    with pytest.raises(UsageError, match="--refine is for the predictions of a checkpoint, and ps"):
        score(loop, tmp_path / "a.zarr", "pseudo")
    sam = loop.beside(overrides=("sam_label.generalist=sam",))
    with pytest.raises(UsageError, match="sam needs its weights"):
        score(sam, tmp_path / "a.zarr")


def test_predict_writes_what_evaluate_scored(loop, phantom, scored, tmp_path):
    paths = run(loop, [phantom / "imagesTs"], tmp_path / "out", only_largest=True)
    for path in paths:
        name = path.name.removesuffix(".nii.gz")
        expected = Scores(scored).read(name).prediction
        np.testing.assert_array_equal(np.asarray(nib.load(path).dataobj), expected)
    found = summary_of(tmp_path / "out")
    (refined_by,) = found["refined_by"]
    assert refined_by == {
        "name": "region-growing",
        "register": "region-growing",
        "weights_sha256": None,
    }
    assert found["sam_label"]["generalist"] == "region-growing"


def test_a_folder_never_mixes_refined_and_plain_ones(loop, phantom, tmp_path):
    (image,) = (phantom / "imagesTs").glob("phantom_004*")
    for first, then in ((True, False), (False, True)):
        out = tmp_path / f"first {first}"
        (path,) = run(loop, [image], out, refine=first)
        with pytest.raises(StaleArtifactError, match="predicted, refined or cleaned otherwise"):
            run(loop, [image], out, refine=then)
        before = path.stat().st_mtime_ns
        run(loop, [image], out, refine=first)
        assert path.stat().st_mtime_ns == before
        run(loop, [image], out, refine=then, force=True)
        assert ("refined_by" in summary_of(out)) is then
    other = loop.beside(overrides=("sam_label.specialist_weight=0.25",))
    with pytest.raises(StaleArtifactError, match="otherwise"):
        run(other, [image], tmp_path / "first False")


def test_refined_probabilities_sum_to_one(loop, phantom, tmp_path):
    (image,) = (phantom / "imagesTs").glob("phantom_004*")
    label, probabilities = run(loop, [image], tmp_path, with_probabilities=True)
    found = np.asarray(nib.load(probabilities).dataobj)
    np.testing.assert_allclose(found.sum(axis=-1), 1, atol=1e-4)
    np.testing.assert_array_equal(found.argmax(axis=-1), np.asarray(nib.load(label).dataobj))


def test_scout_refines_and_its_weights_are_named(loop, phantom, tmp_path):
    from samssl_cli.generalists.scout_network import ScoutNetwork

    torch.manual_seed(0)
    weights = tmp_path / "random.safetensors"
    save_file(ScoutNetwork().state_dict(), weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    options = '{"scout": {"budget": 13824, "num_flips": 1}}'
    scout = loop.beside(overrides=("sam_label.generalist=scout", f"sam_label.options={options}"))
    (image,) = (phantom / "imagesTs").glob("phantom_004*")
    run(scout, [image], tmp_path / "out", weights=weights)
    assert summary_of(tmp_path / "out")["refined_by"][0]["weights_sha256"] == digest
    about = Scores(score(scout, tmp_path / "scores.zarr", weights=weights)).about
    assert about["refined_by"][0]["weights_sha256"] == digest
    assert about["exposure"][0]["verdict"] == "procedural"


def test_a_generalist_without_refine_is_refused(samssl, loop, phantom, tmp_path):
    with pytest.raises(UsageError, match="a generalist is asked only with --refine"):
        run(loop, [phantom / "imagesTs"], tmp_path, refine=False, weights=tmp_path / "typo.pth")
    arguments = ("predict", loop.path("student"), phantom / "imagesTs", "-o", tmp_path / "out")
    finished = samssl(*arguments, "--generalist", "scout")
    assert finished.code == 2
    assert "only with --refine" in finished.stderr
    assert not (tmp_path / "out").exists()


def test_the_commands(samssl, loop, phantom, tmp_path):
    out, flags = tmp_path / "out", ("--recipe", loop.recipe_path, "--device", "cpu", "--refine")
    asked = ("--generalist", "region-growing", "--embeddings", tmp_path / "embeddings")
    images = phantom / "imagesTs"
    predicted = samssl("predict", loop.path("specialist"), images, "-o", out, *flags, *asked)
    assert predicted.code == 0, predicted.stderr
    assert summary_of(out)["refined_by"][0]["name"] == "region-growing"
    paths = (loop.path("cases"), loop.path("specialist"), "-o", tmp_path / "scores.zarr")
    page = ("--report", tmp_path / "report")
    finished = samssl("evaluate", *paths, *flags, *asked, *page)
    assert finished.code == 0, finished.stderr
    html = (tmp_path / "report" / "report.html").read_text()
    assert "predictions refined by" in html
