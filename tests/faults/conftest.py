"""A disk of a few kilobytes, copies of artifacts to be harmed, and a stop at a known place."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from samssl_cli.errors import Interrupted
from samssl_cli.stages.signals import StopRequest


@dataclass(frozen=True)
class SmallDisk:
    """A file system of its own, which a ballast fills."""

    path: Path

    @property
    def ballast(self) -> Path:
        return self.path / "ballast"

    def leave_free(self, num_bytes: int) -> None:
        """Fill it up to this; a page holds 4096 bytes."""
        self.ballast.unlink(missing_ok=True)
        free = shutil.disk_usage(self.path).free
        self.ballast.write_bytes(bytes(max(0, free - num_bytes)))

    def remount(self, how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", self.path], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """4 MB that can be filled and made read-only."""
    path = tmp_path / "small disk"
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(path)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("needs root, and the right to mount")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", path], check=True)


@pytest.fixture
def copied(loop, tmp_path: Path) -> Callable[..., Path]:
    """Copy artifacts of the loop into a folder, to be harmed there; the folder."""

    def copy(*names: str) -> Path:
        for name in names:
            shutil.copytree(loop.path(name), tmp_path / f"{name}.zarr")
        return tmp_path

    return copy


@pytest.fixture
def stop_after() -> Callable[[int], AbstractContextManager[None]]:
    """Let a stage stop as after SIGUSR1, when it has looked for a signal so many times in vain."""

    @contextmanager
    def stopped(num_looks: int) -> Iterator[None]:
        looks = iter([None] * num_looks)

        def is_set(self: StopRequest) -> bool:
            self.signum = self.signum or next(looks, 10)
            return self.signum is not None

        def raise_if_set(self: StopRequest) -> None:
            if is_set(self):
                raise Interrupted(10)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(StopRequest, "is_set", property(is_set))
            patch.setattr(StopRequest, "raise_if_set", raise_if_set)
            with pytest.raises(Interrupted):
                yield

    return stopped
