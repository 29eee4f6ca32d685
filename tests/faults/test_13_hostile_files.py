"""Row 13. A file that declares more than it is costs neither time nor memory."""

import json
import os
import subprocess
import sys

PROGRAM = """
import gzip, json, os, resource, sys, time
from pathlib import Path

import nibabel as nib
import numpy as np

from samssl_cli.errors import DataError
from samssl_cli.volumes.nifti import read_label, read_volume

folder = Path(sys.argv[1])


def header(shape, dtype=np.float32):
    made = nib.Nifti1Header()
    made.set_data_dtype(dtype)
    made["dim"] = [len(shape), *shape, *[1] * (7 - len(shape))]
    made["pixdim"][1:4] = 1
    made["magic"], made["vox_offset"], made["sform_code"] = b"n+1", 352, 1
    made["srow_x"][0] = made["srow_y"][1] = made["srow_z"][2] = 1
    return made.binaryblock + bytes(4)


def zipped(name, content):
    (folder / name).write_bytes(gzip.compress(content))


zipped("header bomb.nii.gz", header((32767, 32767, 32767)))
(folder / "header bomb.nii").write_bytes(header((32767, 32767, 32767)))
zipped("within the limit.nii.gz", header((900, 900, 900)))  # 2.9 GB declared, nothing there
with gzip.open(folder / "gz bomb.nii.gz", "wb") as stream:
    stream.write(header((1024, 1024, 1024)))
    for _ in range(200):
        stream.write(bytes(1_000_000))
zipped("4-D.nii.gz", header((8, 8, 8, 5, 3)) + bytes(8**3 * 60))
rgb = nib.Nifti1Image(np.zeros((2, 2, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")]), np.eye(4))
nib.save(rgb, folder / "RGB.nii.gz")
(folder / "text.nii.gz").write_text("not a volume " * 99)
(folder / "0 bytes.nii.gz").touch()
(folder / "loop.nii.gz").symlink_to(folder / "pool.nii.gz")
(folder / "pool.nii.gz").symlink_to(folder / "loop.nii.gz")
os.mkfifo(folder / "pipe.nii.gz")

found = {}
num_pages = int(Path("/proc/self/statm").read_text().split()[0])
room = 500_000_000 + num_pages * os.sysconf("SC_PAGE_SIZE")  # beside what the imports took
resource.setrlimit(resource.RLIMIT_AS, (room, room))
for path in sorted(folder.iterdir()):
    for read in (read_volume, read_label):
        started = time.process_time()
        try:
            read(path, max_bytes=4_000_000_000)
            told = "nothing"
        except DataError as error:
            told = str(error)
        found[f"{read.__name__} {path.name}"] = told, time.process_time() - started
status = Path("/proc/self/status").read_text()  # ru_maxrss begins with that of the parent
peak_mb = int(status.partition("VmHWM:")[2].split()[0]) / 1024
print(json.dumps({"found": found, "rss_mb": peak_mb}))
"""

TOLD = {
    "header bomb.nii.gz": "the limit is 4 GB",
    "header bomb.nii": "the limit is 4 GB",
    "within the limit.nii.gz": "",
    "gz bomb.nii.gz": "the limit is 4 GB",
    "4-D.nii.gz": "expected 3-D",
    "RGB.nii.gz": "expected plain numbers",
    "text.nii.gz": "not readable as NIfTI",
    "0 bytes.nii.gz": "empty (0 bytes)",
    "loop.nii.gz": "not readable as NIfTI",
    "pool.nii.gz": "not readable as NIfTI",
    "pipe.nii.gz": "is no file",
}


def test_row_13_no_file_takes_time_or_memory(tmp_path):
    """Every file is refused within a second of work and 500 MB, by a limit on the process."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, tmp_path],
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["rss_mb"] < 500
    assert len(answer["found"]) == 2 * len(TOLD)
    for name, (told, duration_s) in answer["found"].items():
        path = name.partition(" ")[2]
        assert TOLD[path] in told, name
        assert told.startswith(str(tmp_path / path)), name
        assert duration_s < 1, name
