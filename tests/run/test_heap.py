"""What a process frees it gets again without the system."""

from __future__ import annotations

import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
from eisenergy.run import heap
if "keep" in sys.argv:
    assert heap.keep()
for turn in range(21):
    if turn == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [bytearray(4_000_000) for _ in range(8)]
    del blocks
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator of Linux's C library")
def test_memory_that_was_freed_is_used_again_without_asking_for_it() -> None:
    def faults(*words: str) -> int:
        return int(subprocess.run([sys.executable, "-c", FAULTS, *words], capture_output=True, check=True).stdout)

    once = 8 * 4_000_000 // 4096
    assert faults() > 10 * once, "what is large is given back every time"
    assert faults("keep") < once
