from samssl_cli.artifacts.lineage import UNRECORDED, generalists_of, merged
from samssl_cli.artifacts.manifest import Manifest

SAM = {"name": "sam", "register": "sam", "weights_sha256": "abc"}


def manifest(stage, **about):
    return Manifest(plan={"stage": stage}, fingerprint="", about=about, members={})


def test_what_was_kept_is_given():
    assert generalists_of(manifest("retrain", generalists=[SAM])) == [SAM]
    assert generalists_of(manifest("prompt", generalists=[])) == []


def test_an_older_student_learned_from_somebody_who_was_not_recorded():
    assert generalists_of(manifest("retrain")) == [UNRECORDED]
    assert generalists_of(manifest("sam-label")) == [UNRECORDED]
    assert generalists_of(manifest("train-ssl")) == []  # nobody to learn from yet


def test_each_is_merged_once_in_order():
    other = {**SAM, "weights_sha256": "def"}
    assert merged([SAM], [other, dict(SAM)]) == [SAM, other]
