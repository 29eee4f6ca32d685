"""`samssl sam-label --embeddings`: the same labels, and no slice is encoded twice."""

import pytest
from segment_anything.modeling import ImageEncoderViT

from samssl_cli.artifacts.prompt_set import PromptSet
from samssl_cli.errors import UsageError
from samssl_cli.generalists.embedding_cache import EmbeddingCache
from samssl_cli.recipe import read_recipe
from samssl_cli.stages.evaluate import evaluate
from samssl_cli.stages.sam_label import sam_label


@pytest.fixture
def num_encoded(monkeypatch):
    """Counts the slices that any SAM encodes from now on."""
    counted = []
    forward = ImageEncoderViT.forward

    def counting(encoder, pixels):
        counted.append(len(pixels))
        return forward(encoder, pixels)

    monkeypatch.setattr(ImageEncoderViT, "forward", counting)
    return lambda: sum(counted)


@pytest.fixture
def label(loop, tiny_sam, tmp_path):
    """Label the cases with the tiny SAM, into `tmp_path/NAME.zarr`."""

    def run(name, *overrides, embeddings=None, of=loop, weights=tiny_sam):
        chosen = ["sam_label.generalist=sam", *overrides]
        recipe = read_recipe(str(loop.recipe_path), chosen)
        return sam_label(
            of.path("cases"),
            of.path("prompts"),
            tmp_path / f"{name}.zarr",
            weights=weights if weights is None else {"sam": weights},
            device="cpu",
            embeddings=embeddings,
            **{**of._common(force=False), "recipe": recipe},
        )

    return run


SAM = "sam_label.options.sam"
WAYS = {
    "all axes": (f"{SAM}.axis=all",),
    "mosaics": (f"{SAM}.mosaic=2",),
    "one mosaic along all axes": (f"{SAM}.mosaic=fit", f"{SAM}.axis=all"),
    "in groups": (f"{SAM}.encode_batch=5",),
    "tissue": (f"{SAM}.window=tissue",),
    "clicks one by one": (f"{SAM}.clicks=one-by-one", f"{SAM}.multimask=agreement"),
    "several generalists": ('sam_label.generalist=["region-growing","sam"]',),
}
AROUND = {"around the object": (f"{SAM}.window=around",)}
FAST = ("mosaics", "several generalists")
KILLED = [
    pytest.param(way, id=name, marks=() if name in FAST else pytest.mark.slow)
    for name, way in (WAYS | AROUND).items()
]


@pytest.fixture(scope="module")
def boxes(loop, tmp_path_factory):
    """The same cases with prompts of another strategy."""
    out = tmp_path_factory.mktemp("boxes")
    other = loop.linked(out, "cases", "specialist", overrides=('prompt.strategies=["box"]',))
    other.prompt()
    return other


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_however_sam_is_shown_a_volume_another_strategy_encodes_nothing(
    label, boxes, num_encoded, tmp_path, way
):
    first, second = (EmbeddingCache(tmp_path / "embeddings", max_gb=1) for _ in range(2))
    label("boxes", *way, embeddings=first, of=boxes)
    in_first = num_encoded()
    label("all", *way, embeddings=second)

    assert num_encoded() == in_first == first.num_computed > 0
    assert (second.num_computed, second.num_found > 0) == (0, True)


@pytest.mark.parametrize("way", KILLED)
def test_however_sam_is_shown_a_volume_a_killed_run_encodes_what_is_missing(
    label, num_encoded, hashes, tmp_path, monkeypatch, way
):
    folder = tmp_path / "embeddings"
    whole = label("whole", *way)
    in_all, before = num_encoded(), ImageEncoderViT.forward

    def dying(encoder, pixels):
        if num_encoded() > 1.5 * in_all:
            raise KeyboardInterrupt
        return before(encoder, pixels)

    with monkeypatch.context() as patched:
        patched.setattr(ImageEncoderViT, "forward", dying)
        with pytest.raises(KeyboardInterrupt):
            label("killed", *way, embeddings=EmbeddingCache(folder, max_gb=1))
    kept = num_encoded() - in_all
    resumed = EmbeddingCache(folder, max_gb=1)
    label("killed", *way, embeddings=resumed)

    assert 0 < kept < in_all
    assert num_encoded() - in_all - kept == resumed.num_computed == in_all - kept
    assert hashes(tmp_path / "killed.zarr") == hashes(whole)


def test_with_a_window_around_the_object_the_same_prompts_encode_nothing(
    label, num_encoded, tmp_path
):
    first, second = (EmbeddingCache(tmp_path / "embeddings", max_gb=1) for _ in range(2))
    label("first", *AROUND["around the object"], embeddings=first)
    in_first = num_encoded()
    label("second", *AROUND["around the object"], embeddings=second)

    assert num_encoded() == in_first > 0
    assert second.num_computed == 0


