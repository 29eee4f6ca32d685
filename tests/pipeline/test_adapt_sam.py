"""`samssl adapt` of a SAM and a SAM-Med3D: changes beside the weights that they belong to."""

import copy

import numpy as np
import pytest
import torch

from samssl_cli.artifacts.generalist import GeneralistWeights
from samssl_cli.artifacts.labels import PseudoLabels
from samssl_cli.errors import UsageError, WeightsError
from samssl_cli.generalists import sam, sam_med3d
from samssl_cli.generalists.embedding_cache import EmbeddingCache
from samssl_cli.generalists.med3d_architecture import Architecture, Med3d
from samssl_cli.generalists.sam_architecture import Architecture as SamArchitecture
from samssl_cli.generalists.sam_architecture import build as build_sam
from samssl_cli.recipe import read_recipe
from samssl_cli.stages import adaptation_facts
from samssl_cli.stages.adapt import adapt
from samssl_cli.stages.sam_label import sam_label
from samssl_cli.training.folds import Choice

TINY = ("adapt.steps=2", "adapt.check_every=2", "adapt.batch_size=1", "adapt.prompts_per_case=1")
TINY += ("adapt.lora_rank=2", "adapt.min_component_voxels=20", "adapt.learning_rate=0.01")


def tiny_sam():
    shape = SamArchitecture(64, 8, 32, 2, 64, 3, (False, True), decoder_mlp_dim=64)
    return build_sam(shape)


def tiny_med3d():
    shape = Architecture(
        window=32, patch=8, encoder_width=24, num_heads=2, encoder_hidden=48, is_global=(False,)
    )
    return Med3d(shape)


@pytest.fixture(scope="module", params=["sam", "sam-med3d"])
def name(request):
    """A generalist whose loaded model is a tiny one, the same at every load."""
    module, function, build = {
        "sam": (sam, "load_sam", tiny_sam),
        "sam-med3d": (sam_med3d, "load_med3d", tiny_med3d),
    }[request.param]
    torch.manual_seed(0)
    model = build().requires_grad_(False).eval()
    choice = Choice(steps=2, best=2, before=0.1, after=0.2, standard_error=0.01)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, function, lambda path, **_: copy.deepcopy(model))
        patch.setattr(adaptation_facts, "choose_steps", lambda steps, dice: choice)
        yield request.param


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    path = tmp_path_factory.mktemp("base") / "base.pth"
    path.write_bytes(b"stands for the weights")
    return path


@pytest.fixture(scope="module")
def adapted(loop, name, base, tmp_path_factory):
    """Read only."""
    of = loop.beside(overrides=(*TINY, f"sam_label.generalist={name}"))
    output = tmp_path_factory.mktemp("adapted") / "generalist.zarr"
    return adapt(of.path("cases"), output, weights=base, seed=0, device="cpu", **of._common(False))


@pytest.fixture
def label(loop, tmp_path):
    def run(output, generalist, checkpoint, embeddings=None):
        recipe = read_recipe(str(loop.recipe_path), [f"sam_label.generalist={generalist}"])
        path = sam_label(
            loop.path("cases"),
            loop.path("prompts"),
            tmp_path / f"{output}.zarr",
            weights=checkpoint,
            device="cpu",
            embeddings=embeddings,
            **{**loop._common(False), "recipe": recipe},
        )
        pseudo = PseudoLabels(path)
        return pseudo, np.stack([pseudo.read(name).confidence for name in pseudo.names])

    return run


def test_changes_alone_are_kept_and_change_the_labels(adapted, name, base, label, tmp_path):
    tensors = GeneralistWeights(adapted).tensors()
    assert {key.split(".")[0] for key in tensors} == {"lora", "decoder"}
    assert any(tensors[key].any() for key in tensors if key.endswith("q_b"))
    found = GeneralistWeights(adapted)
    for fold in found.folds():
        kept = found.of_fold(fold).tensors()
        assert kept.keys() == tensors.keys()
        assert any((kept[key] != tensors[key]).any() for key in tensors)

    pseudo, confidence = label("adapted", adapted, base)
    _, before = label("before", name, base)

    assert np.abs(confidence - before).max() > 1e-3
    (record,) = pseudo.generalists
    assert record["name"] == name
    assert record["adapted"]["steps"] == 2
    assert record["weights_sha256"] == GeneralistWeights(adapted).base_sha256


def test_other_weights_beneath_are_refused(adapted, base, label, tmp_path):
    other = tmp_path / "other.pth"
    other.write_bytes(b"other weights")

    with pytest.raises(WeightsError, match=r"other\.pth: sha256 .*generalist\.zarr holds changes"):
        label("a", adapted, other)
    with pytest.raises(UsageError, match=r"holds changes to the weights .* add --checkpoint"):
        label("a", adapted, None)


def test_features_of_the_unadapted_encoder_are_not_taken(adapted, name, base, label, tmp_path):
    if name != "sam":
        pytest.skip("SAM-Med3D keeps no embeddings")
    folder = tmp_path / "embeddings"
    label("before", name, base, EmbeddingCache(folder, max_gb=1))
    cache = EmbeddingCache(folder, max_gb=1)
    _, cached = label("cached", adapted, base, cache)
    _, without = label("without", adapted, base)

    assert cache.num_found == 0
    assert cache.num_computed > 0
    np.testing.assert_array_equal(cached, without)
