"""Memory for large tensors is not asked from the system again and again."""

import subprocess
import sys

import pytest

REUSE = """
import platform, resource, sys
import numpy as np
from samssl_cli.stages.allocator import keep_freed_memory

if sys.argv[1] == "kept":
    assert keep_freed_memory()

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def use():
    np.ones(2**24)  # 128 MiB, written to and freed

use()
before = faults()
for _ in range(5):
    use()
print(faults() - before)
"""


def page_faults(how: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", REUSE, how], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
def test_a_large_tensor_takes_the_memory_of_the_last_one():
    by_default, kept = page_faults("default"), page_faults("kept")
    assert kept < by_default / 10, (kept, by_default)
