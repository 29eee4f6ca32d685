from pathlib import Path

import pytest

from samssl_cli.errors import RecipeError
from samssl_cli.recipe import shipped_recipes
from samssl_cli.recipe.shipped import find_recipe, opening, source_of


@pytest.fixture
def file(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_says_what_it_is_and_where_it_is_from(name):
    assert shipped_recipes()[name]
    assert source_of(find_recipe(name))


def test_the_opening_comment_ends_at_the_first_other_line(file):
    path = file("# What it is\n#\n#  more\n\n# of this section\n[prompt]\n")
    assert opening(path) == ["What it is", "", " more"]


@pytest.mark.parametrize("text", ["", "[prompt]\n# late\n", "\n# after an empty line\n"])
def test_a_file_may_say_nothing(file, text):
    assert opening(file(text)) == []
    assert source_of(file(text)) == ""


def test_the_source_goes_on_to_the_next_heading(file):
    path = file("# What\n# Source: A & B: one,\n#   Ours: two.\n# Differs: c.\n# Source: D.\n")
    assert source_of(path) == "A & B: one, Ours: two. D."


def test_a_file_is_found_by_its_path(file):
    path = file("")
    assert find_recipe(str(path)) == path


def test_what_is_neither_is_refused_with_the_known_names():
    with pytest.raises(RecipeError, match=r"there is no recipe 'nothing': .*default, .*quick"):
        find_recipe("nothing")
