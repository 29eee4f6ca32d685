"""Prompts are placed and the generalist is asked: what prompt, sam-label and evaluate share.

Nothing here opens an artifact, and nothing here can name a held-out mask: `evaluate` hands in the
probabilities of a network, or for its upper bound those of a reference.
"""

import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samssl_cli.artifacts.manifest import METADATA
from samssl_cli.errors import UsageError
from samssl_cli.generalists import GENERALISTS
from samssl_cli.generalists.checkpoint_file import sha256_of_weights
from samssl_cli.generalists.model_folder import sha256_of_folder
from samssl_cli.generalists.published import find_weights, weights_folder
from samssl_cli.progress import Progress
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
    from samssl_cli.stages.specialist import Specialist
    from samssl_cli.volumes.grid import Spacing

    Predicted = tuple[NDArray[np.float32], NDArray[np.float32]]


def seed_of_case(seed: int, name: str) -> int:
    """The seed of one case, whatever the order in which cases are done."""
    return zlib.crc32(f"{seed}/{name}".encode())


def predict_with_uncertainty(
    specialist: "Specialist", image: "NDArray[np.float16]", options: Prompt, *, seed: int
) -> "Predicted":
    """The class probabilities (classes, I, J, K) and the uncertainty (I, J, K) of one image."""
    import numpy as np

    from samssl_cli.inference.uncertainty import normalised_entropy, stochastic_probability

    probability = specialist.predict(image)
    if options.uncertainty == "entropy":
        return probability, normalised_entropy(probability)
    mean = stochastic_probability(
        specialist.predict,
        specialist.network,
        image.astype(np.float32),
        num_passes=options.num_passes,
        noise_std=options.input_noise_std,
        seed=seed,
    )
    return probability, normalised_entropy(mean)


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


def choose_weights(options: SamLabel, weights: Path | None, progress: Progress) -> Path | None:
    """The weights file that was named, or else the one in the weights folder that fits.

    Raises:
        UsageError: when the generalist is unknown, or the folder holds several that fit.
    """
    (name,) = options.generalists
    check_name(GENERALISTS, name, kind="generalist")
    if weights is not None or not GENERALISTS[name].needs_checkpoint:
        return weights
    found = find_weights(name, options.chosen_options)
    if found is not None:
        progress.note(f"taking the weights {found}; --checkpoint names others")
    return found


def weights_digest(generalist: str, weights: Path | None) -> dict[str, str]:
    """The sha256 of the weights, as one more input; nothing for a generalist without weights.

    That of a folder covers its config and its tensors, that of a `generalist.zarr` is its
    fingerprint.

    Raises:
        UsageError: when the generalist is unknown, or has weights and gets none, or the reverse,
            or gets those of another.
        WeightsError: when the file cannot be read.
    """
    check_name(GENERALISTS, generalist, kind="generalist")
    entry = GENERALISTS[generalist]
    weights = weights or entry.shipped
    if weights is None and entry.needs_checkpoint:
        raise UsageError(
            f"generalist {generalist} needs its weights: --checkpoint {entry.published}; "
            f"or put the file into {weights_folder()}, see `samssl weights list`"
        )
    if weights is None:
        return {}
    if not entry.needs_checkpoint and entry.shipped is None:
        raise UsageError(f"generalist {generalist} has no weights; leave out --checkpoint")
    if is_artifact(weights):
        return {"weights": _own_weights(generalist, weights).fingerprint}
    if entry.takes_folder and weights.is_dir():
        return {"weights": sha256_of_folder(weights)}
    return {"weights": sha256_of_weights(weights)}


def is_artifact(weights: Path) -> bool:
    """Whether these weights are a `generalist.zarr`, and no file and no folder of transformers."""
    return (weights / METADATA).is_file()


def _own_weights(generalist: str, path: Path) -> "GeneralistWeights":
    from samssl_cli.artifacts.generalist import GeneralistWeights

    found = GeneralistWeights(path)
    if found.name != generalist:
        raise UsageError(
            f"{path} holds weights of generalist {found.name}, and {generalist} was asked for; "
            f"use --generalist {found.name}"
        )
    return found


def generalist_record(options: SamLabel, digest: Mapping[str, str]) -> dict[str, Any]:
    """What an artifact says of the generalist behind it, as JSON values.

    `register` is its name in the exposure register: MedSAM is Segment Anything, trained further,
    and the options say which of the two it is.
    """
    (name,) = options.generalists
    trainings = GENERALISTS[name].trainings
    return {
        "name": name,
        "register": trainings.name(options.chosen_options) if trainings else name,
        "weights_sha256": digest.get("weights"),
    }


def load_generalist(
    options: SamLabel,
    weights: Path | None,
    device: str,
    *,
    digest: Mapping[str, str],
    embeddings: "EmbeddingCache | None",
) -> "Generalist":
    """Build the generalist of the recipe with its weights, on a device.

    Args:
        options: which generalist, and its options.
        weights: its file or folder, when it has weights.
        device: as `--device` names it.
        digest: of the weights, from `weights_digest`.
        embeddings: where to look embeddings up; for a generalist that has none worth keeping, it
            changes nothing.
    """
    from samssl_cli.generalists.types import Adaptable, Remembering
    from samssl_cli.stages.device import pick_device

    (name,) = options.generalists
    build, place = load(GENERALISTS, name, kind="generalist").build, pick_device(device)
    own = None if weights is None or not is_artifact(weights) else weights
    generalist: Generalist = build(
        options.chosen_options, checkpoint=None if own else weights, device=str(place)
    )
    if own is not None and isinstance(generalist, Adaptable):
        generalist.take_weights(_own_weights(name, own).tensors(), path=own)
    if embeddings is not None and isinstance(generalist, Remembering):
        generalist.remember_in(
            embeddings, weights_sha256=digest.get("weights", ""), device=_kind_and_name(place)
        )
    return generalist


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
