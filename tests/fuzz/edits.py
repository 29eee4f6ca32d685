"""Files as one tree of JSON values, and small changes to it: what most inputs are made of.

A tree maps the path of a file to its content: a JSON value, or one of

    {"$text": "..."}    {"$base64": "..."}    {"$times": ["[", 100000]}
    {"$link": "target"}    {"$loop": 1}, a link to itself    {"$fifo": 1}

An input is a list of edits `[operation, path in the tree, value]`: a few lines that say what is
wrong with an otherwise sound data set or artifact, whatever the layout of the rest has become.
"""

import base64
import copy
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Tree = dict[str, Any]
Edit = list[Any]

OPERATIONS = ("set", "remove", "rename", "repeat")

HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 255, 256, 2**31, 2**63, 10**12, 10**30, 0.5, 1e308,
    float("nan"), float("inf"), "", " ", ".", "..", "../../outside", "/etc/passwd", "a/b", "a\x00b",
    "\ud800", "\u202e\U0001f600", "CON", "x" * 5000, "nan", "1e999", "0", "__class__", [], {}, [[]],
    [None], [0], [1, 2, 3], [-1, 0, 1], ["a", "b"], {"": 0}, {"0": "x"}, [10**6] * 3, [10**12],
    {"$text": ""}, {"$text": "{"}, {"$text": "\ufeff{}"}, {"$text": '{"a": 1, "a": 2}'},
    {"$times": ["[", 100000]}, {"$times": ['{"a":', 100000]}, {"$base64": "//79"}, {"$fifo": 1},
    {"$link": "/dev/zero"}, {"$link": "/etc/passwd"}, {"$link": "."}, {"$link": "nowhere"},
    {"$loop": 1},
    {"name": "zstd", "configuration": {"level": 0, "checksum": False}}, {"name": "gzip"},
    {"name": "sharding_indexed", "configuration": {"chunk_shape": [1], "codecs": [],
     "index_codecs": []}}, "float64", "uint8", "int64", "object", "numpy.datetime64", "string",
)  # fmt: skip


def write(tree: Tree, folder: Path) -> None:
    """Write the files of a tree; what would lie outside the folder is left out."""
    for name, content in tree.items():
        path = folder / name
        if "\0" in name or not Path(os.path.normpath(path)).is_relative_to(folder):
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, content)
        except (OSError, ValueError, RecursionError):
            continue  # no such file can be


def _write(path: Path, content: Any) -> None:
    if isinstance(content, dict) and "$link" in content:
        path.symlink_to(str(content["$link"]))
    elif isinstance(content, dict) and "$loop" in content:
        path.symlink_to(path.name)
    elif isinstance(content, dict) and "$fifo" in content:
        os.mkfifo(path)
    else:
        path.write_bytes(as_bytes(content))


def as_bytes(content: Any) -> bytes:
    """The bytes of a file; JSON as artifacts write it."""
    if isinstance(content, dict) and "$base64" in content:
        return base64.b64decode(str(content["$base64"]))
    if isinstance(content, dict) and "$times" in content:
        text, times = content["$times"]
        return str(text).encode() * min(int(times), 20_000_000)
    if isinstance(content, dict) and "$text" in content:
        return str(content["$text"]).encode("utf-8", "surrogatepass")
    return json.dumps(content, indent=2).encode()


def read(folder: Path) -> Tree:
    """The tree of a folder, whose files are JSON, text or bytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): _content(path) for path in files}


def _content(path: Path) -> Any:
    content = path.read_bytes()
    if path.suffix == ".json":
        return json.loads(content)
    return encoded(content)


def encoded(content: bytes) -> dict[str, str]:
    """Bytes as a value of a tree."""
    return {"$base64": base64.b64encode(content).decode()}


def as_input(edits: list[Edit]) -> bytes:
    """The input that `parse` reads."""
    return json.dumps(edits).encode()


def parse(data: bytes) -> list[Edit]:
    """The edits in an input; none where it is not a list of them."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return []
    return [edit for edit in found if _is_edit(edit)] if isinstance(found, list) else []


def _is_edit(edit: Any) -> bool:
    return (
        isinstance(edit, list)
        and len(edit) == 3
        and edit[0] in OPERATIONS
        and isinstance(edit[1], list)
        and all(isinstance(step, str | int) for step in edit[1])
    )


def applied(tree: Tree, edits: list[Edit]) -> Tree:
    """The tree with the edits, in order; one whose place is not there changes nothing."""
    tree = copy.deepcopy(tree)
    for operation, path, value in edits:
        try:
            _apply(tree, operation, list(path), copy.deepcopy(value))
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError):
            continue
    return tree


def _apply(tree: Tree, operation: str, path: list[Any], value: Any) -> None:
    *parents, key = path
    place: Any = tree
    for step in parents:
        place = place[step]
    if operation == "set":
        place[key] = value
    elif operation == "remove":
        del place[key]
    elif operation == "rename":
        place[str(value)] = place.pop(key)
    else:
        place.extend([place[key]] * min(int(value), 1000))


def changed(data: bytes, tree: Tree, rng: random.Random) -> bytes:
    """Another input for this tree: an edit more, or fewer, or another value in one."""
    edits = parse(data)
    if edits and rng.random() < 0.3:
        edits.pop(rng.randrange(len(edits)))
    if not edits or rng.random() < 0.8:
        edits.append(_new_edit(applied(tree, edits) or tree, rng))
    return json.dumps(edits[-4:]).encode()


def _new_edit(tree: Tree, rng: random.Random) -> Edit:
    file = rng.choice(sorted(tree))
    if rng.random() < 0.1:
        renamed = rng.choice([value for value in HOSTILE if isinstance(value, str)])
        return rng.choice([["remove", [file], None], ["rename", [file], renamed]])
    path = rng.choice([[file], *([file, *path] for path in _paths(tree[file]))])
    operation = rng.choice(["set", "set", "set", "set", "remove", "rename", "repeat"])
    return [operation, path, _value(tree, path, rng)]


def _value(tree: Tree, path: list[Any], rng: random.Random) -> Any:
    """A hostile value, or another one of the same tree, or a number nearby."""
    if rng.random() < 0.7:
        return copy.deepcopy(rng.choice(HOSTILE))
    found: Any = tree
    for step in path:
        found = found[step]
    if isinstance(found, int | float) and rng.random() < 0.5:
        return found + rng.choice([-1, 1, 0.5, 1000])
    if isinstance(found, dict) and "$base64" in found:
        return encoded(_noisy(as_bytes(found), rng))
    other = rng.choice(sorted(tree))
    for step in rng.choice([[other], *([other, *rest] for rest in _paths(tree[other]))]):
        tree = tree[step]
    return copy.deepcopy(tree)


def _noisy(content: bytes, rng: random.Random) -> bytes:
    from tests.fuzz.noise import noisy

    return noisy(content, rng)


def _paths(value: Any) -> Iterator[list[Any]]:
    if not isinstance(value, dict | list):
        return
    for key, one in value.items() if isinstance(value, dict) else enumerate(value):
        if not str(key).startswith("$"):
            yield [key]
            yield from ([key, *rest] for rest in _paths(one))
