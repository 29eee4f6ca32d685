"""`samssl sam-label --generalist sam2` with a folder, from prompts to pseudo-labels."""

from samssl_cli.artifacts.manifest import read_manifest
from samssl_cli.generalists.model_folder import sha256_of_folder
from samssl_cli.recipe import read_recipe
from samssl_cli.stages.sam_label import sam_label


def test_a_folder_labels_the_cases_twice_to_the_same_bytes(loop, sam2_folder, hashes, tmp_path):
    def label(name, *overrides):
        chosen = ["sam_label.generalist=sam2", *overrides]
        return sam_label(
            loop.path("cases"),
            loop.path("prompts"),
            tmp_path / f"{name}.zarr",
            weights=sam2_folder,
            device="cpu",
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
    assert hashes(label("second", "sam_label.options.sam2.reach=1")) == hashes(first)
