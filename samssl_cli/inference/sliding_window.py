"""Predict a whole volume with windows of the size that the network was trained on.

A network trained on patches over-segments when it is run on a whole volume at once: the same
weights gave 61 Dice on whole volumes and 73 with windows of the training size (Left Atrium at half
resolution, one label). The window is therefore not a choice of the user.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from samssl_cli.errors import DeviceError
from samssl_cli.networks.monai_parts import sliding_window_inference
from samssl_cli.recipe import Inference
from samssl_cli.volumes.voxels import times

_MIRRORINGS = ((1,), (2,), (3,), (1, 2), (1, 3), (2, 3), (1, 2, 3))  # axes of (C, I, J, K)


def predict_probability(
    network: Callable[[Tensor], Tensor],
    image: NDArray[np.floating],
    *,
    patch_size: tuple[int, int, int],
    options: Inference,
    device: torch.device,
) -> NDArray[np.float32]:
    """Give the class probabilities of a volume, blended with Gaussian weights over the windows.

    With `options.flips` it is the mean over the volume mirrored along every set of axes, so that
    the prediction of a mirrored volume is the mirrored prediction.

    Args:
        network: (B, C, *patch_size) to logits (B, classes, *patch_size).
        image: (C, I, J, K), preprocessed; sides smaller than the patch are padded with 0.
        patch_size: the training's.
        options: overlap and batch of the windows, and whether volumes are mirrored.
        device: where the windows are computed; the result is collected on the CPU.

    Returns:
        (classes, I, J, K) in 0-1, summing to 1 over the classes.

    Raises:
        DeviceError: when not even one window fits into the memory of the device.
    """
    volume = torch.from_numpy(np.ascontiguousarray(image, np.float32))  # (C, I, J, K)
    mirrorings = _MIRRORINGS if options.flips else ()
    predictor = _Predictor(network)
    with torch.inference_mode():
        total = _slide(predictor, volume, patch_size, options, device)
        for axes in mirrorings:
            mirrored = _slide(predictor, volume.flip(axes), patch_size, options, device)
            total += mirrored.flip(axes)
        mean: NDArray[np.float32] = (total / (1 + len(mirrorings))).numpy()
    return mean


class _Predictor:
    """A network that takes fewer windows at a time once the memory was too small for more.

    The result is the same, but for dropout that is switched on: its draws follow the batches.

    Windows of nothing but air, one value per channel, are predicted once. CT that was clipped and
    brains without their skulls have some, where windows are small beside the image.
    """

    def __init__(self, network: Callable[[Tensor], Tensor]) -> None:
        self._network = network
        self._most: int | None = None
        self._is_random = isinstance(network, nn.Module) and any(
            module.training for module in network.modules()
        )
        self._air: tuple[float, ...] | None = None
        self._in_air: Tensor | None = None
        """What it predicted for windows of that air (classes, *patch_size)."""

    def __call__(self, windows: Tensor) -> Tensor:
        """The class probabilities (B, classes, *patch_size) of windows (B, C, *patch_size)."""
        values = [None if self._is_random else _only_values(window) for window in windows]
        self._look_up_air(windows, values)
        wanted = [index for index, found in enumerate(values) if not self._is_known(found)]
        if len(wanted) == len(windows):
            return self._predicted(windows)
        assert self._in_air is not None
        probability = self._in_air.repeat(len(windows), 1, 1, 1, 1)
        if wanted:
            probability[wanted] = self._predicted(windows[wanted])
        return probability

    def _look_up_air(self, windows: Tensor, values: Sequence[tuple[float, ...] | None]) -> None:
        """Predict the first window of air; one of another air takes its place."""
        for window, found in zip(windows, values, strict=True):
            if found is not None and not self._is_known(found):
                self._air, self._in_air = found, self._predicted(window[None])[0]
                return

    def _is_known(self, values: tuple[float, ...] | None) -> bool:
        return values is not None and values == self._air

    def _predicted(self, windows: Tensor) -> Tensor:
        probability = self._attempt(windows)
        while probability is None:
            self._halve(windows)
            probability = self._attempt(windows)
        return probability

    def _attempt(self, windows: Tensor) -> Tensor | None:
        """None when the memory did not suffice; what the failed pass held is free by then."""
        parts = torch.split(windows, self._most or len(windows))
        try:
            return torch.cat([self._network(part).float().softmax(1) for part in parts])
        except torch.OutOfMemoryError:
            return None

    def _halve(self, windows: Tensor) -> None:
        before = min(self._most or len(windows), len(windows))
        if before == 1:
            raise DeviceError(
                f"one window of {times(windows.shape[2:])} voxels needs more memory than "
                f"{windows.device} has free; end what else runs there, use --device cpu, or train "
                "with a smaller patch_size (the window is that of the training)"
            )
        self._most = before // 2
        if windows.is_cuda:
            torch.cuda.empty_cache()


def _only_values(window: Tensor) -> tuple[float, ...] | None:
    """The one value of each channel of (C, *patch_size); None when a channel has more."""
    first = window.flatten(1)[:, 0]
    if not bool((window == first[:, None, None, None]).all()):
        return None
    return tuple(first.tolist())


def _slide(
    predictor: Callable[[Tensor], Tensor],
    volume: Tensor,
    patch_size: tuple[int, int, int],
    options: Inference,
    device: torch.device,
) -> Tensor:
    """The class probabilities (classes, I, J, K) of one volume (C, I, J, K)."""
    probability = sliding_window_inference(
        volume[None],
        roi_size=patch_size,
        sw_batch_size=options.window_batch,
        predictor=predictor,
        overlap=options.overlap,
        mode="gaussian",
        sw_device=device,
        device=torch.device("cpu"),
    )
    assert isinstance(probability, Tensor)
    return probability[0]
