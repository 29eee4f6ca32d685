from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from samssl_cli.methods.method import Batch, PseudoLabel
from samssl_cli.networks import build_network
from samssl_cli.recipe import Network


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


class ConstantLogits(nn.Module):
    """The same logits in every voxel, whatever the image."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, image: Tensor) -> Tensor:
        return self.logits.view(1, -1, 1, 1, 1).expand(len(image), -1, *image.shape[2:])


class ImageAsLogits(nn.Module):
    """The image's channels, times a gain of 1, are the logits."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, image: Tensor) -> Tensor:
        return self.gain * image


@pytest.fixture
def constant() -> type[ConstantLogits]:
    return ConstantLogits


@pytest.fixture
def image_as_logits() -> ImageAsLogits:
    return ImageAsLogits()


@pytest.fixture
def quarter() -> ConstantLogits:
    """A network that says (1/4, 3/4) everywhere: its logits are (0, ln 3)."""
    return ConstantLogits(0.0, 1.0986123)


@pytest.fixture
def make_batch() -> Callable[..., Batch]:
    """One labeled patch of two voxels of class 1, and `unlabeled` (B_u, C, I, J, K)."""

    def make(
        unlabeled: Tensor | None = None,
        *,
        plain: Tensor | None = None,
        pseudo: PseudoLabel | None = None,
    ) -> Batch:
        unlabeled = torch.zeros(1, 1, 1, 1, 2) if unlabeled is None else unlabeled
        labeled = torch.zeros(1, unlabeled.shape[1], 1, 1, 2)
        label = torch.ones(1, 1, 1, 2, dtype=torch.int64)
        return Batch(labeled, label, unlabeled, unlabeled if plain is None else plain, pseudo)

    return make


@pytest.fixture
def make_unet() -> Callable[..., nn.Module]:
    """A tiny network that can be taken apart, of three levels: patches are multiples of 4."""

    def make(*, num_classes: int = 3, seed: int = 0) -> nn.Module:
        torch.manual_seed(seed)
        small = Network(channels=(2, 3, 4), norm="batch")
        return build_network(small, in_channels=1, num_classes=num_classes)

    return make


@pytest.fixture
def make_patches() -> Callable[..., Batch]:
    """One labeled patch (8, 4, 4) of classes 0 and 1 alone, of three, and `num` unlabeled ones."""

    def make(num: int = 2, *, has_pseudo: bool = False) -> Batch:
        draw = torch.Generator().manual_seed(0)
        label = torch.zeros(1, 8, 4, 4, dtype=torch.int64)
        label[:, 2:6, 1:3, 1:3] = 1
        image = torch.randn(1, 1, 8, 4, 4, generator=draw) + label[:, None]
        unlabeled = torch.randn(num, 1, 8, 4, 4, generator=draw)
        pseudo = None
        if has_pseudo:
            probability = torch.randn(num, 3, 8, 4, 4, generator=draw).softmax(dim=1)
            pseudo = PseudoLabel(probability, torch.full((num, 8, 4, 4), 0.5))
        return Batch(image, label, unlabeled, unlabeled - 0.1, pseudo)

    return make
