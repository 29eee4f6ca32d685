"""Steps of a mean teacher by samssl, beside the plain loop that reads its patches from files.

Network, patch, batch, optimiser, schedule and losses are the same on both sides. The plain loop is
the one of the published codes: a data set that reads a whole file for each patch, a loader with a
worker, float32. It reads h5 files as UA-MT and SSL4MIS do, or NIfTI files through MONAI's
transforms; the loader is made once and its worker stays, which is kinder to it than a new one for
each epoch. It crops and flips; samssl warps patches and changes their intensities besides.

Both take their first two steps on the same given patches. The losses of these are compared: the
second one comes out the same only if the first step was.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.suite import Entry, Pair

SHAPE = (120, 96, 48)
PATCH = (64, 64, 32)
NUM_LABELED, NUM_UNLABELED = 1, 2
"""Patches of a step, as in recipe `quick`."""
NUM_CASES = 8
GIVEN_STEPS, STEPS = 2, 8
"""The steps on given patches, and all of them."""
RATE, MOMENTUM, DECAY = 0.1, 0.9, 1e-4
"""Ten times the published rate, so that one step shows in the loss of the next."""
CONSISTENCY, EMA_DECAY = 0.1, 0.99

Image = NDArray[np.float32]
Label = NDArray[np.uint8]
Feed = Iterator[Mapping[str, Any]]


@dataclass(frozen=True)
class Given:
    """The patches that both sides begin with."""

    labeled: Tensor
    """(NUM_LABELED, 1, *PATCH)."""
    label: Tensor
    """(NUM_LABELED, *PATCH) int64."""
    unlabeled: Tensor
    """(NUM_UNLABELED, 1, *PATCH)."""


def pairs() -> Iterator[Pair]:
    """One for each kind of file; ours is the same in both."""
    volumes = [_volume(seed) for seed in range(NUM_CASES)]
    given = _given(volumes)
    ours = partial(_by_samssl, volumes, given)
    for title, feed in (("h5 files", _from_h5), ("NIfTI files, MONAI", _from_nifti)):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(TemporaryDirectory()))
            patches = feed(folder, volumes)
            theirs = partial(_by_hand, patches, given)
            yield Pair(title, ours, theirs, largest_difference, tolerance=0.02)
            del patches, theirs  # and with them the loader's worker


def largest_difference(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Of the losses of the given steps, relative to theirs."""
    return max(abs(us - them) / them for us, them in zip(ours, theirs, strict=True))


def _volume(seed: int) -> tuple[Image, Label]:
    """Noise with a brighter ball in it."""
    rng = np.random.default_rng(seed)
    places = np.indices(SHAPE) - np.array(SHAPE).reshape(3, 1, 1, 1) * rng.uniform(0.4, 0.6)
    label = (np.square(places).sum(axis=0) < 18**2).astype(np.uint8)
    image = rng.normal(size=SHAPE).astype(np.float32) + 2 * label
    return image.astype(np.float32), label


