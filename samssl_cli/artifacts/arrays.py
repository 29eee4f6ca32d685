"""Arrays of a member, read only when their metadata is what samssl writes.

Zarr obeys what it reads: other codecs, chunks within chunks, shapes of terabytes, frames that
unpack to far more than their chunk. So the metadata is compared with the one form that
`write_member` gives, and the frame of every chunk with the size of the chunk, before zarr is asked.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samssl_cli.artifacts.manifest import METADATA
from samssl_cli.errors import DamagedArtifactError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LARGEST_CHUNK = 32 * 2**20
"""Decoded bytes; up to here one chunk reads faster than several."""

_DTYPES = {
    "bool",
    *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
    *(f"float{bits}" for bits in (16, 32, 64)),
}
_CODECS = ["bytes", "zstd", "crc32c"]
_KEYS = {
    "attributes",
    "chunk_grid",
    "chunk_key_encoding",
    "codecs",
    "data_type",
    "dimension_names",
    "fill_value",
    "node_type",
    "shape",
    "storage_transformers",
    "zarr_format",
}
_MOST_PACKED = 1000  # times: of a chunk above the limit, which holds weights, curves or bits

_MAGIC = b"\x28\xb5\x2f\xfd"


def read_array(member: Path, name: str, files: Collection[str]) -> NDArray[Any]:
    """Read one array of a member whose files are known to be those that were written.

    Args:
        member: the group.
        name: of the array.
        files: of the whole member, relative to it.

    Raises:
        DamagedArtifactError: when it is not an array as samssl writes them.
    """
    import numpy as np
    import zarr

    path = member / name
    chunks = {file for file in files if file.startswith(f"{name}/") and not file.endswith(METADATA)}
    try:
        _check(path, {chunk.removeprefix(f"{name}/") for chunk in chunks})
        return np.asarray(zarr.open_array(path, mode="r", zarr_format=3)[...])
    except MemoryError as error:
        raise DamagedArtifactError(f"{path}: not enough memory for this array") from error
    except Exception as error:  # a chunk can be wrong in any way at all
        line = next(iter(str(error).splitlines()), "")
        raise DamagedArtifactError(
            f"{path}: is no array as samssl writes them ({type(error).__name__}: {line[:200]}); "
            "run the stage that made it again with --force"
        ) from error


def _check(path: Path, chunks: Collection[str]) -> None:
    """Raise a `ValueError` unless the metadata is ours, and every chunk is there and as large."""
    shape, chunk_shape, dtype = _form(json.loads((path / METADATA).read_bytes()))
    counts = [-(-n // side) for n, side in zip(shape, chunk_shape, strict=True)]
    if len(chunks) != math.prod(counts):
        raise ValueError(f"{len(chunks)} chunks, expected {math.prod(counts)}")
    num_bytes = math.prod(chunk_shape) * dtype.itemsize
    if len(shape) > 2 and num_bytes > LARGEST_CHUNK:
        raise ValueError(f"chunks of {num_bytes} bytes, expected {LARGEST_CHUNK} at most")
    for place in product(*map(range, counts)):
        name = "/".join(map(str, ("c", *place)))
        if name not in chunks:
            raise ValueError(f"no chunk {name}")
        _check_chunk(path / name, num_bytes)


def _form(found: Any) -> tuple[list[int], list[int], np.dtype[Any]]:
    """Shape, shape of a chunk, and type; a `ValueError` or `KeyError` for any other form."""
    import numpy as np

    if set(found) - _KEYS or (found["zarr_format"], found["node_type"]) != (3, "array"):
        raise ValueError(f"not the metadata of an array: {', '.join(map(str, found))[:80]}")
    if [codec["name"] for codec in found["codecs"]] != _CODECS:
        raise ValueError(f"codecs {str(found['codecs'])[:120]}, expected {', '.join(_CODECS)}")
    if found["data_type"] not in _DTYPES or found.get("storage_transformers"):
        raise ValueError(f"data type {str(found['data_type'])[:80]}, expected plain numbers")
    grid, key = found["chunk_grid"], found["chunk_key_encoding"]
    if (grid["name"], key["name"]) != ("regular", "default"):
        raise ValueError(f"chunk grid {str(grid)[:80]}, expected a regular one")
    if key.get("configuration", {}).get("separator", "/") != "/":
        raise ValueError("names of chunks without a slash")
    shape, chunk_shape = found["shape"], grid["configuration"]["chunk_shape"]
    if not _are_sides(shape, 0) or not _are_sides(chunk_shape, 1) or len(shape) > 8:
        raise ValueError(f"shape {str(shape)[:80]} in chunks of {str(chunk_shape)[:80]}")
    if any(side > max(n, 1) for n, side in zip(shape, chunk_shape, strict=True)):
        raise ValueError(f"chunks of {chunk_shape}, larger than the array of {shape}")
    return shape, chunk_shape, np.dtype(found["data_type"])


def _are_sides(values: Any, least: int) -> bool:
    return isinstance(values, list) and all(type(n) is int and n >= least for n in values)


def _check_chunk(path: Path, num_bytes: int) -> None:
    """Compare what a frame of zstd says it unpacks to with the bytes of a chunk."""
    stored = path.stat().st_size
    with path.open("rb") as stream:
        said = _content_size(stream.read(18))
    if said != num_bytes:
        raise ValueError(f"{path.name} unpacks to {said} bytes, expected {num_bytes}")
    if num_bytes > max(LARGEST_CHUNK, _MOST_PACKED * stored):
        raise ValueError(f"{path.name} unpacks {stored} bytes to {num_bytes}")


def _content_size(header: bytes) -> int | None:
    """What the header of a frame says (RFC 8878, 3.1.1.1); None where it does not say it."""
    if header[:4] != _MAGIC or len(header) < 6:
        return None
    descriptor = header[4]
    is_single = bool(descriptor & 0x20)
    size = (1 if is_single else 0, 2, 4, 8)[descriptor >> 6]
    start = 5 + (not is_single) + (0, 1, 2, 4)[descriptor & 3]
    found = header[start : start + size]
    if not size or len(found) < size:
        return None
    return int.from_bytes(found, "little") + (256 if size == 2 else 0)
