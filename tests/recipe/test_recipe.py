import json
from math import exp
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from samssl_cli.errors import RecipeError
from samssl_cli.generalists import GENERALISTS
from samssl_cli.methods import METHODS
from samssl_cli.networks import NETWORKS, size_multiple
from samssl_cli.prompts import STRATEGIES
from samssl_cli.recipe import Augmentation, Recipe, read_recipe, shipped_recipes, validate
from samssl_cli.recipe.shipped import SHIPPED as SHIPPED_FOLDER
from samssl_cli.registry import load
from samssl_cli.stages.retrain import pseudo_term

SHIPPED = sorted(shipped_recipes())


@pytest.fixture
def recipe_file(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


# What ships with the package


def test_the_shipped_recipes_are_listed_with_a_line_each():
    assert set(SHIPPED) == {
        *("default", "quick", "self-training", "la", "la-1label", "ct-organ", "multi-organ"),
        *("semisam", "semisam-plus", "semisam-o1", "sfr"),
    }
    assert all(line and not line.startswith("#") for line in shipped_recipes().values())


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_recipe_names_parts_that_exist(name):
    recipe = read_recipe(name)
    assert recipe.network.name in NETWORKS
    assert {recipe.train_ssl.method, recipe.retrain.method} <= set(METHODS)
    assert recipe.sam_label.generalist in GENERALISTS
    assert set(recipe.prompt.strategies) <= set(STRATEGIES)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_patches_of_every_shipped_recipe_fit_its_network(name):
    recipe = read_recipe(name)
    multiple = size_multiple(recipe.network)
    for section in (recipe.train_ssl, recipe.retrain):
        assert not any(side % multiple for side in section.patch_size)


@pytest.mark.parametrize("section", ["train_ssl", "retrain"])
@pytest.mark.parametrize("name", SHIPPED)
def test_the_method_options_of_every_shipped_recipe_are_the_methods(name, section):
    for method, options in getattr(read_recipe(name), section).method_options.items():
        validate(load(METHODS, method, kind="method").Options, options, where=name)


def test_the_recipes_of_the_pipelines_are_those_that_ship():
    # One copy, which a wheel carries; pipelines/recipes is a link to it.
    for path in sorted((Path(__file__).parents[2] / "pipelines" / "recipes").iterdir()):
        assert path.resolve() == SHIPPED_FOLDER.resolve() / path.name
        assert read_recipe(str(path)) == read_recipe(path.stem)


def test_semisam_weighs_the_generalist_as_the_paper_does():
    recipe = read_recipe("semisam", ["retrain.steps=6000"])
    term = pseudo_term(recipe.retrain)
    weights = [term.weight_at(step) for step in (0, 3000, 6000)]
    assert weights == pytest.approx([0.05, 0.05 * exp(-1.25), 0.05 * exp(-5)])
    assert recipe.retrain.sam_loss == "mse"
    assert recipe.prompt.num_positive + recipe.prompt.num_negative == 10


def test_sfr_and_one_label_learn_from_pseudo_labels_at_one_weight():
    for name, weight in (("sfr", 1.0), ("la-1label", 4.0)):
        term = pseudo_term(read_recipe(name).retrain)
        assert {term.weight_at(step) for step in (0, 500, 5999)} == {weight}
    assert read_recipe("la-1label").sam_label.generalist == "atlas"


def test_self_training_is_quick_without_a_generalist():
    ours, quick = read_recipe("self-training"), read_recipe("quick")
    assert ours.sam_label.generalist == "none"
    assert ours.model_copy(update={"sam_label": quick.sam_label}) == quick


def test_la_is_the_setting_of_the_literature():
    recipe = read_recipe("la")
    assert recipe.network.name == "vnet"
    assert recipe.train_ssl.patch_size == (112, 112, 80)
    assert recipe.train_ssl.optimizer == "sgd"
    assert recipe.train_ssl.learning_rate == 0.01


def test_what_a_recipe_does_not_name_keeps_its_default(recipe_file):
    recipe = read_recipe(recipe_file("[train_ssl]\nsteps = 5\n"))
    assert recipe.train_ssl.steps == 5
    assert recipe.train_ssl.patch_size == Recipe().train_ssl.patch_size
    assert recipe.prompt == Recipe().prompt


def test_an_empty_recipe_is_the_defaults(recipe_file):
    assert read_recipe(recipe_file("")) == Recipe()


# Overrides


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        pytest.param("train_ssl.learning_rate=0.5", 0.5, id="number"),
        pytest.param("retrain.mixed_precision=false", False, id="flag"),
        pytest.param("sam_label.generalist=sam", "sam", id="bare-word"),
        pytest.param('network.norm="batch"', "batch", id="quoted"),
        pytest.param("network.channels=[4, 8]", (4, 8), id="list"),
        pytest.param(" prompt.num_sets = 7 ", 7, id="spaces"),
    ],
)
def test_an_override_sets_one_value(override, expected):
    section, key = override.partition("=")[0].strip().split(".")
    assert getattr(getattr(read_recipe("default", [override]), section), key) == expected


def test_an_override_reaches_into_the_options_of_a_method():
    before = read_recipe("default").retrain.method_options
    recipe = read_recipe("default", ["retrain.method_options.uamt.num_passes=2"])
    assert recipe.retrain.method_options == {**before, "uamt": {"num_passes": 2}}


def test_the_last_override_wins_over_the_file(recipe_file):
    path = recipe_file("[prompt]\nnum_sets = 2\n")
    assert read_recipe(path, ["prompt.num_sets=3", "prompt.num_sets=4"]).prompt.num_sets == 4


