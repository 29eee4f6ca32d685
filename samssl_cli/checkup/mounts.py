"""What kind of file system a path lies on."""

import re
from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")

NETWORK = (
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "lustre", "gpfs", "beegfs", "ceph"),
    *("fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "panfs", "pvfs2", "orangefs", "virtiofs"),
)
"""File systems that several machines may share."""

TEMPORARY = ("tmpfs", "ramfs", "overlay")
"""File systems that end with the machine or the container."""


def file_system(path: Path) -> str:
    """The type of the file system that holds an existing path; empty where no Linux tells it."""
    try:
        lines = MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    mounts = [mount for line in lines if (mount := _mount(line))]
    above = [mount for mount in mounts if path.resolve().is_relative_to(mount[0])]
    # Of two mounts at one point, the later one hides the other.
    deepest = max((len(point.parts) for point, _ in above), default=0)
    kinds = [kind for point, kind in above if len(point.parts) == deepest]
    return kinds[-1] if kinds else ""


def _mount(line: str) -> tuple[Path, str] | None:
    """Mount point and type of one line: "36 35 98:0 / /point rw shared:1 - ext4 /dev/sda"."""
    known, _, rest = line.partition(" - ")
    fields, kinds = known.split(" "), rest.split(" ")
    if len(fields) < 5 or not kinds[0]:
        return None
    return Path(re.sub(r"\\([0-7]{3})", _character, fields[4])), kinds[0]


def _character(match: re.Match[str]) -> str:
    return chr(int(match[1], 8))  # a blank is written \040
