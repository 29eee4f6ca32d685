"""Data sets and their lists, and images to predict."""

from pathlib import Path

from samssl_cli.progress import Silent
from tests.fuzz import edits, seeds
from tests.fuzz.target import Target, edited, no_edits, noisy_with, write_file, write_tree


def _preprocess(folder: Path, output: Path) -> None:
    from samssl_cli.recipe import read_recipe
    from samssl_cli.stages.preprocess import preprocess

    split = folder / "split.json"
    is_given = split.exists() or split.is_symlink()
    preprocess(
        folder,
        output / "cases.zarr",
        labeled=None if is_given else 1,
        split_path=split if is_given else None,
        recipe=read_recipe("default", ["preprocess.max_volume_gb=0.1"]),
        num_workers=1,
        force=False,
        progress=Silent(),
    )


def _read_names(folder: Path, _: Path) -> object:
    from samssl_cli.volumes.datasets.roles import read_names

    return read_names(folder / "names.txt")


def _write_predicted(data: bytes, folder: Path) -> None:
    tree = edits.applied(seeds.tree("predicted"), edits.parse(data))
    for name, place in (("images", folder), ("there", folder.parent / "out")):
        edits.write({path: tree[path] for path in tree if path.startswith(name)}, place)


def predict_into(folder: Path, *, images: Path, force: bool = False) -> None:
    """Predict images with the sound specialist into a folder that may hold anything."""
    seeds.predict_sound(seeds.sound(), folder, images=images, force=force)


def _predict(folder: Path, output: Path) -> None:
    predict_into(output / "there", images=folder / "images")


def _predict_again(folder: Path, output: Path) -> None:
    predict_into(output / "there", images=folder / "images", force=True)


DATA_SETS: dict[str, Target] = {
    "dataset": Target(
        "a folder in the nnU-Net layout, with a split.json",
        no_edits,
        write_tree("data"),
        (_preprocess,),
        edited("data"),
    ),
    "names": Target(
        "a list of case names",
        lambda: [b"a\nb # c\n"],
        write_file("names.txt"),
        (_read_names,),
        noisy_with(b"#", b"\n", b"\xff", b"\0"),
    ),
    "predicted": Target(
        "images to predict, and a folder of earlier predictions",
        no_edits,
        _write_predicted,
        (_predict, _predict_again),
        edited("predicted"),
    ),
}
