"""Import torchvision even where its compiled operators do not match this build of torch.

`segment_anything` imports torchvision, for an image resize in plain Python and for `nms`. With a
CPU build of torch and the torchvision of PyPI the compiled operators do not load, and the import
ends in "operator torchvision::nms does not exist" although nothing here calls them.
"""

import sys
from typing import Any

import torch

_declared: list[Any] = []  # keeps the library alive: dropping it would undefine the operators


def ensure_torchvision() -> None:
    """Make `import torchvision` work; does nothing where it works already.

    Where the compiled operators are missing, `nms` and `qnms` are declared without a body: calling
    them still raises, which only SAM's automatic mask generator (never used here) would do.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        _declare_operators()
        import torchvision  # noqa: F401


def is_active() -> bool:
    """Whether the operators had to be declared here."""
    return bool(_declared)


def _declare_operators() -> None:
    new_library: Any = torch.library.Library  # torch leaves it untyped
    library = new_library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.append(library)
    for module in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[module]  # half-imported modules of the failed attempt
