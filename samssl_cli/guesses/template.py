"""The labeled volumes as templates: laid over the image, their labels carried with them."""

from collections.abc import Mapping, Sequence
from typing import Any

from samssl_cli.guesses.types import Encoder, Guess
from samssl_cli.recipe import validate
from samssl_cli.registration.propagation import Propagation, PropagationOptions
from samssl_cli.volumes.grid import Spacing
from samssl_cli.volumes.labeled_image import LabeledImage
from samssl_cli.volumes.voxels import Image


class Template:
    """Register the labeled volumes to an image, and let their labels vote: see `Propagation`."""

    class Options(PropagationOptions):
        """Options of `template`."""

    def __init__(self, propagation: Propagation) -> None:
        """Take what carries the labels."""
        self._propagation = propagation

    @classmethod
    def build(
        cls,
        options: Mapping[str, Any],
        *,
        labeled: Sequence[LabeledImage],
        num_classes: int,
        encoder: Encoder | None = None,
    ) -> "Template":
        """Keep the labeled cases; `encoder` is not needed.

        Raises:
            RecipeError: when an option is unknown or out of range.
            UsageError: when the images do not have the channel that the options ask for.
        """
        chosen = validate(cls.Options, options, where="first_guess.options.template")
        return cls(Propagation(chosen, labeled=labeled, num_classes=num_classes))

    def guess(self, image: Image, spacing_mm: Spacing) -> Guess:
        """Carry all labels over to an image (C, I, J, K), and count their votes."""
        return Guess(*self._propagation.onto(image, spacing_mm))
