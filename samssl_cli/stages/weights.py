"""`samssl weights`: which weights there are, whether a file is what it claims, and a safe copy."""

import secrets
from pathlib import Path
from typing import Any

from samssl_cli import __version__
from samssl_cli.artifacts.generalist import GeneralistWeights
from samssl_cli.errors import UsageError, WeightsError
from samssl_cli.generalists import GENERALISTS
from samssl_cli.generalists.checkpoint_file import digest_of_weights, sha256_of_weights
from samssl_cli.generalists.model_folder import num_bytes_of_folder, sha256_of_folder
from samssl_cli.generalists.published import (
    SAFE_SUFFIX,
    PublishedWeights,
    file_of,
    matching_weights,
    named_weights,
    published_weights,
)
from samssl_cli.progress import Progress
from samssl_cli.registry import load
from samssl_cli.stages.which_generalist import is_artifact
from samssl_cli.volumes.whole_file import write_whole

_SOURCE = "source_sha256"


def list_weights() -> list[dict[str, Any]]:
    """Every row of the register as JSON values, with the path of its file where it is found."""
    return [
        {**vars(row), "found": None if (file := file_of(row)) is None else str(file)}
        for row in published_weights().values()
    ]


def locate(name: str) -> Path:
    """The file of the named weights in the weights folder.

    Raises:
        UsageError: when there are no weights of this name.
        WeightsError: when the file is not there; the message says how to get it.
    """
    row = named_weights(name)
    file = file_of(row)
    if file is None:
        raise WeightsError(f"weights {row.name} are not here yet: {row.how_to_get()}")
    return file


def verify_weights(path: Path) -> dict[str, Any]:
    """Load weights without running code in them, and say what they are, as JSON values.

    A folder of transformers has one SHA-256 over its config and its tensors; nobody publishes such.

    Raises:
        WeightsError: when it is missing, damaged, unsafe, or of no model that is known here.
    """
    identity = _identity(path)
    known = matching_weights(sha256=identity["sha256"], md5=identity["md5"])
    generalist, facts = _identified(path, known)
    return {
        "path": str(path),
        "generalist": generalist,
        **vars(facts),
        **identity,
        "published_as": None if known is None else known.name,
        "digest": _verdict(path, known),
        "converted_from": _metadata(path),
    }


def convert_weights(path: Path, output: Path, *, force: bool, progress: Progress) -> Path:
    """Copy the tensors of a weights file, bit by bit, into a .safetensors file.

    What a checkpoint holds beside the model's tensors (an optimiser, an epoch) is left out. The
    copy is read back and compared before it gets its name. The weights of a `generalist.zarr` lie
    in it as the content of such a file, and become one as they are.

    Raises:
        UsageError: when `output` is not called .safetensors.
        WeightsError: when `path` cannot be used, or `output` was made from another file.
        SamsslError: when `path` is an artifact, and not a whole one of this kind.
    """
    if output.suffix != SAFE_SUFFIX:
        raise UsageError(f"-o {output}: expected a name that ends in {SAFE_SUFFIX}")
    if is_artifact(path):
        return _unpack_weights(path, output, force=force, progress=progress)
    source = {_SOURCE: sha256_of_weights(path), "source_file": path.name}
    if output.exists() and not force:
        if _metadata(output).get(_SOURCE) == source[_SOURCE]:
            progress.note(f"{output} is up to date")
            return output
        raise WeightsError(f"{output} was not made from {path}; --force replaces it")
    _write_whole(path, output, {**source, "made_by": f"samssl {__version__}"})
    return output


def _identity(path: Path) -> dict[str, Any]:
    """Size and digests of a file or a folder, and how it is read."""
    if path.is_dir():
        sha256 = sha256_of_folder(path)
        size = num_bytes_of_folder(path)
        return {"num_bytes": size, "sha256": sha256, "md5": "", "read_safely": "safetensors"}
    sha256, md5 = sha256_of_weights(path), digest_of_weights(path, "md5")
    return {
        "num_bytes": path.stat().st_size,
        "sha256": sha256,
        "md5": md5,
        "read_safely": "safetensors" if path.suffix == SAFE_SUFFIX else "weights_only",
    }


def _unpack_weights(path: Path, output: Path, *, force: bool, progress: Progress) -> Path:
    content = GeneralistWeights(path).file_content()
    if output.exists() and not force:
        if output.read_bytes() == content:
            progress.note(f"{output} is up to date")
            return output
        raise WeightsError(f"{output} was not made from {path}; --force replaces it")
    output.parent.mkdir(parents=True, exist_ok=True)
    write_whole(output, content)
    return output


def _identified(path: Path, known: PublishedWeights | None) -> tuple[str, Any]:
    """The generalist that can load a file or folder, and what it finds.

    A file that is published is tried by its own generalist; any other by each in turn.
    """
    names = [name for name, row in GENERALISTS.items() if row.needs_checkpoint]
    names += [name for name, row in GENERALISTS.items() if row.shipped]
    names = [name for name in names if GENERALISTS[name].takes_folder or not path.is_dir()]
    refusals: list[WeightsError | UsageError] = []
    for name in names if known is None else [known.generalist]:
        try:
            return name, load(GENERALISTS, name, kind="generalist").identify(path)
        except (WeightsError, UsageError) as error:  # usage: an optional package is not installed
            refusals.append(error)
    raise refusals[0]


def _verdict(path: Path, known: PublishedWeights | None) -> str:
    """Whether the digest is a published one; a file that only has the name of one is told apart."""
    if known is not None:
        return f"the published {'SHA-256' if known.sha256 else 'MD5'} of {known.file}"
    namesake = next((row for row in published_weights().values() if row.file == path.name), None)
    if namesake is None:
        return "unknown digest"
    published = namesake.sha256 or namesake.md5
    if not published:
        return f"unknown digest: none is published for {path.name}"
    return f"unknown digest: the published {path.name} has {published}"


def _metadata(path: Path) -> dict[str, str]:
    """What a safetensors file says of its origin; nothing for another file, or a damaged one."""
    if path.suffix != SAFE_SUFFIX:
        return {}
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError):
        return {}


def _write_whole(path: Path, output: Path, metadata: dict[str, str]) -> None:
    import torch
    from safetensors.torch import save_file

    from samssl_cli.generalists.med3d_weights import harmless_types
    from samssl_cli.generalists.state_dict import read_tensors

    expected, harmless = "a model's state_dict()", harmless_types()
    tensors = {  # safetensors refuses tensors that share memory
        key: value.detach().clone(memory_format=torch.contiguous_format)
        for key, value in read_tensors(path, published=expected, harmless=harmless).items()
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    aside = output.with_name(f".{output.stem}.{secrets.token_hex(4)}{SAFE_SUFFIX}")
    try:
        save_file(tensors, aside, metadata=metadata)
        _check_same(tensors, read_tensors(aside, published=expected), output)
        aside.replace(output)
    finally:
        aside.unlink(missing_ok=True)


def _check_same(written: dict[str, Any], read: dict[str, Any], output: Path) -> None:
    """Compare bytes, so that a NaN equals itself."""
    import torch

    def is_same(key: str) -> bool:
        one, other = written[key], read[key]
        if (one.dtype, one.shape) != (other.dtype, other.shape):
            return False
        return torch.equal(one.flatten().view(torch.uint8), other.flatten().view(torch.uint8))

    if written.keys() != read.keys() or not all(map(is_same, written)):
        raise WeightsError(f"{output}: the copy differs from its source; is the disk whole?")