def test_another_strategy_encodes_nothing_and_labels_as_without(
    loop, label, boxes, num_encoded, hashes, tmp_path
):
    folder = tmp_path / "embeddings"

    first = EmbeddingCache(folder, max_gb=1)
    label("first", embeddings=first, of=boxes)  # on every slice
    in_first = num_encoded()
    second, told = EmbeddingCache(folder, max_gb=1), loop.beside()
    with_cache = label("second", embeddings=second, of=told)  # on 46 of 48

    assert in_first == first.num_computed == len(list(folder.glob("??/*.npy"))) > 0
    assert num_encoded() == in_first
    assert (second.num_computed, second.num_found > 0) == (0, True)
    assert f"embeddings: {second.num_found} from {folder}, 0 computed" in told.notes
    without = label("without")
    assert num_encoded() == in_first + second.num_found
    assert hashes(with_cache) == hashes(without)


def test_after_a_kill_only_the_missing_slices_are_encoded(
    samssl, loop, label, tiny_sam, num_encoded, hashes, tmp_path
):
    folder = tmp_path / "embeddings"
    arguments = ("sam-label", loop.path("cases"), loop.path("prompts"))
    arguments += ("-o", tmp_path / "killed.zarr", "--generalist", "sam", "--checkpoint", tiny_sam)
    arguments += ("--recipe", loop.recipe_path, "--device", "cpu", "--embeddings", folder)

    first = PromptSet(loop.path("prompts")).names[0]
    killed = samssl(*arguments, after_path=tmp_path / "killed.zarr.part" / first / "zarr.json")
    num_kept = len(list(folder.glob("??/*.npy")))
    whole = label("whole")
    num_slices = num_encoded()
    resumed = EmbeddingCache(folder, max_gb=1)
    label("killed", embeddings=resumed)

    assert killed.code == -9
    assert 0 < num_kept < num_slices
    assert num_encoded() - num_slices == resumed.num_computed == num_slices - num_kept
    assert hashes(tmp_path / "killed.zarr") == hashes(whole)


def test_a_damaged_entry_is_encoded_again(label, num_encoded, hashes, tmp_path):
    folder = tmp_path / "embeddings"
    whole = label("whole", embeddings=EmbeddingCache(folder, max_gb=1))
    before = num_encoded()
    path = sorted(folder.glob("??/*.npy"))[0]
    path.write_bytes(path.read_bytes()[:-7])

    repaired = label("repaired", embeddings=EmbeddingCache(folder, max_gb=1))

    assert num_encoded() == before + 1
    assert hashes(repaired) == hashes(whole)


def test_evaluate_finds_what_sam_label_kept(loop, label, tiny_sam, num_encoded, tmp_path):
    recipe = read_recipe(
        str(loop.recipe_path), ["sam_label.generalist=sam", "evaluate.cases=unlabeled"]
    )

    def scored(name, cache):
        scores = evaluate(
            loop.path("cases"),
            loop.path("specialist"),
            tmp_path / f"{name}.zarr",
            weights=tiny_sam,
            device="cpu",
            embeddings=cache,
            **{**loop._common(force=False), "recipe": recipe},
        )
        return scores.with_suffix(".csv").read_bytes()

    first = scored("first", EmbeddingCache(tmp_path / "embeddings", max_gb=1))
    encoded = num_encoded()
    second = scored("second", EmbeddingCache(tmp_path / "embeddings", max_gb=1))

    assert num_encoded() == encoded > 0
    assert first == second


def test_region_growing_keeps_nothing(loop, tmp_path, hashes):
    cache = EmbeddingCache(tmp_path / "embeddings", max_gb=1)
    other = loop.linked(tmp_path, "cases", "prompts")
    paths = (other.path(name) for name in ("cases", "prompts", "pseudo"))

    sam_label(*paths, weights=None, device="cpu", embeddings=cache, **other._common(force=False))

    assert not cache.folder.exists()
    assert not any("embeddings" in note for note in other.notes)
    assert hashes(other.path("pseudo")) == hashes(loop.path("pseudo"))


def test_weights_in_the_folder_are_taken_and_named(loop, label, tiny_sam, tmp_path, monkeypatch):
    folder = tmp_path / "weights"
    folder.mkdir()
    monkeypatch.setenv("SAMSSL_WEIGHTS", str(folder))
    with pytest.raises(UsageError, match=r"sam needs its weights: .*samssl weights list"):
        label("none", weights=None)

    tiny_sam.rename(folder / "sam_vit_b_01ec64.pth")
    label("found", weights=None, of=(told := loop.beside()))

    assert f"taking the weights {folder}/sam_vit_b_01ec64.pth" in told.notes[0]
