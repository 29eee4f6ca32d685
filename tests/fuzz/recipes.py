"""Recipes, and single values of them."""

from pathlib import Path
from typing import Any

from tests.fuzz.target import (
    Target,
    noisy_with,
    write_file,
)


def _recipe_examples() -> list[bytes]:
    from samssl_cli.recipe import Recipe
    from samssl_cli.recipe.shipped import SHIPPED
    from samssl_cli.recipe.writing import as_toml

    return [
        *(path.read_bytes() for path in sorted(SHIPPED.glob("*.toml"))),
        as_toml(Recipe()).encode(),
    ]


_JSON = (b"NaN", b"Infinity", b"[" * 5000, b'{"a":' * 5000, b".", b"=", b"1" * 5000)
_TOML = tuple(
    b'1979-05-27|07:32:00|1979-05-27T07:32:00Z|nan|inf|-inf|[]|{}|"\\u0000"|"\\uD800"|0x7fffffffffff'
    b"ffffffff|1e400|true|\n[a.b.c]\n|\n[[train_ssl]]\n|.|=|\n|''|[1,2,3]|{ a = 1 }|-1|999999999"
    b"|[[[[[[|train_ssl.|preprocess.|=[1,1,1]|sam_label.options.sam.x = 1979-05-27\n".split(b"|")
)


def _read_recipe(folder: Path, output: Path) -> None:
    from samssl_cli.recipe import read_recipe

    _use_recipe(read_recipe(str(folder / "recipe.toml")), output)


def _describe_recipe(folder: Path, _: Path) -> None:
    from samssl_cli.recipe.shipped import opening, source_of

    opening(folder / "recipe.toml")
    source_of(folder / "recipe.toml")


def _use_recipe(recipe: Any, output: Path) -> None:
    """What every stage does with a recipe before any work."""
    from samssl_cli.artifacts.manifest import Plan
    from samssl_cli.recipe import read_recipe
    from samssl_cli.recipe.writing import as_toml
    from samssl_cli.stages.inputs import check_option_tables

    check_option_tables(recipe)
    names = ("preprocess", "network", "train_ssl", "prompt", "sam_label", "gate", "retrain")
    options = recipe.narrowed().options(*names)
    assert Plan("checkpoint", "train-ssl", options, 0, {}).fingerprint
    (output / "again.toml").write_bytes(as_toml(recipe).encode())
    assert repr(read_recipe(str(output / "again.toml"))) == repr(recipe)  # a NaN is not itself


def _apply_overrides(folder: Path, output: Path) -> None:
    from samssl_cli.recipe import read_recipe

    text = (folder / "set.txt").read_text(encoding="utf-8", errors="surrogateescape")
    _use_recipe(read_recipe("default", text.split("\n")), output)


def _override_examples() -> list[bytes]:
    return [
        b"train_ssl.steps=5\npreprocess.spacing_mm=[1,1,1]",
        b'prompt.strategies=["box"]\nsam_label.options.sam.x=1',
        b"retrain.method=uamt\ntrain_ssl.method_options.uamt.a=true",
        b"network.channels=[2,4]\naugmentation.flip_axes=[0,1]",
    ]


RECIPES: dict[str, Target] = {
    "recipe": Target(
        "a recipe",
        _recipe_examples,
        write_file("recipe.toml"),
        (_read_recipe, _describe_recipe),
        noisy_with(*_TOML),
        named=("unknown method", "unknown generalist", "unknown first guess"),
    ),
    "set": Target(
        "values of --set",
        _override_examples,
        write_file("set.txt"),
        (_apply_overrides,),
        noisy_with(*_JSON, *_TOML),
        named=("--set", "recipe default", "unknown method", "unknown generalist"),
    ),
}
