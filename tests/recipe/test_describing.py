import pytest

from samssl_cli.recipe import Recipe
from samssl_cli.recipe.describing import kind


@pytest.mark.parametrize(
    ("section", "key", "words"),
    [
        ("train_ssl", "steps", "integer ≥ 1"),
        ("train_ssl", "optimizer", "`sgd`, `adamw`"),
        ("augmentation", "scale", "number ≥ 0, < 0.9"),
        ("network", "channels", "list of integer ≥ 1"),
        ("preprocess", "spacing_mm", "`median`, `keep` or 3 of number > 0"),
        ("evaluate", "in_voxels", "true or false or none"),
        ("sam_label", "options", "table"),
        ("evaluate", "known_as", "text"),
    ],
)
def test_what_may_be_written_there(section, key, words):
    schema = type(getattr(Recipe(), section)).model_json_schema()
    assert kind(schema["properties"][key]) == words


def test_another_section_is_a_table_like_it():
    assert kind({"$ref": "#/$defs/Prompt"}) == "a table as `[prompt]`"
