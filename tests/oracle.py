"""Run a snippet under the newest Keras, in an interpreter of its own, and get its results as NumPy arrays.

    got = oracle.run("out['y'] = keras.layers.Dense(3, kernel_initializer='ones')(x)", x=np.ones((2, 4), "float32"))
    got["y"]  # array of shape (2, 3)

A snippet finds `keras`, `ops` (keras.ops), `np`, `out` (an empty dict to fill) and the values given to `run`. What it puts into `out`
comes back: tensors and variables as NumPy arrays, containers, numbers and text as they are. One process serves the whole test session;
names of layers start anew with every snippet.

The interpreter is `CORNU_ORACLE`, else `.venv-oracle/bin/python` (made by `make test`). Without one, the test skips and says so; where
`CI` is set, it fails. `CORNU_ORACLE=none` leaves these tests out, as `make check` does.
"""

import atexit
import os
import pathlib
import pickle
import select
import struct
import subprocess
import tempfile

import pytest

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_processes = {}  # Keras's backend -> the process that serves it
_home = tempfile.TemporaryDirectory(prefix="cornu-oracle-", dir=os.environ.get("TMPDIR"))  # Keras writes a keras.json when it starts


class OracleError(Exception):
    """The snippet raised; the message names the error, the snippet's line and what it said."""


def interpreter():
    """Path of the oracle's Python, or None where there is none."""
    given = os.environ.get("CORNU_ORACLE")
    path = pathlib.Path(given) if given else _ROOT / ".venv-oracle" / "bin" / "python"
    return path if path.exists() else None


def run(code, timeout=300, backend="jax", **values):
    """Execute `code` under Keras.

    Args:
        code: Python text; it fills the dict `out`.
        timeout: seconds after which the process is given up.
        backend: Keras's; "numpy" has no gradients, and is quick for many small cases since it compiles nothing.
        values: NumPy arrays, numbers, text, lists and dicts that the snippet sees by these names.

    Returns:
        The dict `out`.

    Raises:
        OracleError: the snippet raised, or took too long.
    """
    process = _serving(backend)
    _send(process.stdin, {"code": code, "values": values})
    ready, _, _ = select.select([process.stdout], [], [], timeout)
    if not ready:
        close()
        raise OracleError(f"no answer after {timeout} s:\n{code}")
    reply = _receive(process.stdout)
    if reply is None:
        close()
        raise OracleError(f"the oracle's process ended; its messages are above. The snippet:\n{code}")
    if "error" in reply:
        raise OracleError(f"{reply['error']}\n{code}")
    return reply["out"]


def close():
    """End the oracle's process; the next `run` starts another."""
    while _processes:
        _, process = _processes.popitem()
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def _serving(backend):
    process = _processes.get(backend)
    if process is None or process.poll() is not None:
        python = interpreter()
        if python is None:
            left_out = os.environ.get("CORNU_ORACLE") == "none"
            reason = "no oracle: `make test` puts the newest Keras into .venv-oracle, or set CORNU_ORACLE to a Python that has it"
            (pytest.fail if os.environ.get("CI") and not left_out else pytest.skip)("CORNU_ORACLE=none" if left_out else reason)
        environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "PYTHONWARNINGS": "ignore", "KERAS_HOME": _home.name}
        environment.pop("PYTHONPATH", None)
        server = [str(python), str(_ROOT / "tests" / "oracle_server.py")]
        process = _processes[backend] = subprocess.Popen(server, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, bufsize=0)
        atexit.register(close)
    return process


def _send(stream, message):
    data = pickle.dumps(message, protocol=5)
    view = memoryview(struct.pack("<Q", len(data)) + data)
    while view:
        view = view[stream.write(view) :]


def _receive(stream):
    header = _exactly(stream, 8)
    return header and pickle.loads(_exactly(stream, struct.unpack("<Q", header)[0]))


def _exactly(stream, count):
    parts, left = [], count
    while left:
        part = stream.read(min(left, 1 << 20))
        if not part:
            return None
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
