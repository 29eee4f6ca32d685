"""What can be said about a weights file without torch: that it is there, and its hash."""

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from samssl_cli.errors import WeightsError

PUBLISHED = (
    "sam_vit_b_01ec64.pth, sam_vit_l_0b3195.pth or sam_vit_h_4b8939.pth "
    "(github.com/facebookresearch/segment-anything) or medsam_vit_b.pth "
    "(github.com/bowang-lab/MedSAM)"
)
"""The files that `sam` is made for."""

PUBLISHED_MED3D = (
    "sam_med3d_turbo.pth or sam_med3d.pth (github.com/uni-medical/SAM-Med3D, "
    "huggingface.co/blueyo0/SAM-Med3D)"
)
"""The files that `sam-med3d` is made for."""

PUBLISHED_SAM2 = (
    "sam2.1_hiera_tiny.pt, _small.pt, _base_plus.pt or _large.pt "
    "(github.com/facebookresearch/sam2), MedSAM2_latest.pt (huggingface.co/wanglab/MedSAM2), or a "
    "folder with config.json and model.safetensors as transformers saves a Sam2VideoModel"
)
"""What `sam2` is made for."""


@dataclass(frozen=True)
class WeightsFacts:
    """What a weights file turned out to be, once it was loaded."""

    model: str
    num_tensors: int
    num_parameters: int


def require_weights(path: Path) -> None:
    """Check that there is a weights file to read.

    Raises:
        WeightsError: when the file is missing, is a folder, or is empty.
    """
    if not path.exists():
        raise WeightsError(f"weights {path}: there is no such file; check --checkpoint")
    if not path.is_file():
        raise WeightsError(f"weights {path}: this is not a file; name the .pth file inside it")
    if path.stat().st_size == 0:
        raise WeightsError(f"weights {path}: the file is empty; download it again")


def sha256_of_weights(path: Path) -> str:
    """The SHA-256 of a weights file, as 64 hexadecimal digits.

    Raises:
        WeightsError: when the file is missing, is a folder, is empty or cannot be read.
    """
    return digest_of_weights(path, "sha256")


def digest_of_weights(path: Path, algorithm: Literal["sha256", "md5"]) -> str:
    """A digest of a weights file in hexadecimal; MD5 only to compare with what authors publish.

    Raises:
        WeightsError: when the file is missing, is a folder, is empty or cannot be read.
    """
    require_weights(path)
    new = partial(hashlib.new, algorithm, usedforsecurity=False)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, new).hexdigest()
    except OSError as error:
        raise WeightsError(f"weights {path}: cannot be read: {error.strerror}") from error
