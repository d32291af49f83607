"""Where engines keep compiled programs from run to run: a folder of one user, of bounded size, without half-written files.

`CORNU_COMPILATION_CACHE=0` keeps nothing. `CORNU_CACHE` names another folder, by default `cornu` in `XDG_CACHE_HOME` or `~/.cache`;
`CORNU_CACHE_MEGABYTES` is the limit, by default 2048: what was longest not used goes first.
"""

import hashlib
import os
import platform
import time
import zlib

_LIMIT = 2048  # megabytes
_LEAST = 2**18  # bytes that an entry counts for at least: programs of one op are small and many, and each start looks at all
_YOUNG = 60  # seconds: another process may still be writing such a file
_STAMP = "checked"  # the file whose age says which entries were there at the last check


def folder(engine):
    """The folder for programs of `engine` (a name with its version) on this kind of processor, made ready; None where nothing is to be kept.

    Raises:
        ValueError: the limit in the environment is no whole number.
    """
    if os.environ.get("CORNU_COMPILATION_CACHE") == "0":
        return None
    limit = _limit()
    root = os.environ.get("CORNU_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "cornu")
    programs = os.path.join(root, "programs")
    path = os.path.join(programs, f"{engine}-{_machine()}")
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        if not os.access(path, os.W_OK) or (hasattr(os, "getuid") and os.stat(path).st_uid != os.getuid()):
            return None  # a program of another user is code of another user
        tidy(programs, limit << 20)
    except OSError:
        return None
    return path


def _limit():
    text = os.environ.get("CORNU_CACHE_MEGABYTES") or str(_LIMIT)
    if not text.strip().isdigit():
        raise ValueError(f"CORNU_CACHE_MEGABYTES: wanted a whole number of megabytes in the environment; got {text!r}.")
    return int(text)


def _machine():
    """A name for the kind of processor, since programs are made for one."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            processor = next((line for line in file if line.startswith(("flags", "Features"))), "")
    except OSError:
        processor = platform.processor()
    return hashlib.sha256(f"{platform.platform()} {processor}".encode()).hexdigest()[:12]


def tidy(root, limit):
    """Take away entries under `root` that a killed process left half-written, and the longest unused ones while there are more than `limit` bytes."""
    stamp, now = os.path.join(root, _STAMP), time.time()
    try:
        checked = os.stat(stamp).st_mtime
    except OSError:
        checked = 0.0
    if all(os.stat(place).st_mtime <= checked for place, _, _ in os.walk(root)):
        return  # nothing came since: of thousands of entries none is looked at
    entries = []
    for path, status in _files(root):
        if checked <= status.st_mtime < now - _YOUNG and not _whole(path):
            _remove(path)
        elif path != stamp:
            entries.append((max(status.st_atime, status.st_mtime), max(status.st_size, _LEAST), path))
    size = sum(bytes for _, bytes, _ in entries)
    if size > limit:
        for _, bytes, path in sorted(entries):
            _remove(path)
            size -= bytes
            if size <= 0.8 * limit:
                break
    with open(stamp, "a"):
        os.utime(stamp, (now, now - _YOUNG))


def _files(root):
    with os.scandir(root) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            elif entry.is_file(follow_symlinks=False):
                yield entry.path, entry.stat(follow_symlinks=False)


def _whole(path):
    """Whether a file in zlib's form, which JAX gives its entries, is all there; others count as whole, but for empty ones."""
    with open(path, "rb") as file:
        if file.read(1) != b"\x78":
            return os.path.getsize(path) > 0
        file.seek(0)
        reader = zlib.decompressobj()
        try:
            while block := file.read(1 << 20):
                while block:
                    reader.decompress(block, 1 << 22)
                    block = reader.unconsumed_tail
        except zlib.error:
            return False
        return reader.eof


def _remove(path):
    try:
        os.unlink(path)
    except OSError:  # another process was first
        pass
