"""Fetching a file into the cache: downloaded whole or not at all, checked by its hash, unpacked inside its folder."""

import hashlib
import os
import shutil
import stat
import sys
import tarfile
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path, PurePosixPath

from cornu import settings
from cornu.serialization import CorruptFileError, UnsafeFileError

MAX_RATIO = 200  # unpacked bytes for a byte of the archive; a gzip of zeros reaches 1,000
FREE_BYTES = 1 << 26  # what any archive may unpack to, whatever its ratio
MAX_MEMBERS = 2_000_000
TIMEOUT = 60  # seconds without an answer
_CHUNK = 1 << 18


def get_file(
    fname=None,
    origin=None,
    untar=False,
    md5_hash=None,
    file_hash=None,
    cache_subdir="datasets",
    hash_algorithm="auto",
    extract=False,
    archive_format="auto",
    cache_dir=None,
    force_download=False,
):
    """Path of a file in the cache, downloaded from `origin` unless it is there already.

    Args:
        fname: name of the file, without folders. None takes it from `origin`.
        origin: URL of the file.
        untar: old way to say `extract=True, archive_format="tar"`.
        md5_hash: old way to give `file_hash`.
        file_hash: hexadecimal SHA-256 (64 characters) or MD5 (32) of the file.
        cache_subdir: folder under `cache_dir`; an absolute path stands for itself.
        hash_algorithm: "auto" (by the length of `file_hash`), "sha256" or "md5".
        extract: whether to unpack the file, an archive.
        archive_format: "auto" (tar or zip, by content), "tar", "zip", a list of these, or None (unpack nothing).
        cache_dir: the cache; None means `KERAS_HOME`, else `~/.keras`.
        force_download: whether to fetch it again in any case.

    Returns:
        Path of the file, or of the folder of what was unpacked: `name_extracted` for an archive `name.tar.gz`; for a name without
        an ending, that name, and the archive lies beside it as `name_archive`.

    Raises:
        ValueError: a path in `fname`, no `origin`, or a hash that differs.
        ConnectionError: it is not in the cache and cannot be downloaded; the message says which file to put where.
        UnsafeFileError: the archive holds links, devices, names that leave the folder, or far more than its size.
    """
    if not origin:
        raise ValueError("get_file: give `origin`, the URL of the file.")
    name = str(fname) if fname else PurePosixPath(urllib.parse.urlsplit(origin).path).name
    if not name:
        raise ValueError(f"get_file: no file name can be read from origin={origin!r}; give `fname`.")
    if name in (".", "..") or "/" in name or "\\" in name:
        raise ValueError(f"get_file: fname is a name without folders (the folder is cache_dir/cache_subdir); got {name!r}.")
    if untar:
        extract, archive_format = True, "tar"
    if file_hash is None and md5_hash is not None:
        file_hash, hash_algorithm = md5_hash, "md5"
    folder = Path(os.path.expanduser(cache_dir or settings.home()), cache_subdir)
    archive, unpacked = _places(folder, name) if extract else (folder / name, None)

    fresh = force_download or not _is_cached(archive, file_hash, hash_algorithm)
    if fresh:
        _fetch(origin, archive, file_hash, hash_algorithm)
    if unpacked is None:
        return str(archive)
    if fresh or not unpacked.exists():
        _unpack(archive, unpacked, archive_format)
    return str(unpacked)


def _places(folder, name):
    """Where an archive lies and where its contents go."""
    stem = name
    for ending in (".tar.gz", ".tar.bz2", ".tar.xz", ".tgz", ".tbz", ".tar", ".zip"):
        if name.lower().endswith(ending):
            stem = name[: -len(ending)]
            break
    return (folder / name, folder / f"{stem}_extracted") if stem != name else (folder / f"{name}_archive", folder / name)


def _is_cached(path, file_hash, algorithm):
    if not path.is_file():
        return False
    if file_hash is None or hash_of(path, _algorithm(file_hash, algorithm)) == file_hash.lower():
        return True
    _tell(f"{path} is in the cache, but its {_algorithm(file_hash, algorithm)} hash is not the expected {file_hash}; downloading it again.")
    return False


def _algorithm(file_hash, algorithm):
    if algorithm in ("md5", "sha256"):
        return algorithm
    if algorithm != "auto":
        raise ValueError(f'get_file: hash_algorithm is "auto", "sha256" or "md5"; got {algorithm!r}.')
    return "sha256" if len(file_hash) == 64 else "md5"


def hash_of(path, algorithm="sha256"):
    """Hexadecimal hash of a file's bytes: "sha256" or "md5"."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def _tell(line):
    if settings.get("interactive_logging"):
        print(line, flush=True)


def _fetch(origin, path, file_hash, algorithm):
    """Download into a temporary file beside `path`; it takes that name only when it is whole and its hash is right."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=path.name + ".", suffix=".part", dir=path.parent)
    except OSError as error:
        raise OSError(
            error.errno, f"get_file: {path.parent} cannot be written to ({error.strerror}); set KERAS_HOME to a folder that can", str(path.parent)
        ) from error
    try:
        with os.fdopen(handle, "wb") as out:
            _download(origin, out, path)
            out.flush()
            os.fsync(out.fileno())
        if file_hash is not None:
            algorithm = _algorithm(file_hash, algorithm)
            got = hash_of(part, algorithm)
            if got != file_hash.lower():
                raise ValueError(
                    f"get_file: {origin} came with the {algorithm} hash {got}, wanted {file_hash}. The file was incomplete or another one, and was not kept."
                )
        os.chmod(part, 0o644)
        os.replace(part, path)
    finally:
        if os.path.exists(part):
            os.unlink(part)