@pytest.mark.parametrize(
    ("override", "message"),
    [
        pytest.param("prompt.num_sets", "expected section.key=value", id="no-value"),
        pytest.param("num_sets=3", "expected section.key=value", id="no-section"),
        pytest.param("prompt.=3", "expected section.key=value", id="no-key"),
        pytest.param(
            "train_ssl.method.name=3", "'method' is a value, not a section", id="too-deep"
        ),
        pytest.param("prompts.num_sets=3", "prompts: Extra inputs", id="unknown-section"),
        pytest.param("prompt.number=3", "prompt.number: Extra inputs", id="unknown-key"),
        pytest.param("prompt.num_sets=many", "prompt.num_sets: Input should be a valid", id="word"),
    ],
)
def test_a_wrong_override_is_refused(override, message):
    with pytest.raises(RecipeError, match=message):
        read_recipe("default", [override])


# What is refused


def test_every_wrong_key_is_named(recipe_file):
    path = recipe_file("[prompt]\ncolour = 1\nnum_sets = 0\n[nowhere]\nx = 1\n")
    with pytest.raises(RecipeError) as caught:
        read_recipe(path)
    message = str(caught.value)
    assert message.startswith(f"recipe {path} is not valid:")
    for part in ("prompt.colour: Extra", "prompt.num_sets: Input should be", "nowhere: Extra"):
        assert part in message


@pytest.mark.parametrize(
    "override",
    [
        "train_ssl.steps=0",
        "train_ssl.steps=1.5",
        "train_ssl.steps=true",
        "train_ssl.learning_rate=0",
        "train_ssl.learning_rate=NaN",
        "train_ssl.learning_rate=Infinity",
        "train_ssl.patch_size=[96, 96]",
        "train_ssl.patch_size=[96, 96, 0]",
        "train_ssl.unlabeled_batch=-1",
        "train_ssl.labeled_batch=0",
        "train_ssl.optimizer=lion",
        "retrain.sam_schedule=ramp",
        "retrain.sam_weight=-1",
        "network.channels=[]",
        "network.dropout=1.1",
        "network.dropout=NaN",
        "augmentation.scale=0.9",
        "augmentation.contrast=1",
        "augmentation.flip_axes=[3]",
        "inference.overlap=1",
        "prompt.confident=0.5",
        "prompt.strategies=[]",
        "preprocess.spacing_mm=[1, 1, 0]",
        "preprocess.spacing_mm=thin",
        "sam_label.specialist_weight=2",
        "evaluate.cases=training",
    ],
)
def test_a_value_out_of_bounds_is_refused(override):
    section_and_key = override.partition("=")[0]
    with pytest.raises(RecipeError, match=section_and_key):
        read_recipe("default", [override])


@pytest.mark.parametrize("axes", [(), (0, 1), (2, 0)])
def test_quarter_turns_need_a_plane(axes):
    assert Augmentation(rotate90_axes=axes).rotate90_axes == axes


@pytest.mark.parametrize("axes", [(0,), (1, 1), (0, 1, 2), (0, 1, 1)])
def test_anything_but_two_different_axes_is_no_plane(axes):
    with pytest.raises(ValidationError, match="rotate90_axes names two different axes, or none"):
        Augmentation(rotate90_axes=axes)


def test_an_axis_is_mirrored_once():
    with pytest.raises(ValidationError, match="flip_axes names an axis twice"):
        Augmentation(flip_axes=(0, 0))


def test_bad_toml_is_refused_with_its_line(recipe_file):
    with pytest.raises(RecipeError, match=r"mine.toml: cannot be read as TOML.*line 2"):
        read_recipe(recipe_file("[prompt]\nnum_sets = = 3\n"))


def test_a_binary_file_is_no_recipe(tmp_path):
    path = tmp_path / "weights.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="cannot be read as TOML"):
        read_recipe(str(path))


@pytest.mark.parametrize("name", ["nothing", "/no/such/file.toml", "."])
def test_an_unknown_recipe_is_refused_with_the_known_ones(name):
    with pytest.raises(RecipeError, match=r"there is no recipe .*default, la, .*quick"):
        read_recipe(name)


# What stages rely on


@pytest.mark.parametrize("section", Recipe.model_fields)
def test_a_section_cannot_change_and_describes_every_field(section):
    part = getattr(Recipe(), section)
    assert isinstance(part, BaseModel)
    name = next(iter(type(part).model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(part, name, getattr(part, name))
    assert all(field.description for field in type(part).model_fields.values())


def test_the_options_of_a_stage_are_plain_json_and_read_back():
    every = [f"{section}.checkpoint_every=250" for section in ("train_ssl", "retrain")]  # default
    recipe = read_recipe("la", every)
    options = recipe.options(*Recipe.model_fields)
    assert Recipe.model_validate(json.loads(json.dumps(options))) == recipe


def test_what_changes_no_result_is_no_part_of_the_options():
    seldom = read_recipe("quick", ["train_ssl.checkpoint_every=1"])
    assert seldom.options("train_ssl") == read_recipe("quick").options("train_ssl")


def test_the_options_of_a_stage_are_the_named_sections():
    assert set(Recipe().options("network", "prompt")) == {"network", "prompt"}


def test_retrain_learns_from_pseudo_labels_and_train_ssl_does_not():
    assert "sam_loss" in Recipe().options("retrain")["retrain"]
    assert "sam_loss" not in Recipe().options("train_ssl")["train_ssl"]
