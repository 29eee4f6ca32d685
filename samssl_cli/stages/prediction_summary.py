"""What was predicted in each image, as `summary.json` beside the label maps.

    {"schema": "samssl-prediction/1", "checkpoint": fingerprint, "largest_component": ...,
     "inference": {...}, "classes": [...],
     "refined_by": [{"name": ..., "register": ..., "weights_sha256": ...}], "prompt": {...},
     "sam_label": {...},
     "cases": [{"case": ..., "images": [...], "label_map": ..., "label_map_sha256": ...,
                "shape": [...], "spacing_mm": [...],
                "found": {class: {"num_voxels": ..., "volume_ml": ...}}}]}

`refined_by` and what follows it are there with --refine.

Everything is measured on the label map as it lies on the disk, whoever wrote it last. What was
measured before is kept as long as the file is the same, byte for byte, and what is said of it has
the form above: anybody may have written into the folder.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from samssl_cli.artifacts.manifest import file_digest
from samssl_cli.errors import DataError
from samssl_cli.stages.prediction_folder import (
    SUMMARY_SCHEMA,
    PredictionFolder,
    as_text,
    read_json,
)
from samssl_cli.volumes.datasets.dataset import RawCase
from samssl_cli.volumes.whole_file import write_whole

Record = Mapping[str, Any]

_Count = Annotated[int, Field(ge=0)]
_Finite = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Three = Field(min_length=3, max_length=3)
_MEASURED = frozenset({"label_map", "label_map_sha256", "shape", "spacing_mm", "found"})


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Found(_Form):
    num_voxels: _Count
    volume_ml: _Finite


class _Record(_Form):
    case: str
    images: list[str]
    label_map: str
    label_map_sha256: str
    shape: Annotated[list[_Count], _Three]
    spacing_mm: Annotated[list[_Finite], _Three]
    found: dict[str, _Found]


def write_summary(
    folder: PredictionFolder,
    cases: Sequence[RawCase],
    class_names: Sequence[str],
    *,
    max_bytes: int,
) -> list[str]:
    """Write `summary.json` for these cases and for those that earlier runs put into the folder.

    A case without a label map is left out. A file that says the same already is left alone.

    Returns:
        One line for each label map that cannot be read.
    """
    head = {"schema": SUMMARY_SCHEMA, **folder.made_with, "classes": list(class_names)}
    known = _known(folder.summary, head)
    there = {path.name for path in folder.path.iterdir()}
    images = {name: record["images"] for name, record in known.items()}
    images |= {case.name: [str(path) for path in case.images] for case in cases}
    records, problems = [], []
    for name in sorted(images):
        label = f"{name}.nii.gz"
        if label not in there:  # nor does a name lead out of the folder
            continue
        try:
            measured = _measured(
                folder.path / label, class_names, known.get(name), max_bytes=max_bytes
            )
            records.append({"case": name, "images": images[name], **measured})
        except DataError as error:
            problems.append(str(error))
    text = as_text({**head, "cases": records})
    write_whole(folder.summary, text.encode())
    return problems


def _known(path: Path, head: Record) -> dict[str, Record]:
    """What an earlier run wrote of each case; nothing when it was made with something else."""
    document = read_json(path)
    if not isinstance(document, dict) or {**document, "cases": None} != {**head, "cases": None}:
        return {}
    records = document["cases"] if isinstance(document.get("cases"), list) else []
    return {record["case"]: record for record in records if _is_ours(record, head["classes"])}


def _is_ours(record: Any, class_names: Sequence[str]) -> bool:
    """Whether this is what we write of a case; anything else is measured anew."""
    try:
        found = _Record.model_validate(record)
    except ValidationError:
        return False
    return found.label_map == f"{found.case}.nii.gz" and list(found.found) == class_names[1:]


def _measured(
    label_map: Path, class_names: Sequence[str], known: Record | None, *, max_bytes: int
) -> Record:
    """What is in a label map, read again only when the file is not the one that was measured."""
    digest = _digest(label_map, max_bytes=max_bytes)
    if known is not None and known["label_map_sha256"] == digest:
        return {key: known[key] for key in known if key in _MEASURED}
    import numpy as np

    from samssl_cli.volumes import nifti

    label, grid = nifti.read_label(label_map, max_bytes=max_bytes)
    counts = np.bincount(label.ravel(), minlength=len(class_names))
    voxel_ml = abs(float(np.linalg.det(grid.affine[:3, :3]))) / 1000  # 1 ml = 1000 mm³
    return {
        "label_map": label_map.name,
        "label_map_sha256": digest,
        "shape": list(grid.shape),
        "spacing_mm": _rounded(grid.spacing_mm),
        "found": {
            name: {"num_voxels": int(count), "volume_ml": round(int(count) * voxel_ml, 6)}
            for name, count in list(zip(class_names, counts, strict=False))[1:]
        },
    }


def _digest(label_map: Path, *, max_bytes: int) -> str:
    """The sha256 of a label map that is a file, and no larger than one can be.

    Raises:
        DataError: when it is anything else, or cannot be read.
    """
    try:
        if not label_map.is_file():  # a pipe or a device has no end
            raise DataError(f"{label_map}: is no file")
        size = label_map.stat().st_size
        if size > max_bytes:
            raise DataError(
                f"{label_map}: has {size / 1e9:.3g} GB, the limit is {max_bytes / 1e9:.3g} GB; if "
                "it is right, raise preprocess.max_volume_gb"
            )
        return file_digest(label_map)
    except OSError as error:
        raise DataError(f"{label_map}: cannot be read: {error}") from error


def _rounded(values: Iterable[float]) -> list[float]:
    """Headers are float32: 0.7 mm comes as 0.699999988."""
    return [round(value, 6) for value in values]
