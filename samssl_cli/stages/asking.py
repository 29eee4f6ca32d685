"""Prompts are placed and the generalist is asked: what prompt, sam-label and evaluate share.

Nothing here opens an artifact, and nothing here can name a held-out mask: `evaluate` hands in the
probabilities of a network, or for its upper bound those of a reference.
"""

import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from samssl_cli.errors import UsageError
from samssl_cli.generalists import GENERALISTS
from samssl_cli.prompts import STRATEGIES
from samssl_cli.recipe import Prompt, SamLabel
from samssl_cli.registry import check_name, load

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from samssl_cli.artifacts.generalist import GeneralistWeights
    from samssl_cli.generalists.combine import Answer
    from samssl_cli.generalists.embedding_cache import EmbeddingCache
    from samssl_cli.generalists.fuse import Fused
    from samssl_cli.generalists.types import Generalist
    from samssl_cli.prompts.types import ObjectPrompts
    from samssl_cli.stages.labeled_images import Shown
    from samssl_cli.stages.specialist import Specialist
    from samssl_cli.stages.which_generalist import Which
    from samssl_cli.volumes.grid import Index, Spacing

    Predicted = tuple[NDArray[np.float32], NDArray[np.float32]]


def seed_of_case(seed: int, name: str) -> int:
    """The seed of one case, whatever the order in which cases are done."""
    return zlib.crc32(f"{seed}/{name}".encode())


def predict_with_uncertainty(
    specialist: "Specialist",
    image: "NDArray[np.float16]",
    options: Prompt,
    *,
    shape: "Index | None" = None,
    seed: int,
) -> "Predicted":
    """The class probabilities (classes, I, J, K) and the uncertainty (I, J, K) of one image.

    Args:
        specialist: who predicts.
        image: (C, I, J, K), preprocessed.
        options: where the uncertainty comes from.
        shape: of the grid on which the specialist predicts; None for that of the image.
        seed: of what is random in the uncertainty.
    """
    import numpy as np

    from samssl_cli.inference.grid import from_grid, to_grid
    from samssl_cli.inference.uncertainty import normalised_entropy, stochastic_probability

    probability = specialist.predict(image, shape=shape)
    if options.uncertainty == "entropy":
        return probability, normalised_entropy(probability)
    i, j, k = image.shape[1:]
    mean = stochastic_probability(
        specialist.predict,
        specialist.network,
        to_grid(image, shape).astype(np.float32),
        num_passes=options.num_passes,
        noise_std=options.input_noise_std,
        seed=seed,
    )
    return probability, normalised_entropy(from_grid(mean, (i, j, k)))


def check_strategies(options: Prompt) -> None:
    """Raise a `UsageError` for a prompt strategy that does not exist."""
    for name in options.strategies:
        check_name(STRATEGIES, name, kind="strategy")


def place_prompts(
    probability: "NDArray[np.float32]",
    uncertainty: "NDArray[np.float32]",
    options: Prompt,
    *,
    seed: int,
) -> "tuple[ObjectPrompts, ...]":
    """Prompt every object of one prediction with the strategies of the recipe."""
    import numpy as np

    from samssl_cli.prompts.build import build_prompts

    strategies = [load(STRATEGIES, name, kind="strategy") for name in options.strategies]
    rng = np.random.default_rng(seed)
    return build_prompts(probability, uncertainty, options, rng, strategies)


def generalist_record(which: "Which", digest: Mapping[str, str]) -> dict[str, Any]:
    """What an artifact says of the generalist behind it, as JSON values.

    `register` is its name in the exposure register: MedSAM is Segment Anything, trained further,
    and the options say which of the two it is. An adapted one is still known by what it was adapted
    from, and says in `adapted` what it learned since.
    """
    options, own = which.recipe.sam_label.chosen_options, which.own
    trainings = GENERALISTS[which.name].trainings
    record = {
        "name": which.name,
        "register": trainings.name(options) if trainings else which.name,
        "weights_sha256": digest.get("weights"),
    }
    if own is None or own.adapted is None:
        return record
    return {
        **record,
        "weights_sha256": own.adapted["from_sha256"],
        "adapted": {**own.adapted, "fingerprint": own.fingerprint},
    }


