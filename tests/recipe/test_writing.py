import tomllib

import pytest

from samssl_cli.errors import RecipeError
from samssl_cli.recipe import Recipe, read_recipe, shipped_recipes
from samssl_cli.recipe.writing import as_toml


def read_back(text, tmp_path):
    path = tmp_path / "written.toml"
    path.write_text(text, encoding="utf-8")
    return read_recipe(str(path))


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_recipe_reads_back_as_the_same(name, tmp_path):
    recipe = read_recipe(name)
    assert read_back(as_toml(recipe, ["a line", "another"]), tmp_path) == recipe


@pytest.mark.parametrize(
    "override",
    [
        pytest.param("train_ssl.learning_rate=1e-05", id="exponent"),
        pytest.param('sam_label.generalist=["scout", "sam"]', id="several"),
        pytest.param('sam_label.generalist="a \\"b\\" \\\\ \\n é \\u007f"', id="odd-signs"),
        pytest.param("evaluate.in_voxels=true", id="flag"),
        pytest.param("preprocess.spacing_mm=[1, 1.5, 2]", id="numbers"),
        pytest.param(
            'train_ssl.method_options.uamt={"a": [1, 2.5], "b": {"c d": true}}', id="deep"
        ),
        pytest.param("train_ssl.method_options.uamt={}", id="no-options"),
    ],
)
def test_any_value_reads_back_as_the_same(override, tmp_path):
    recipe = read_recipe("default", [override])
    assert read_back(as_toml(recipe), tmp_path) == recipe


def test_every_key_is_there_below_what_it_is():
    lines = as_toml(Recipe()).splitlines()
    at = lines.index("num_passes = 8")
    assert lines[at - 1].startswith("# predictions for stochastic uncertainty (integer ≥ 1")
    table = tomllib.loads("\n".join(lines))
    assert table.keys() == Recipe.model_fields.keys()
    for name, section in Recipe():
        left_out = {key for key, value in section if value is None}
        assert table[name].keys() | left_out == type(section).model_fields.keys()


def test_a_key_that_is_left_out_shows_where_it_would_be():
    assert "# in_voxels =" in as_toml(Recipe()).splitlines()


def test_it_begins_with_what_it_is_told_to_say():
    assert as_toml(Recipe(), ["mine", "two\nlines"]).startswith("# mine\n# two lines\n\n[preproc")


def test_lines_are_no_longer_than_ours():
    assert max(map(len, as_toml(Recipe()).splitlines())) <= 100


def test_what_toml_cannot_hold_is_refused():
    recipe = read_recipe("default", ["retrain.method_options.uamt.num_passes=null"])
    with pytest.raises(RecipeError, match=r"retrain.method_options.uamt.num_passes: None cannot"):
        as_toml(recipe)
