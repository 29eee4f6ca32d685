"""`samssl sam-label --generalist sam2` with a folder, from prompts to pseudo-labels."""

from samssl_cli.artifacts.manifest import read_manifest
from samssl_cli.generalists.embedding_cache import EmbeddingCache
from samssl_cli.generalists.model_folder import sha256_of_folder
from samssl_cli.recipe import read_recipe
from samssl_cli.stages.sam_label import sam_label


def test_a_folder_labels_the_cases_twice_to_the_same_bytes(loop, sam2_folder, hashes, tmp_path):
    def label(name, *overrides, embeddings=None):
        chosen = ["sam_label.generalist=sam2", *overrides]
        return sam_label(
            loop.path("cases"),
            loop.path("prompts"),
            tmp_path / f"{name}.zarr",
            weights=sam2_folder,
            device="cpu",
            embeddings=embeddings,
            **{
                **loop._common(force=False),
                "recipe": read_recipe(str(loop.recipe_path), chosen),
            },
        )

    first = label("first", "sam_label.options.sam2.reach=1")

    manifest = read_manifest(first, "labels")
    assert manifest.plan["inputs"]["weights"] == sha256_of_folder(sam2_folder)
    assert manifest.about["num_objects"] > 0
    (record,) = manifest.about["generalists"]
    assert (record["name"], record["register"]) == ("sam2", "sam2")

    filling, full = (EmbeddingCache(tmp_path / "embeddings", max_gb=1) for _ in range(2))
    second = label("second", "sam_label.options.sam2.reach=1", embeddings=filling)
    label("third", "sam_label.options.sam2.key_prompt=mask", embeddings=full)  # to the ends
    assert hashes(second) == hashes(first)
    assert filling.num_computed > 0
    assert full.num_found >= filling.num_computed
