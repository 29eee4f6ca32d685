"""An image as SAM sees it: its grey values, cut along one axis or several."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from samssl_cli.generalists.sam_axes import cuts, pixel_aspect
from samssl_cli.generalists.sam_embedding import Memory, Pictures
from samssl_cli.generalists.sam_mosaic import Mosaic
from samssl_cli.generalists.sam_options import SamOptions
from samssl_cli.generalists.sam_predictor import SlicePredictor
from samssl_cli.generalists.sam_slices import Slicing
from samssl_cli.generalists.sam_view import View
from samssl_cli.generalists.sam_window import Ends, grey
from samssl_cli.prompts.types import Prompt
from samssl_cli.volumes.grid import Spacing


class SeenImage:
    """An image, and the views of it that were needed so far."""

    def __init__(
        self,
        channels: NDArray[np.float32],
        spacing_mm: Spacing,
        options: SamOptions,
        predictor: SlicePredictor,
        memory: Memory | None,
    ) -> None:
        """Keep the channels (1 or 3, I, J, K) that make the picture; nothing is encoded yet."""
        self._channels = channels
        self._spacing_mm = spacing_mm
        self._options = options
        self._predictor = predictor
        self._memory = memory
        self._ends: list[Ends] = []
        self._views: list[View] = []
        self._encoded_before = 0

    @property
    def num_encoded(self) -> int:
        """How many pictures were encoded so far."""
        return self._encoded_before + sum(view.pictures.num_encoded for view in self._views)

    def views(self, prompts: Sequence[Prompt]) -> list[View]:
        """The views to ask about an object, of which all prompts speak.

        They are the same for all objects, with the features that were computed for them, unless the
        window depends on the object; then those of the last window alone are kept.
        """
        if self._options.window != "around" and self._views:
            return self._views
        rule = self._options.intensities
        ends = [rule.ends(channel, prompts) for channel in self._channels]
        if ends != self._ends:
            self._encoded_before = self.num_encoded
            self._ends, self._views = ends, self._drawn(ends)
        return self._views

    def _drawn(self, ends: Sequence[Ends]) -> list[View]:
        greys = [grey(one, pair) for one, pair in zip(self._channels, ends, strict=True)]
        shape, limit = self._channels.shape[1:], self._options.max_anisotropy
        found = cuts(self._options.axis, shape, self._spacing_mm, max_anisotropy=limit)
        return [self._view(cut, greys) for cut in found]

    def _view(self, cut: Slicing, greys: Sequence[NDArray[np.uint8]]) -> View:
        mosaic = Mosaic.of(cut, self._options.mosaic)
        slices = np.stack([cut.pictures(channel) for channel in greys], axis=-1)  # (N, H, W, C)
        predictor = self._predictor.of_pixels(pixel_aspect(cut, self._spacing_mm))
        return View(
            cut, mosaic, Pictures(mosaic.stitch(slices), predictor, self._memory), predictor
        )
