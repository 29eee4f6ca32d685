"""The project's own promises: README, CI, recipes and documents say what is true."""

import importlib
import pkgutil
import re
import runpy
import shlex
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
import typer

import samssl_cli
from samssl_cli.cli import app
from samssl_cli.generalists import GENERALISTS
from samssl_cli.methods import METHODS
from samssl_cli.recipe import Recipe, Section, read_recipe, shipped_recipes, validate
from samssl_cli.registry import load

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(text: str) -> list[str]:
    """The bash blocks of a page."""
    return re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)


def commands(text: str) -> list[list[str]]:
    """Every samssl command in lines of shell, split into words, without the program."""
    lines = text.replace("\\\n", " ").splitlines()
    split = [
        shlex.split(line, comments=True) for line in lines if re.match(r"\s*samssl [a-z]", line)
    ]
    return [words[1:] for words in split if "..." not in words and "COMMAND" not in words]


SHELL = [
    *(block for page in PAGES for block in blocks(page.read_text(encoding="utf-8"))),
    (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8"),
    (ROOT / "examples" / "quickstart.sh").read_text(encoding="utf-8"),
]
COMMANDS = [words for text in SHELL for words in commands(text)]
GENERALIST_OPTIONS = re.compile(r"sam_label\.options\.([^.]+)\.(.+)")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_in_the_documents_parses(words: list[str]) -> None:
    program = typer.main.get_command(app)
    with program.make_context("samssl", list(words)) as context:
        name, command, rest = program.resolve_command(context, list(words))  # type: ignore[attr-defined]  # a group
        with command.make_context(name, rest, parent=context):
            pass


def test_the_readme_shows_every_stage() -> None:
    shown = {words[0] for block in blocks(README) for words in commands(block)}
    assert shown >= {"preprocess", "train-ssl", "prompt", "sam-label", "retrain", "evaluate"}


def overrides() -> list[tuple[str, str]]:
    """(recipe, key=value) of every --set in the documents."""
    found = []
    for words in COMMANDS:
        recipe = words[words.index("--recipe") + 1] if "--recipe" in words else "default"
        found += [(recipe, value) for word, value in pairwise(words) if word == "--set"]
    return found


@pytest.mark.parametrize(("recipe", "override"), overrides())
def test_every_override_in_the_documents_is_valid(recipe: str, override: str) -> None:
    resolved = read_recipe(recipe, [override])
    if match := GENERALIST_OPTIONS.match(override):
        options = load(GENERALISTS, match[1], kind="generalist").Options
        validate(options, resolved.sam_label.options[match[1]], where=override)


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipe_is_valid(name: str) -> None:
    recipe = read_recipe(name)
    for section in (recipe.train_ssl, recipe.retrain):
        assert section.method in METHODS
        for method, options in section.method_options.items():
            validate(load(METHODS, method, kind="method").Options, options, where=name)
    for generalist, options in recipe.sam_label.options.items():
        validate(load(GENERALISTS, generalist, kind="generalist").Options, options, where=name)


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipe_is_in_the_readme(name: str) -> None:
    assert f"`{name}`" in README


def test_every_key_has_a_description() -> None:
    for name, field in Recipe.model_fields.items():
        section = field.annotation
        assert section is not None
        assert issubclass(section, Section)
        missing = [key for key, known in section.model_fields.items() if not known.description]
        assert not missing, name


def test_recipes_page_is_up_to_date() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "write_recipes.py"))["page"]()
    written = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    assert written == page, "run: python docs/write_recipes.py"


def test_ci_runs_the_readmes_test_command() -> None:
    (command,) = (line for line in README.splitlines() if "-m pytest" in line)
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert command.replace(".venv", '"$VENV"') in {line.strip() for line in script.splitlines()}


def test_ci_runs_what_make_check_runs() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for tool in ("ruff format --check .", "ruff check .", "mypy", "lint-imports"):
        assert f"\t$(BIN)/{tool}\n" in makefile
        assert f'check "$VENV"/bin/{tool}\n' in script
    assert "\t$(BIN)/python -m pytest\n" in makefile


def test_ci_is_executable_and_names_no_index() -> None:
    path = ROOT / ".ci" / "run"
    assert path.stat().st_mode & 0o111
    assert not re.search(r"index-url|find-links|https?://", path.read_text(encoding="utf-8"))


def test_readme_and_package_ask_for_the_same_python() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == ">=3.11,<3.14"
    assert "Python 3.11 to 3.13" in README


def test_changelog_has_an_unreleased_section() -> None:
    lines = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines()
    assert "## [Unreleased]" in lines


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if not target.startswith("http")]
    missing = [target for target in local if not (page.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize(
    "name",
    [found.name for found in pkgutil.walk_packages(samssl_cli.__path__, "samssl_cli.")],
)
def test_every_module_can_be_imported(name):
    if not name.endswith("__main__"):
        importlib.import_module(name)
