import json
from dataclasses import replace

import pytest

from samssl_cli.artifacts.manifest import (
    METADATA,
    Manifest,
    Plan,
    digest,
    group_metadata,
    read_manifest,
)
from samssl_cli.errors import DamagedArtifactError, MissingArtifactError, StaleArtifactError


def test_the_fingerprint_never_changes_by_itself(plan):
    # Written down once: if this number moves, every artifact in the world becomes stale.
    assert plan.fingerprint == "64cfaa1c0e9330504039af2dbdc37317a31072abd60802c7c7f8b795b032d29c"


def test_the_fingerprint_is_blind_to_order_and_to_tuple_or_list(plan):
    options = {"prompt": {"strategies": ["mask", "box"], "num_sets": 3}}
    assert replace(plan, options=options).fingerprint == plan.fingerprint


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"inputs": {"cases": "d" * 64}}, {"options": {}}, {"stage": "x"}],
    ids=lambda change: next(iter(change)),
)
def test_whatever_decides_the_result_changes_the_fingerprint(plan, change):
    assert replace(plan, **change).fingerprint != plan.fingerprint


def test_a_digest_refuses_nan():
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest({"value": float("nan")})


def test_the_manifest_is_read_back(sealed, plan):
    manifest = read_manifest(sealed, "prompts")
    assert (manifest.plan, manifest.fingerprint) == (plan.to_json(), plan.fingerprint)
    assert sorted(manifest.members) == ["a", "b"]
    assert manifest.about == {"dataset": "phantom"}
    assert {"samssl", "torch", "zarr"} <= manifest.versions.keys()


def test_another_kind_is_refused_naming_the_command_to_run(sealed):
    with pytest.raises(MissingArtifactError, match=r"holds prompts .* expected labels, as made by"):
        read_manifest(sealed, "labels")


def test_nothing_there(tmp_path):
    with pytest.raises(MissingArtifactError, match=r"x\.zarr: does not exist"):
        read_manifest(tmp_path / "x.zarr")


def test_an_unfinished_artifact_says_how_to_go_on(sealed):
    part = sealed.rename(sealed.with_name("x.zarr.part"))
    with pytest.raises(MissingArtifactError, match=r"run the stage .* again, it will resume"):
        read_manifest(sealed)
    (part / METADATA).write_bytes(group_metadata({"samssl": {"plan": {}}}))
    with pytest.raises(MissingArtifactError, match="is not finished"):
        read_manifest(part)


def test_a_foreign_zarr_group_is_no_artifact(tmp_path):
    (tmp_path / METADATA).write_bytes(group_metadata({"ome": {}}))
    with pytest.raises(MissingArtifactError, match="not an artifact of samssl"):
        read_manifest(tmp_path)


def test_another_layout_is_told_apart_from_damage(sealed):
    stored = json.loads((sealed / METADATA).read_bytes())["attributes"]["samssl"]
    del stored["manifest_sha256"]
    stored["schema"] = 99
    metadata = group_metadata({"samssl": {**stored, "manifest_sha256": digest(stored)}})
    (sealed / METADATA).write_bytes(metadata)
    with pytest.raises(StaleArtifactError, match="has layout 99, this samssl reads 1"):
        read_manifest(sealed)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"attributes": 3}', b"[" * 100_000])
def test_unreadable_metadata_is_damage(sealed, content):
    (sealed / METADATA).write_bytes(content)
    with pytest.raises(DamagedArtifactError, match="metadata is damaged"):
        read_manifest(sealed)


@pytest.mark.parametrize("name", ["../evil", "/etc", ".hidden", "a/b", ""])
def test_a_member_cannot_lie_outside_of_its_store(tmp_path, name):
    plan = Plan(kind="labels", stage="sam-label", options={}, seed=0, inputs={})
    body = Manifest(plan.to_json(), plan.fingerprint, about={}, members={name: "0" * 64})
    (tmp_path / "zarr.json").write_bytes(group_metadata({"samssl": body.to_json()}))
    with pytest.raises(DamagedArtifactError, match="as samssl names none"):
        read_manifest(tmp_path)
