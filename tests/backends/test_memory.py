"""Memory that is kept for the next step, and given back where it will not be used again."""

import os
import subprocess
import sys

import pytest

_CODE = """
import os, numpy as np
from cornu.backends import memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") >> 20

memory.keep()
held = [np.ones(2**20) for _ in range(24)]  # 8 MiB each
pinned = held[1::2]  # what stays lies between what goes
before = resident()
del held
kept = resident()
memory.settle()      # more than ever: given back
settled = resident()
block = np.ones(2**22)
del block
memory._next = 0.0
memory.settle()      # not more than before: kept
print(before, kept, settled, resident())
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs /proc")
@pytest.mark.parametrize("switch", ["1", "0"])
def test_kept_and_given_back(switch):
    ran = subprocess.run([sys.executable, "-c", _CODE], env=os.environ | {"CORNU_KEEP_MEMORY": switch}, capture_output=True, text=True, timeout=60, check=True)
    before, kept, settled, after = map(int, ran.stdout.split())
    if switch == "0":
        assert kept < before - 80  # the system's own way: large blocks go back at once
        return
    if kept < before - 80:
        pytest.skip("the C library is not glibc")
    assert settled < before - 80
    assert after >= settled + 20  # the block of 32 MiB stays for the next one
