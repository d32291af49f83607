"""Old pickled data sets, read by an unpickler that knows NumPy's array, lists, numbers and text, and calls nothing else."""

import pickle
import re
import zipfile

import numpy as np

from cornu.serialization import CorruptFileError, UnsafeFileError


class _Type:
    """Stands for `numpy.dtype` while a pickle is read."""

    def __init__(self, code, *_):
        code = code.decode() if isinstance(code, bytes) else str(code)
        if not re.fullmatch(r"O8?|b1|[iuf][1248]", code):
            raise UnsafeFileError(f"a pickled array of type {code!r}; wanted objects or numbers")
        self.code, self.order = code, "="

    def __setstate__(self, state):
        self.order = state[1] if state[1] in ("<", ">") else "="

    def real(self):
        return np.dtype(object) if self.code.startswith("O") else np.dtype(self.order + self.code)


class _Array:
    """Stands for `numpy.ndarray` while a pickle is read; nothing is allocated before its bytes are there."""

    def __init__(self, *_):
        self.value = None

    def __setstate__(self, state):
        _, shape, dtype, by_column, content = state
        dtype = dtype.real()
        if dtype.hasobject:
            if len(shape) != 1 or len(content) != shape[0]:
                raise CorruptFileError(f"a pickled array of shape {shape} with {len(content)} objects")
            self.value = np.empty(len(content), dtype=object)
            self.value[:] = content
            return
        content = content.encode("latin1") if isinstance(content, str) else content
        self.value = np.frombuffer(content, dtype).reshape(shape, order="F" if by_column else "C")


_KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) not in _KNOWN:
            raise UnsafeFileError(f"the pickle names {module}.{name}; only NumPy arrays, lists, numbers and text are read")
        return _KNOWN[module, name]

    def persistent_load(self, pid):
        raise UnsafeFileError("the pickle refers to something outside of it")


def load(stream, path):
    """What a pickle holds, arrays as NumPy arrays; text of Python 2 comes as bytes.

    Raises:
        UnsafeFileError: it names anything but NumPy's array.
        CorruptFileError: it is damaged.
    """
    try:
        return _plain(_Unpickler(stream, encoding="bytes").load())
    except UnsafeFileError as error:
        raise UnsafeFileError(f"{path}: {error}") from None
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise CorruptFileError(f"{path} cannot be read: {error}") from None


def _plain(value):
    if isinstance(value, _Array):
        return value.value
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def load_npz(path, *names):
    """The arrays `names` of an .npz file, arrays of lists too."""
    with zipfile.ZipFile(path) as archive:
        return [_member(archive, name + ".npy", path) for name in names]


def _member(archive, name, path):
    with archive.open(name) as stream:
        version = np.lib.format.read_magic(stream)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        holds_objects = read_header(stream)[2].hasobject
        if holds_objects:
            return load(stream, f"{path}, {name}")
    with archive.open(name) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)