def load_generalist(
    which: "Which",
    device: str,
    *,
    digest: Mapping[str, str],
    embeddings: "EmbeddingCache | None",
    shown: "Callable[[], Shown] | None" = None,
) -> "Generalist":
    """Build the generalist of the recipe with its weights, on a device.

    Args:
        which: which generalist, with its options and weights.
        device: as `--device` names it.
        digest: of the weights, from `digest_of`.
        embeddings: where to look embeddings up; for a generalist that has none worth keeping, it
            changes nothing.
        shown: gives the labeled cases, for a generalist that looks at them; None: there are none at
            hand.

    Raises:
        UsageError: when it looks at labeled cases, and there are none.
        WeightsError: when the weights cannot be used.
    """
    from samssl_cli.generalists.types import Remembering
    from samssl_cli.stages.device import pick_device

    part, place = load(GENERALISTS, which.name, kind="generalist"), pick_device(device)
    options, own = which.recipe.sam_label.chosen_options, which.own
    generalist: Generalist
    if GENERALISTS[which.name].needs_labeled:
        given = {"checkpoint": which.file, "device": str(place), **vars(_shown(which, shown))}
        generalist = part.build(options, **given)
    elif own is not None and own.base_sha256 is None:
        generalist = part.unfilled(options, device=str(place))
    else:
        generalist = part.build(options, checkpoint=which.file, device=str(place))
    weights_sha256 = digest.get("weights", "")
    if own is not None:
        _put_own(generalist, own)
        weights_sha256 += f" {own.content}"
    if embeddings is not None and isinstance(generalist, Remembering):
        generalist.remember_in(
            embeddings, weights_sha256=weights_sha256, device=_kind_and_name(place)
        )
    return generalist


def _shown(which: "Which", shown: "Callable[[], Shown] | None") -> "Shown":
    if shown is None:
        raise UsageError(
            f"generalist {which.name} looks at the labeled cases, and none are at hand here; take "
            "another --generalist"
        )
    return shown()


def _put_own(generalist: "Generalist", own: "GeneralistWeights") -> None:
    from samssl_cli.generalists.types import Adaptable

    if not isinstance(generalist, Adaptable):
        raise UsageError(f"generalist {own.name} cannot take the weights {own.path}")
    generalist.take_weights(own.tensors(), path=own.path)


def _kind_and_name(device: "torch.device") -> str:
    from samssl_cli.stages.device import describe_hardware

    hardware = describe_hardware(device)
    return f"{hardware['device']} {hardware['name']}"


def embed_once(
    generalists: "Sequence[Generalist]", image: "NDArray[np.float16]", spacing_mm: "Spacing"
) -> Callable[[], list[Any]]:
    """Give what encodes an image with every generalist when it is first called, and never again."""
    import numpy as np

    @cache
    def embed() -> list[Any]:
        whole = image.astype(np.float32)
        return [generalist.embed(whole, spacing_mm) for generalist in generalists]

    return embed


def hear(
    generalists: "Sequence[Generalist]",
    embed: Callable[[], list[Any]],
    objects: "Sequence[ObjectPrompts]",
) -> "Iterator[tuple[ObjectPrompts, list[Fused]]]":
    """Ask every generalist about every object; `embed` is called only when there is one."""
    from samssl_cli.generalists.fuse import fuse

    for prompted in objects:
        pairs = zip(generalists, embed(), strict=True)
        yield prompted, [fuse(one.segment(embedding, prompted.sets)) for one, embedding in pairs]


def ask(
    generalists: "Sequence[Generalist]",
    embed: Callable[[], list[Any]],
    objects: "Sequence[ObjectPrompts]",
    options: SamLabel,
) -> "list[Answer]":
    """Ask about every object of a case, and judge what all generalists together say."""
    from samssl_cli.generalists.blend import blend
    from samssl_cli.generalists.combine import judge

    return [
        judge(prompted, blend(answers, prompted.mask), options)
        for prompted, answers in hear(generalists, embed, objects)
    ]


def answer_record(answer: "Answer") -> dict[str, Any]:
    """What `pseudo.zarr` keeps of one answer, as JSON values."""
    iou = answer.fused.predicted_iou
    return {
        "class_index": answer.prompts.class_index,
        "component": answer.prompts.component,
        "num_voxels": answer.prompts.num_voxels,
        "predicted_iou": None if math.isnan(iou) else round(iou, 6),
        "agreement": round(answer.agreement, 6),
        "disagreement": round(float(answer.fused.disagreement[answer.prompts.mask].mean()), 6),
        "is_accepted": answer.is_accepted,
    }
