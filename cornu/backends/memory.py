"""What engines that compute on the host do with its memory."""

import ctypes
import os
import platform
import sys


def keep():
    """Have glibc keep freed memory, else a step's temporaries go back to the system and are faulted in again page by page, each step.

    `CORNU_KEEP_MEMORY=0` leaves it as it is.
    """
    if os.environ.get("CORNU_KEEP_MEMORY") == "0" or sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return
    M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8
    glibc = ctypes.CDLL(None)
    for parameter, value in (M_MMAP_MAX, 0), (M_ARENA_MAX, 1), (M_TRIM_THRESHOLD, 2**31 - 1):
        glibc.mallopt(parameter, value)
