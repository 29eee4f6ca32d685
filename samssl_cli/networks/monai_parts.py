"""The parts of MONAI that samssl is built on, imported without most of what MONAI imports besides.

`import monai` imports all of MONAI, and with it whatever it finds installed of some twenty other
packages. transformers alone, which brings half of torch's compiler along, takes 2 s and 100 MB of
every process. Nothing here uses them through MONAI, so it does not find them.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_BESIDES = ("ignite", "matplotlib", "pandas", "skimage", "sklearn", "tensorboard", "transformers")


@contextmanager
def _hidden(*packages: str) -> Iterator[None]:
    """Let these packages seem not to be installed, unless they were imported already."""
    hidden = [name for name in packages if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # documented: importing it fails
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with _hidden(*_BESIDES):
    from monai.inferers.utils import sliding_window_inference
    from monai.networks.blocks.convolutions import Convolution
    from monai.networks.layers.simplelayers import GaussianFilter
    from monai.networks.nets import vnet as vnet_blocks
    from monai.networks.nets.segresnet import SegResNet
    from monai.networks.nets.unet import UNet

__all__ = [
    "Convolution",
    "GaussianFilter",
    "SegResNet",
    "UNet",
    "sliding_window_inference",
    "vnet_blocks",
]
