import importlib
import sys

from samssl_cli.checkup import torchvision as checks
from samssl_cli.checkup.torchvision import check_torchvision
from samssl_cli.generalists import torchvision_shim


def test_it_and_what_needs_it_can_be_imported(named):
    found = named(check_torchvision())
    assert found["torchvision"].severity == "ok"
    assert found["torchvision"].facts["is_shim_active"] is torchvision_shim.is_active()
    assert found["segment-anything"].severity == "ok"


def test_whether_the_shim_is_active_is_told(named, monkeypatch):
    importlib.import_module("segment_anything")
    for declared, told in (([object()], "shim active"), ([], "fits torch")):
        monkeypatch.setattr(torchvision_shim, "_declared", declared)
        assert told in named(check_torchvision())["torchvision"].found


def test_a_torchvision_that_is_not_here(named, monkeypatch):
    torchvision_shim.ensure_torchvision()
    monkeypatch.setitem(sys.modules, "torchvision", None)
    found = named(check_torchvision())
    assert [*found] == ["torchvision"]
    assert found["torchvision"].severity == "problem"


def test_no_segment_anything(named, monkeypatch):
    torchvision_shim.ensure_torchvision()
    monkeypatch.setitem(sys.modules, "segment_anything", None)
    assert named(checks.check_torchvision())["segment-anything"].severity == "problem"