def _download(origin, out, path):
    _tell(f"Downloading data from {origin}")
    try:
        with urllib.request.urlopen(origin, timeout=TIMEOUT) as answer:
            length = answer.headers.get("Content-Length")
            total = int(length) if length and length.isdigit() else None
            got = 0
            with _bar(path.name, total) as advance:
                while block := answer.read(_CHUNK):
                    out.write(block)
                    got += len(block)
                    advance(len(block))
            if total is not None and got != total:
                raise ConnectionError(f"the connection ended after {got:,} of {total:,} bytes")
    except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
        reason = getattr(error, "reason", None) or error
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise ConnectionError(
            f"{path.name} is not in the cache and could not be downloaded: {reason}.\n"
            f"Without a network: fetch\n    {origin}\non another machine and put it here:\n    {path}"
        ) from None


class _bar:
    """A progress bar where there is a terminal to draw it on, and nothing elsewhere."""

    def __init__(self, name, total):
        self.bar = None
        if sys.stdout.isatty() and settings.get("interactive_logging"):
            from rich import progress

            columns = (progress.BarColumn(), progress.DownloadColumn(), progress.TransferSpeedColumn(), progress.TimeRemainingColumn())
            self.bar = progress.Progress("{task.description}", *columns)
            self.task = self.bar.add_task(name, total=total)

    def __enter__(self):
        if self.bar is None:
            return lambda count: None
        self.bar.start()
        return lambda count: self.bar.advance(self.task, count)

    def __exit__(self, *_):
        if self.bar is not None:
            self.bar.stop()


def _unpack(archive, folder, archive_format):
    """Unpack into a temporary folder beside `folder`, which it replaces when everything is out."""
    formats = ("tar", "zip") if archive_format == "auto" else (archive_format,) if isinstance(archive_format, str) else tuple(archive_format or ())
    unknown = set(formats) - {"tar", "zip"}
    if unknown:
        raise ValueError(f'get_file: archive_format is "auto", "tar", "zip", a list of these or None; got {archive_format!r}.')
    if not formats:
        return
    kinds = {"tar": (tarfile.is_tarfile, _tar_members), "zip": (zipfile.is_zipfile, _zip_members)}
    members = next((kinds[name][1] for name in formats if kinds[name][0](archive)), None)
    if members is None:
        raise CorruptFileError(f"{archive} is no archive of format {' or '.join(formats)}.")
    temporary = Path(tempfile.mkdtemp(prefix=folder.name + ".", suffix=".part", dir=folder.parent))
    try:
        _write_members(members(archive), temporary, archive)
        os.chmod(temporary, 0o755)
        if folder.is_dir():
            shutil.rmtree(folder)
        os.replace(temporary, folder)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, RuntimeError) as error:
        raise CorruptFileError(f"{archive} cannot be unpacked: {error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _tar_members(path):
    """(name, what it is, an open stream) of each member."""
    with tarfile.open(path) as file:
        for member in file:
            kind = "folder" if member.isdir() else "file" if member.isreg() and not member.issparse() else "link or device"
            yield member.name, kind, file.extractfile(member) if kind == "file" else None


def _zip_members(path):
    with zipfile.ZipFile(path) as file:
        for member in file.infolist():
            mode = stat.S_IFMT(member.external_attr >> 16)
            kind = "folder" if member.is_dir() else "file" if mode in (0, stat.S_IFREG) else "link or device"
            yield member.filename, kind, file.open(member) if kind == "file" else None


def _write_members(members, folder, archive):
    left = max(FREE_BYTES, MAX_RATIO * archive.stat().st_size)
    for count, (name, kind, stream) in enumerate(members, 1):
        parts = PurePosixPath(name).parts
        if kind == "link or device":
            raise UnsafeFileError(f"{archive}: member {name!r} is a link or a device; only files and folders are unpacked.")
        if name.startswith("/") or ".." in parts or any(character in name for character in "\\:\0"):
            raise UnsafeFileError(f"{archive}: the name of member {name!r} leads out of the folder.")
        if count > MAX_MEMBERS:
            raise UnsafeFileError(f"{archive}: more than {MAX_MEMBERS:,} members.")
        target = folder.joinpath(*parts)
        if kind == "folder":
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        with stream, open(target, "wb") as out:
            while block := stream.read(_CHUNK):
                left -= len(block)
                if left < 0:
                    raise UnsafeFileError(f"{archive}: unpacks to more than {MAX_RATIO} times its size; stopped at member {name!r}.")
                out.write(block)
