"""Whether torchvision fits torch, and segment-anything, which needs it."""

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

from samssl_cli.checkup.finding import Finding, one_line


def check_torchvision(_folders: Sequence[Path] = ()) -> Iterator[Finding]:
    """Import torchvision as `--generalist sam` does, then segment-anything."""
    found = _torchvision()
    yield found
    if found.severity != "problem":
        yield _segment_anything()


def _torchvision() -> Finding:
    try:
        from samssl_cli.generalists.torchvision_shim import ensure_torchvision, is_active

        ensure_torchvision()
        version = import_module("torchvision").__version__
    except Exception as error:
        cure = "pip install torchvision beside the torch that is there, or see README, Install"
        return Finding("torchvision", "problem", f"cannot be imported: {one_line(error)}", cure)
    facts = {"version": version, "is_shim_active": is_active()}
    if not is_active():
        return Finding("torchvision", "ok", f"{version}, fits torch", facts=facts)
    # All that samssl uses works: its compiled operators are for SAM's automatic masks alone.
    told = f"{version} is for another build of torch; what samssl uses of it works (shim active)"
    return Finding("torchvision", "ok", told, facts=facts)


def _segment_anything() -> Finding:
    name = "segment-anything"
    try:
        import_module("segment_anything")
    except Exception as error:
        told, cure = f"cannot be imported: {one_line(error)}", f"pip install {name}==1.0"
        return Finding(name, "problem", told, cure)
    return Finding(name, "ok", "can be imported")
