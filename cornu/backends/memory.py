"""What engines that compute on the host do with its memory."""

import ctypes
import functools
import os
import platform
import sys
import time


def keep():
    """Have glibc keep freed memory, else a step's temporaries go back to the system and are faulted in again page by page, each step.

    `CORNU_KEEP_MEMORY=0` leaves it as it is.
    """
    if not _kept():
        return
    M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8
    glibc = _glibc()
    for parameter, value in (M_MMAP_MAX, 0), (M_ARENA_MAX, 1), (M_TRIM_THRESHOLD, 2**31 - 1):
        glibc.mallopt(parameter, value)


_SLACK = 2**26  # bytes
_SELDOM = 0.5  # seconds between two looks
_most = 0  # bytes that the process held when memory was last given back
_next = 0.0  # when to look again


def settle(anew=False):
    """Give the system what lies free among the memory that is kept: where the process has come to hold more than ever, and when asked.

    A compiler leaves hundreds of megabytes behind, and the block of a step's temporaries may find its old place taken in part, and move on: what
    is free there would stay for good. In the steps that follow nothing grows, and nothing is given back.
    """
    global _most, _next
    if not _kept() or (not anew and time.monotonic() < _next):
        return
    _next = time.monotonic() + _SELDOM
    with open("/proc/self/statm", encoding="ascii") as file:
        held = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    if anew or held > _most + _SLACK:
        _most = max(_most, held)
        _glibc().malloc_trim(0)


@functools.cache
def _kept():
    return os.environ.get("CORNU_KEEP_MEMORY") != "0" and sys.platform == "linux" and platform.libc_ver()[0] == "glibc"


@functools.cache
def _glibc():
    return ctypes.CDLL(None)
