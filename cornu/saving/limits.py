"""What a file may make us do: nothing that it did not pay for. Checked before any of its data is read."""

import contextlib
import json
import os
import zipfile

from cornu.serialization import CorruptFileError, UnsafeFileError

MAX_TEXT = 256 << 20  # characters of a config
MAX_DEPTH = 500  # levels of a config
MAX_OBJECTS = 1_000_000  # groups and data sets of an HDF5 file
MAX_MEMBERS = 100_000  # of an archive
MAX_RATIO = 100  # by which compressed data may grow ...
FREE = 8 << 20  # ... beyond so many bytes
_LARGEST = {  # fields for which something is computed when the object is made -> the largest number taken from a file
    "num_thresholds": 100_000,
    "indices_or_sections": 100_000,
    "num": 100_000,
    "fft_length": 1 << 17,
    "frame_length": 1 << 17,
    "num_mel_bins": 1 << 12,
}
_FILTERS = {1, 2, 3, 32000}  # deflate, shuffle, fletcher32, lzf: those that h5py brings along


class MismatchError(ValueError):
    """The weights of a file and those of a model do not fit."""


@contextlib.contextmanager
def reading(path, into_a_model=False):
    """Whatever goes wrong inside is a typed error that names the file.

    Args:
        path: the file.
        into_a_model: whether it is read into a model that was there before, so that either may be the wrong one.

    Raises:
        CorruptFileError, UnsafeFileError: with the file, the place and the reason.
        ValueError: the weights do not fit the model.
        OSError: the file cannot be opened.
    """
    try:
        yield
    except (CorruptFileError, UnsafeFileError) as error:
        if str(path) in str(error):
            raise
        raise type(error)(f"{path}: {error}") from error.__cause__
    except MismatchError as error:
        raise (ValueError if into_a_model else CorruptFileError)(f"{path}: {error}") from error
    except (FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except RecursionError:
        raise CorruptFileError(f"{path}: it nests too deep.") from None
    except Exception as error:  # a file can be wrong in every way that there is
        raise CorruptFileError(f"{path}: {type(error).__name__}: {error}") from error


def opened(path):
    """Check that `path` is a file that can be read, and give its size in bytes."""
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a folder; wanted a file.")
    with open(path, "rb") as file:
        return os.fstat(file.fileno()).st_size


def parsed(text, place):
    """The JSON in `text`.

    Raises:
        CorruptFileError: it is none, too long or too deep.
        UnsafeFileError: a number in it would make its object huge.
    """
    if len(text) > MAX_TEXT:
        raise CorruptFileError(f"{place} has {len(text):,} characters; at most {MAX_TEXT:,} are read.")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CorruptFileError(f"{place} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise CorruptFileError(f"{place} must be a JSON object; it is {type(found).__name__}.")
    level, depth = [found], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise CorruptFileError(f"{place} nests deeper than {MAX_DEPTH} levels.")
        for part in level:
            for key in _LARGEST.keys() & part.keys() if isinstance(part, dict) else ():
                if isinstance(part[key], (int, float)) and part[key] > _LARGEST[key]:
                    raise UnsafeFileError(f"{place}: {key} is {part[key]}; at most {_LARGEST[key]:,} is taken from a file.")
        level = [item for part in level for item in (part.values() if isinstance(part, dict) else part) if isinstance(item, (dict, list))]
    return found


# -- archives -----------------------------------------------------------------------------------------------------------------------------


def check_archive(archive):
    """Refuse a zip that is not what it says.

    Raises:
        CorruptFileError, UnsafeFileError
    """
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise UnsafeFileError(f"the archive has {len(members):,} members; at most {MAX_MEMBERS:,} are read.")
    names = set()
    for member in members:
        if member.filename in names:
            raise CorruptFileError(f"two members of the archive are named {member.filename!r}.")
        names.add(member.filename)
        if member.flag_bits & 1:
            raise CorruptFileError(f"the member {member.filename!r} is encrypted.")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise UnsafeFileError(f"the member {member.filename!r} is compressed by a method other than deflate.")
        if member.file_size > member.compress_size * MAX_RATIO + FREE:
            raise UnsafeFileError(f"the member {member.filename!r} would grow from {member.compress_size:,} to {member.file_size:,} bytes.")


def member(archive, name):
    """The bytes of one member, never more than it says.

    Raises:
        CorruptFileError: it is missing or damaged.
    """
    if name not in archive.namelist():
        raise CorruptFileError(f"the archive has no member {name!r}; it has {', '.join(map(repr, archive.namelist()[:5]))}.")
    size = archive.getinfo(name).file_size
    with archive.open(name) as file:
        data = file.read(size + 1)
    if len(data) != size:
        raise CorruptFileError(f"the member {name!r} has {len(data):,} bytes; the archive says {size:,}.")
    return data


# -- HDF5 ---------------------------------------------------------------------------------------------------------------------------------


def check_hdf5(file, size):
    """Refuse an HDF5 file that reaches outside of itself or asks for more than it holds, before any data set is read.

    Args:
        file: the open h5py.File.
        size: bytes of the whole file.

    Returns:
        How many numbers its data sets hold.

    Raises:
        UnsafeFileError: an external or soft link, external storage, a virtual data set, an unknown filter, a bomb.
        CorruptFileError: a cycle or something else that no file of ours has.
    """
    import h5py

    if file.userblock_size:
        raise CorruptFileError("the file has a user block.")
    seen, numbers, wanted, stored, stack = set(), 0, 0, 0, [(file, "/", 0)]
    while stack:
        group, place, depth = stack.pop()
        if depth > 64:
            raise CorruptFileError(f"{place}: groups nest deeper than 64 levels.")
        for name in group:
            where = f"{place}{name}"
            kind = group.get(name, getlink=True)
            if isinstance(kind, h5py.ExternalLink):
                raise UnsafeFileError(f"{where} is an external link, to {kind.filename!r}; no other file is opened.")
            if not isinstance(kind, h5py.HardLink):
                raise UnsafeFileError(f"{where} is a soft link; files of models have none.")
            item = group[name]
            key = h5py.h5o.get_info(item.id).addr
            if key in seen:
                if isinstance(item, h5py.Group):
                    raise CorruptFileError(f"{where} is a group that stands in two places.")
                continue
            seen.add(key)
            if len(seen) > MAX_OBJECTS:
                raise UnsafeFileError(f"the file has more than {MAX_OBJECTS:,} objects.")
            if isinstance(item, h5py.Group):
                stack.append((item, where + "/", depth + 1))
            elif isinstance(item, h5py.Dataset):
                numbers += item.size or 0
                wanted += (item.size or 0) * item.dtype.itemsize
                stored += _check_dataset(item, where, h5py)
            else:
                raise CorruptFileError(f"{where} is neither a group nor a data set.")
    if stored > size:
        raise UnsafeFileError(f"the data sets say that they take {stored:,} bytes of a file of {size:,}.")
    if wanted > size * MAX_RATIO + FREE:
        raise UnsafeFileError(f"the data sets would grow to {wanted:,} bytes, from a file of {size:,}.")
    return numbers


def _check_dataset(item, where, h5py):
    plist = item.id.get_create_plist()
    layout = plist.get_layout()
    if layout == h5py.h5d.VIRTUAL:
        raise UnsafeFileError(f"{where} is a virtual data set, whose data lie in other files.")
    if layout != h5py.h5d.COMPACT and plist.get_external_count():
        raise UnsafeFileError(f"{where} has its data in another file, {plist.get_external(0)[0]!r}.")
    filters = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())] if layout == h5py.h5d.CHUNKED else []
    unknown = [f for f in filters if f not in _FILTERS]
    if unknown:
        raise UnsafeFileError(f"{where} wants the filter {unknown[0]}, which would be code from elsewhere.")
    if item.dtype.hasobject:
        if item.size and item.size > 10_000_000:
            raise UnsafeFileError(f"{where} holds {item.size:,} texts.")
        return 0
    wanted, stored = (item.size or 0) * item.dtype.itemsize, item.id.get_storage_size()
    if wanted > (stored * MAX_RATIO + FREE if filters and stored else stored):
        raise UnsafeFileError(f"{where} says that it holds {wanted:,} bytes; the file has {stored:,} for it.")
    if layout == h5py.h5d.CHUNKED and _chunk_bytes(item) > max(wanted, 1 << 20) * 4:
        raise UnsafeFileError(f"{where} has chunks of {_chunk_bytes(item):,} bytes.")
    return stored


def _chunk_bytes(item):
    total = item.dtype.itemsize
    for length in item.chunks or ():
        total *= length
    return total
