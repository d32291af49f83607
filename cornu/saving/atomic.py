"""A file is replaced as a whole or not at all."""

import contextlib
import os
import secrets


@contextlib.contextmanager
def replacing(path):
    """A path beside `path` to write to; at the end of the `with` it takes the place of `path`, on the disk and not only in memory.

    Whatever goes wrong, what was at `path` is intact and the file beside it is gone.

    Raises:
        OSError: it cannot be written; the message names the file.
    """
    path = os.path.abspath(path)
    folder, name = os.path.split(path)
    if os.path.isdir(path):
        raise IsADirectoryError(f"Cannot save to {path}: it is a folder.")
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"Cannot save to {path}: the folder {folder} does not exist.")
    beside = os.path.join(folder, f".{name[:100]}.{secrets.token_hex(4)}.part")
    try:
        with open(beside, "xb"):
            pass
        yield beside
        _flush(beside)
        with contextlib.suppress(FileNotFoundError):
            os.chmod(beside, os.stat(path).st_mode & 0o777)
        os.replace(beside, path)
    except OSError as error:
        raise _named(error, path) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(beside)
    with contextlib.suppress(OSError):  # not every file system lets a folder be opened
        _flush(folder)


def _flush(path):
    handle = os.open(path, os.O_RDONLY if os.path.isdir(path) or os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _named(error, path):
    message = f"Cannot save to {path}: {error.strerror or error}. What was there before is unchanged."
    return type(error)(error.errno, message) if error.errno is not None else OSError(message)
