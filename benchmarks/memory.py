"""Memory: the peak of `fit` on each workload beside Keras's on the same engine, and whether many calls make it grow.

    python benchmarks/memory.py [mlp cnn lstm transformer resnet50 mobilenet] [--engine jax] [--oracle .venv-oracle] [--no-peer] [--calls 10000] [--models 200]

The peak is that of a process that imports the library, makes the model and trains one epoch of a few steps, resident memory as the system counts it,
with the same data for both. Growth is what resident memory gains over the second half of `--calls` calls of `predict` on one row, and over the second
half of `--models` rounds of building, compiling and training a small model: what is kept for good once does not count there, what is kept each time does.
"""

import argparse
import gc
import json
import os
import resource
import subprocess
import sys

import numpy as np
from fit import ENGINES, ROOT, library
from measuring import kept, oracle, save
from workloads import WORKLOADS, compiled

MEASURED = ("mlp", "cnn", "lstm", "transformer", "resnet50", "mobilenet")
STEPS = {"resnet50": 3, "mobilenet": 3}


def resident():
    """MiB of memory that the process holds now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


def peak(name, workload):
    """MiB that a process held at most, over a short `fit`."""
    keras = library("cornu" if name == "ours" else name)
    model = compiled(keras, workload)
    draw, (_, *shape), rows = np.random.default_rng(0), model.input_shape, WORKLOADS[workload].batch * STEPS.get(workload, 20)
    words = {"lstm": 20000, "transformer": 8000}.get(workload)
    x = draw.integers(0, words, (rows, *shape), "int32") if words else draw.random((rows, *shape), "float32")
    y = draw.integers(0, 2, rows) if words else draw.integers(0, 10, rows)
    model.fit(x, y.reshape(-1, 1) if workload == "lstm" else y, batch_size=WORKLOADS[workload].batch, verbose=0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def small(keras):
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def growth(name, what, count):
    """MiB at the start, in the middle and at the end of `count` rounds."""
    keras = library("cornu" if name == "ours" else name)
    x, y = np.random.default_rng(0).random((64, 8), "float32"), np.zeros((64, 1), "float32")
    if what == "predict":
        model = small(keras)
        round_ = lambda: model.predict(x[:1], verbose=0)
    else:
        round_ = lambda: small(keras).fit(x, y, batch_size=32, verbose=0)
    round_()
    found = [resident()]
    for _half in range(2):
        for _ in range(count // 2):
            round_()
        gc.collect()
        found.append(resident())
    return found


def in_its_own_process(python, given, *arguments):
    environment = os.environ | {"KERAS_BACKEND": given.engine, "CORNU_BACKEND": given.engine, "PYTHONWARNINGS": "ignore", "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["PYTHONPATH"] = ROOT if arguments[0] == "ours" else ""
    command = [python, os.path.abspath(__file__), "--measure", *map(str, arguments), "--engine", given.engine]
    ran = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    if ran.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{ran.stderr}")
    return json.loads(ran.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("workloads", nargs="*", default=[])
    parser.add_argument("--engine", default="jax", choices=list(ENGINES))
    parser.add_argument("--oracle")
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--calls", type=int, default=10000)
    parser.add_argument("--models", type=int, default=200)
    parser.add_argument("--measure", nargs=3, metavar=("LIBRARY", "WHAT", "COUNT"), help="in this process")
    given = parser.parse_args()
    if given.measure:
        name, what, count = given.measure
        print(json.dumps(peak(name, what) if what in MEASURED else growth(name, what, int(count))))
        return
    peer = None if given.no_peer else oracle(given.oracle)
    if peer is None and not given.no_peer:
        parser.error(f"--oracle: no python in {given.oracle or '.venv-oracle'}. Give an environment that has keras, or --no-peer.")
    libraries, name = {"ours": sys.executable} | ({"keras": peer} if peer else {}), "memory" if given.engine == "jax" else f"memory_{given.engine}"
    found = {"peak_mb": {}, "growth_mb": {}} | kept(name)
    for workload in given.workloads or MEASURED:
        row = found["peak_mb"][workload] = {library: in_its_own_process(python, given, library, workload, 0) for library, python in libraries.items()}
        print(f"peak of fit, {workload:14s}" + "".join(f"{library:>8s}{value:8.0f} MB" for library, value in row.items()), flush=True)
    for what, count in ("predict", given.calls), ("models", given.models):
        if not count:
            continue
        row = found["growth_mb"][what] = {library: in_its_own_process(python, given, library, what, count) for library, python in libraries.items()}
        told = "".join(f"{library:>8s}{a:8.1f} to {b:.1f} to {c:.1f} MB" for library, (a, b, c) in row.items())
        print(f"{count} times {what:10s}{told}", flush=True)
    save(name, found)


if __name__ == "__main__":
    main()
