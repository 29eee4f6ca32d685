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
measured before is kept as long as the file is the same, byte for byte.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from samssl_cli.artifacts.manifest import file_digest
from samssl_cli.errors import DataError
from samssl_cli.stages.prediction_folder import (
    SUMMARY_SCHEMA,
    PredictionFolder,
    as_text,
    read_json,
)
from samssl_cli.volumes import nifti
from samssl_cli.volumes.datasets.dataset import RawCase
from samssl_cli.volumes.whole_file import write_whole

Record = Mapping[str, Any]

_MEASURED = frozenset({"label_map", "label_map_sha256", "shape", "spacing_mm", "found"})
_KEYS = _MEASURED | {"case", "images"}


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
    images = {name: record["images"] for name, record in known.items()}
    images |= {case.name: [str(path) for path in case.images] for case in cases}
    records, problems = [], []
    for name in sorted(images):
        label = folder.path / f"{name}.nii.gz"
        if not label.exists():
            continue
        try:
            measured = _measured(label, class_names, known.get(name), max_bytes=max_bytes)
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
    whole = (one for one in records if isinstance(one, dict) and one.keys() == _KEYS)
    return {record["case"]: record for record in whole}


def _measured(
    label_map: Path, class_names: Sequence[str], known: Record | None, *, max_bytes: int
) -> Record:
    """What is in a label map, read again only when the file is not the one that was measured."""
    digest = file_digest(label_map)
    if known is not None and known["label_map_sha256"] == digest:
        return {key: known[key] for key in known if key in _MEASURED}
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


def _rounded(values: Iterable[float]) -> list[float]:
    """Headers are float32: 0.7 mm comes as 0.699999988."""
    return [round(value, 6) for value in values]
