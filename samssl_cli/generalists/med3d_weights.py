"""Load the weights of SAM-Med3D, as its authors publish them."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch

from samssl_cli.generalists.checkpoint_file import PUBLISHED_MED3D, WeightsFacts
from samssl_cli.generalists.med3d_architecture import Architecture, Med3d
from samssl_cli.generalists.state_dict import check_state_dict, read_state_dict


def load_med3d(path: Path, *, device: str, architecture: Architecture | None = None) -> Med3d:
    """Load a SAM-Med3D, frozen and in evaluation mode, in single precision.

    Args:
        path: the weights. The published file is a training state: the optimiser, the curves and
            the command line lie in it too, and are read and left aside.
        device: where the model is put.
        architecture: the published one by default.

    Raises:
        WeightsError: when the file is missing, damaged, unsafe, not finite, or of another model.
    """
    weights = read_state_dict(path, published=PUBLISHED_MED3D, harmless=harmless_types())
    with torch.device("meta"):  # no random start
        model = Med3d(architecture or Architecture())
    check_state_dict(
        weights,
        model.state_dict(),
        path,
        model="SAM-Med3D",
        cure=f"expected {PUBLISHED_MED3D}",
    )
    model.load_state_dict(weights, strict=True, assign=True)
    return model.requires_grad_(False).eval().to(device)


def identify_med3d(path: Path) -> WeightsFacts:
    """Load a weights file as `sam-med3d` would, and count what is in it.

    Raises:
        WeightsError: as `load_med3d` does.
    """
    weights = load_med3d(path, device="cpu").state_dict()
    return WeightsFacts(
        model="SAM-Med3D or SAM-Med3D-turbo",
        num_tensors=len(weights),
        num_parameters=sum(value.numel() for value in weights.values()),
    )


def harmless_types() -> list[Any]:
    """What lies in the published file besides tensors, numbers and text.

    A command line (a namespace of plain values) and losses (numpy's numbers). To build either is to
    set attributes or to copy bytes: nothing in the file is called. Files that were written with
    numpy 1 name its functions by their old address.
    """
    scalar = np.float64(0).__reduce__()[0]
    return [
        argparse.Namespace,
        scalar,
        (scalar, "numpy.core.multiarray.scalar"),
        np.dtype,
        *(type(np.dtype(name)) for name in ("float64", "float32", "int64", "bool")),
    ]
