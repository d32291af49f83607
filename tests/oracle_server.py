"""The other end of tests/oracle.py: reads snippets from standard input, runs them under Keras, writes their results."""

import os
import pickle
import struct
import sys

# what Keras or a snippet prints goes to the error stream; replies alone go to standard output
replies = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)

import jax  # noqa: E402
import keras  # noqa: E402
import numpy as np  # noqa: E402


def plain(value):
    """`value` without Keras's own types."""
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes, np.ndarray, np.generic)):
        return value
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if hasattr(value, "sparse") and hasattr(value, "shape") and not hasattr(value, "value"):  # a symbolic tensor
        return {"shape": tuple(value.shape), "dtype": value.dtype}
    if hasattr(value, "shape"):
        return np.asarray(keras.ops.convert_to_numpy(value))
    return str(value)


def answer(message):
    keras.utils.clear_session(free_memory=False)
    out = {}
    scope = {"keras": keras, "ops": keras.ops, "np": np, "out": out, **message["values"]}
    try:
        exec(compile(message["code"], "<snippet>", "exec"), scope)
        return {"out": plain(scope["out"])}
    except Exception as error:
        trace, line = error.__traceback__, None
        while trace is not None:
            line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == "<snippet>" else line
            trace = trace.tb_next
        return {"error": f"{type(error).__name__} in line {line} of the snippet: {error}"}


count = 0
while header := sys.stdin.buffer.read(8):
    message = pickle.loads(sys.stdin.buffer.read(struct.unpack("<Q", header)[0]))
    data = pickle.dumps(answer(message), protocol=5)
    replies.write(struct.pack("<Q", len(data)) + data)
    replies.flush()
    count += 1
    if count % 300 == 0:  # compiled programs that no snippet asks for again add up to gigabytes
        jax.clear_caches()
