"""The curves for TensorBoard, for those who like to watch; the artifact has them in any case."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from samssl_cli.errors import UsageError
from samssl_cli.volumes.whole_file import writing

OnStep = Callable[[int, Mapping[str, float]], None]


@contextmanager
def curve_writer(directory: Path | None) -> Iterator[OnStep]:
    """Give a function that logs the loss terms of a step; it does nothing without a directory.

    Raises:
        UsageError: when a directory is given and tensorboard is not installed.
        ArtifactError: when it cannot be written, as on a full disk.
    """
    if directory is None:
        yield lambda step, losses: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError(
            "--tensorboard needs tensorboard; install it with: pip install tensorboard"
        ) from error
    with writing(directory):
        writer = SummaryWriter(str(directory))
    try:
        yield lambda step, losses: _write(directory, writer, step, losses)
    finally:
        with writing(directory):
            writer.close()


def _write(directory: Path, writer: Any, step: int, losses: Mapping[str, float]) -> None:
    with writing(directory):
        for name, value in losses.items():
            writer.add_scalar(f"loss/{name}", value, step)