def _given(volumes: Sequence[tuple[Image, Label]]) -> Given:
    """The middles of the first volumes."""
    part = tuple(slice((n - m) // 2, (n + m) // 2) for n, m in zip(SHAPE, PATCH, strict=True))
    images = torch.from_numpy(np.stack([image[part] for image, _ in volumes]))[:, None]
    label = torch.from_numpy(volumes[0][1][part].astype(np.int64))[None]
    last = NUM_LABELED + NUM_UNLABELED
    return Given(images[:NUM_LABELED], label, images[NUM_LABELED:last])


@cache
def _first_network() -> nn.Module:
    """The network of `quick` with batch normalisation, as a mean teacher has it."""
    from samssl_cli.networks import build_network
    from samssl_cli.recipe import read_recipe

    torch.manual_seed(0)
    options = read_recipe("quick").network.model_copy(update={"norm": "batch"})
    network: nn.Module = build_network(options, in_channels=1, num_classes=2)
    return network


def _new_network() -> nn.Module:
    from copy import deepcopy

    return deepcopy(_first_network())


# samssl


def _by_samssl(volumes: Sequence[tuple[Image, Label]], given: Given) -> list[float]:
    """The losses of the first steps of `STEPS`."""
    from samssl_cli.methods.mean_teacher import MeanTeacher
    from samssl_cli.progress import Silent
    from samssl_cli.recipe import Training, read_recipe
    from samssl_cli.training.batches import LabeledVolume, PatchStreams, UnlabeledVolume
    from samssl_cli.training.loop import Hooks, fit

    options = Training(
        steps=STEPS,
        optimizer="sgd",
        learning_rate=RATE,
        momentum=MOMENTUM,
        weight_decay=DECAY,
        schedule="poly",
        patch_size=PATCH,
        labeled_batch=NUM_LABELED,
        unlabeled_batch=NUM_UNLABELED,
        cpu_bfloat16=True,
    )
    images = [(image[None].astype(np.float16), label) for image, label in volumes]
    device = torch.device("cpu")
    streams = PatchStreams(
        [LabeledVolume(image, label) for image, label in images[:NUM_LABELED]],
        [UnlabeledVolume(image) for image, _ in images[NUM_LABELED:]],
        options=options,
        augmentation=read_recipe("quick").augmentation,
        seed=0,
        device=device,
    )
    table = {"consistency_weight": CONSISTENCY, "ema_decay": EMA_DECAY}
    method = MeanTeacher(_new_network(), table, steps=STEPS)
    final = fit(
        method,
        _Beginning(streams, given),
        options=options,
        seed=0,
        device=device,
        resume=None,
        hooks=Hooks(save=_kept, is_stopping=_never, progress=Silent()),
    )
    return [float(loss) for loss in final.curves["supervised"][:GIVEN_STEPS]]


@dataclass(frozen=True)
class _Beginning:
    """The given patches, and then those of the streams."""

    streams: Any
    given: Given

    def batch(self, step: int) -> Any:
        """The batch of a step."""
        from samssl_cli.methods.method import Batch

        if step >= GIVEN_STEPS:
            return self.streams.batch(step)
        unlabeled = self.given.unlabeled
        return Batch(self.given.labeled, self.given.label, unlabeled, unlabeled, None)


def _kept(_snapshot: object) -> None:
    """Nothing is written on either side."""


def _never() -> bool:
    return False


# The plain loop


def _by_hand(patches: Feed, given: Given) -> list[float]:
    """The losses of the first steps of `STEPS`: a mean teacher as it is written everywhere.

    Source: Tarvainen & Valpola, NeurIPS 2017; Yu et al., MICCAI 2019.
    """
    student = _new_network().train()
    teacher = _new_network().train().requires_grad_(False)
    optimizer = torch.optim.SGD(
        student.parameters(), lr=RATE, momentum=MOMENTUM, weight_decay=DECAY
    )
    losses = []
    for step in range(STEPS):
        labeled, label, unlabeled = _patches_of(step, patches, given)
        logits = student(torch.cat([labeled, unlabeled]))
        with torch.no_grad():
            noise = (torch.randn_like(unlabeled) * 0.1).clamp(-0.2, 0.2)
            target = teacher(unlabeled + noise).softmax(1)
        supervised = _dice_and_cross_entropy(logits[: len(labeled)], label)
        consistency = (logits[len(labeled) :].softmax(1) - target).square().mean()
        weight = CONSISTENCY * float(np.exp(-5 * (1 - step / STEPS) ** 2))
        optimizer.zero_grad()
        (supervised + weight * consistency).backward()
        optimizer.step()
        decay = min(1 - 1 / (step + 1), EMA_DECAY)
        with torch.no_grad():
            for mean, new in zip(teacher.parameters(), student.parameters(), strict=True):
                mean.mul_(decay).add_(new, alpha=1 - decay)
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - (step + 1) / STEPS) ** 0.9
        if step < GIVEN_STEPS:
            losses.append(supervised.item())
    return losses


def _patches_of(step: int, patches: Feed, given: Given) -> tuple[Tensor, Tensor, Tensor]:
    if step < GIVEN_STEPS:
        return given.labeled, given.label, given.unlabeled
    batch = next(patches)
    image = torch.as_tensor(batch["image"]).float()
    label = torch.as_tensor(batch["label"])[:NUM_LABELED, 0].long()
    return image[:NUM_LABELED], label, image[NUM_LABELED:]


def _dice_and_cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    foreground, truth = logits.softmax(1)[:, 1], (label == 1).float()
    overlap = 2 * (foreground * truth).sum() / (foreground + truth).sum()
    return functional.cross_entropy(logits, label) + 1 - overlap


class _H5Patches(torch.utils.data.Dataset[Mapping[str, Tensor]]):
    """A whole file for each patch; crops and flips."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> Mapping[str, Tensor]:
        import h5py

        with h5py.File(self._files[index], "r") as file:
            image, label = file["image"][:], file["label"][:]
        low = [int(torch.randint(n - m + 1, ())) for n, m in zip(SHAPE, PATCH, strict=True)]
        part = tuple(slice(a, a + m) for a, m in zip(low, PATCH, strict=True))
        axis = int(torch.randint(3, ()))
        image, label = (np.flip(one[part], axis).copy()[None] for one in (image, label))
        return {"image": torch.from_numpy(image), "label": torch.from_numpy(label)}


def _from_h5(folder: Path, volumes: Sequence[tuple[Image, Label]]) -> Feed:
    """As in the release of UA-MT: gzip, image and label in one file."""
    import h5py

    files = [folder / f"{index}.h5" for index in range(len(volumes))]
    for path, (image, label) in zip(files, volumes, strict=True):
        with h5py.File(path, "w") as file:
            file.create_dataset("image", data=image, compression="gzip")
            file.create_dataset("label", data=label, compression="gzip")
    return _endless(_H5Patches(files))


def _from_nifti(folder: Path, volumes: Sequence[tuple[Image, Label]]) -> Feed:
    """As in MONAI's tutorials, without its cache."""
    import nibabel as nib
    from monai.data.dataset import Dataset
    from monai.transforms.compose import Compose
    from monai.transforms.croppad.dictionary import RandSpatialCropd
    from monai.transforms.intensity.dictionary import NormalizeIntensityd
    from monai.transforms.io.dictionary import LoadImaged
    from monai.transforms.spatial.dictionary import RandFlipd
    from monai.transforms.utility.dictionary import EnsureChannelFirstd

    keys, records = ("image", "label"), []
    for index, volume in enumerate(volumes):
        records.append({key: str(folder / f"{key}-{index}.nii.gz") for key in keys})
        for key, values in zip(keys, volume, strict=True):
            nib.save(nib.Nifti1Image(values, np.eye(4)), records[-1][key])
    change = Compose(
        [
            LoadImaged(keys),
            EnsureChannelFirstd(keys),
            NormalizeIntensityd("image"),
            RandSpatialCropd(keys, roi_size=PATCH, random_size=False),
            RandFlipd(keys, prob=0.5, spatial_axis=0),
        ]
    )
    return _endless(Dataset(records, change))


def _endless(patches: torch.utils.data.Dataset[Any]) -> Feed:
    """Batches of labeled patches, then unlabeled ones, from one worker that stays."""
    loader = torch.utils.data.DataLoader(
        patches, batch_sampler=_TwoStreams(), num_workers=1, persistent_workers=True
    )
    return iter(loader)


class _TwoStreams(torch.utils.data.Sampler[list[int]]):
    """Without an end: labeled cases first, unlabeled ones after them."""

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng(0)
        while True:
            labeled = rng.integers(NUM_LABELED, size=NUM_LABELED)
            unlabeled = rng.integers(NUM_LABELED, NUM_CASES, size=NUM_UNLABELED)
            yield [int(index) for index in (*labeled, *unlabeled)]


ENTRY = Entry(
    name="training",
    summary=f"{STEPS} steps of a mean teacher, beside the plain loop that reads files",
    pairs=pairs,
    needs={"monai": "monai", "h5py": "h5py", "nibabel": "nibabel"},
    repeats=5,
)
