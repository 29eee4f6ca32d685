import json
import subprocess
import sys
import tomllib
from itertools import product

import pytest

from samssl_cli.generalists import GENERALISTS
from samssl_cli.generalists.exposure import (
    REGISTER,
    VERDICTS,
    exposure,
    find_dataset,
    known_datasets,
    known_generalists,
    normalised,
)

TABLE = tomllib.loads(REGISTER.read_text(encoding="utf-8"))
ROWS = TABLE["exposure"]
ALIASES = [alias for one in known_datasets() for alias in one.aliases]
PAIRS = list(product(known_generalists(), known_datasets()))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['generalist']}-{row['datasets'][0]}")
def test_every_row_is_known_and_has_a_source(row):
    assert set(row) <= {"generalist", "datasets", "verdict", "note", "source"}
    assert row["generalist"] in known_generalists()
    assert row["verdict"] in VERDICTS
    assert row["source"].strip()
    assert set(row["datasets"]) <= {"*", *TABLE["datasets"]}


def test_no_pair_is_said_twice():
    pairs = [(row["generalist"], key) for row in ROWS for key in row["datasets"]]
    assert len(pairs) == len(set(pairs))


def test_aliases_are_normalised_and_unique():
    assert all(alias == normalised(alias) for alias in ALIASES)
    assert len(ALIASES) == len(set(ALIASES))
    assert all(ALIASES)


@pytest.mark.parametrize("one", known_datasets(), ids=lambda one: one.key)
def test_a_data_set_is_found_by_its_key_and_its_aliases(one):
    assert one.title
    for name in (one.key, *one.aliases):
        assert find_dataset(name) == one


@pytest.mark.parametrize("name", [name for name, row in GENERALISTS.items() if row.is_asked])
def test_every_generalist_of_the_table_has_rows(name):
    assert name in {row["generalist"] for row in ROWS}


@pytest.mark.parametrize(
    ("generalist", "dataset"), PAIRS, ids=lambda one: getattr(one, "key", str(one))
)
def test_every_pair_has_a_verdict_with_a_source(generalist, dataset):
    found = exposure(generalist, dataset.key)
    assert found.source
    assert found.source in found.sentence
    assert found.sentence.endswith(".")
    assert "{" not in found.sentence
    assert json.loads(json.dumps(vars(found))) == vars(found)


@pytest.mark.parametrize(
    ("generalist", "dataset", "verdict"),
    [
        ("sam-med3d", "LA", "seen"),
        ("sam-med3d", "BraTS-2019", "seen"),
        ("sam-med3d-turbo", "Left Atrium", "seen"),
        ("sam-med3d-turbo", "BraTS19", "seen"),
        ("sam-med3d", "Pancreas-CT", "related"),
        ("sam-med3d-turbo", "NIH Pancreas", "related"),
        ("sam-med3d", "RAOS", "not-listed"),
        ("sam-med3d-turbo", "BTCV", "not-listed"),
        ("sam", "LA", "not-listed"),
        ("medsam", "LA", "unknown"),
        ("region-growing", "LA", "untrained"),
        ("region-growing", "my scans", "untrained"),
        ("sam-med3d", "my scans", "unknown"),
        ("sam", "unnamed", "unknown"),
        ("my-own", "LA", "unknown"),
    ],
)
def test_verdicts(generalist, dataset, verdict):
    assert exposure(generalist, dataset).verdict == verdict


def test_the_sentence_is_for_people():
    found = exposure("sam-med3d", "ASC18")
    assert found.sentence == (
        "SAM-Med3D is known to have seen this data set (2018 Left Atrium) in its own training "
        "(ECCV 2024 supplement, Table 1: ASC18): results on it are not unseen-data results. "
        "Whether it saw the very cases that are scored here is not published."
    )
    assert (
        "started from the SAM-Med3D that had seen it" in exposure("sam-med3d-turbo", "la").sentence
    )


def test_an_unknown_data_set_says_what_to_do():
    found = exposure("sam", "unnamed")
    assert "'unnamed' is not in the register; name it with --known-as" in found.sentence
    assert found.source == ""


def test_an_unknown_generalist_says_so():
    assert "what my-own was trained on" in exposure("my-own", "la").sentence


@pytest.mark.parametrize("name", ["brats", "my-la", "lax", "leftatrium2", "", "é"])
def test_a_part_of_a_name_is_not_a_match(name):
    assert find_dataset(name) is None


@pytest.mark.parametrize("name", ["Left Atrium", "left_atrium", "LEFT-ATRIUM", "(Left atrium)"])
def test_case_and_punctuation_do_not_matter(name):
    found = find_dataset(name)
    assert found is not None
    assert found.key == "la2018"


def test_looking_up_imports_neither_torch_nor_numpy():
    code = (
        "import sys; from samssl_cli.generalists.exposure import exposure; exposure('sam', 'la');"
        "assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_weights_that_nobody_published_are_an_unknown_generalist():
    vit_b = "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912"
    assert exposure("sam", "la", vit_b).verdict == "not-listed"
    finetuned = exposure("sam", "la", "f" * 64)
    assert finetuned.verdict == "unknown"
    assert "none of the published ones of SAM" in finetuned.sentence
    assert exposure("sam-med3d", "la", "f" * 64).verdict == "seen"  # its digests are not known
