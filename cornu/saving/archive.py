"""`.keras` files: a zip of config.json, metadata.json and model.weights.h5, as Keras 3 writes and reads it."""

import datetime
import io
import json
import zipfile

from cornu import serialization
from cornu.saving import limits, weights
from cornu.serialization import CorruptFileError, UnsafeFileError
from cornu.variable import DeferredValues
from cornu.version import __version__

KERAS_VERSION = "3.15.1"  # the Keras whose layout this is; what reads our files looks at it


def write(model, path):
    """Write `model` to a new file at `path`."""
    import h5py

    with serialization.Saving():
        config = json.dumps(serialization.serialize_keras_object(model))  # what cannot be written is an error here, before there is a file
    now = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    metadata = json.dumps({"keras_version": KERAS_VERSION, "date_saved": now, "writer": f"cornu {__version__}"})
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        weights.write(file, model)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", metadata)
        archive.writestr("config.json", config)
        with archive.open("model.weights.h5", "w", force_zip64=True) as member:
            member.write(buffer.getbuffer())


def read(path, custom_objects=None, compile=True):
    """The model in the file at `path`."""
    import h5py

    with zipfile.ZipFile(path) as archive:
        limits.check_archive(archive)
        config = limits.parsed(limits.member(archive, "config.json").decode("utf-8"), "config.json")
        if "model.weights.h5" not in archive.namelist() and "model.weights.json" in archive.namelist():
            raise CorruptFileError(
                "the weights are split into shards (model.weights.json), which is not supported: save the model again without max_shard_size."
            )
        data = limits.member(archive, "model.weights.h5")
    if not compile:
        config = {key: value for key, value in config.items() if key != "compile_config"}
    with h5py.File(io.BytesIO(data), "r") as file:
        numbers = limits.check_hdf5(file, len(data))
        with DeferredValues(numbers + 65536, UnsafeFileError) as deferred:
            model = serialization.deserialize_keras_object(config, custom_objects=custom_objects, kind="models")
            if not hasattr(model, "fit"):
                raise CorruptFileError(f"config.json describes a {type(model).__name__}, which is no model.")
            weights.read(file, model)
            paid_for(deferred, numbers)
    return model


def paid_for(deferred, numbers):
    """Check that what was built is no larger than what the file holds.

    Raises:
        UnsafeFileError: it is.
    """
    for variable in deferred.waiting:
        if variable.size > numbers + 65536:
            raise UnsafeFileError(f"the variable {variable.path!r} of shape {variable.shape} is larger than the file, which holds {numbers:,} numbers.")


def read_weights(path, model, skip_mismatch=False, inside=False, objects_to_skip=None):
    """Give `model` the weights of a `.weights.h5` file, or of a `.keras` file."""
    import h5py

    if inside:
        with zipfile.ZipFile(path) as archive:
            limits.check_archive(archive)
            source = io.BytesIO(limits.member(archive, "model.weights.h5"))
        size = source.getbuffer().nbytes
    else:
        source, size = path, limits.opened(path)
    with h5py.File(source, "r") as file:
        limits.check_hdf5(file, size)
        weights.read(file, model, skip_mismatch, objects_to_skip)


def write_weights(model, path):
    """Write the weights of `model` to a new file at `path`."""
    import h5py

    with h5py.File(path, "w") as file:
        weights.write(file, model)
