"""What it costs to begin: imports, and a script from nothing to the end of its first step, ours against Keras on the same engine.

    python benchmarks/start.py [mlp cnn resnet50 mobilenet] [--engine jax] [--oracle .venv-oracle] [--rounds 2] [--no-peer]

Every run is a process of its own, measured from outside: wall time, and processor time of all its threads. Ours runs twice, first with an empty folder
of compiled programs and then again with what the first run left there. The least of the rounds counts.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time

from fit import ENGINES, ROOT
from measuring import kept, oracle, save
from workloads import WORKLOADS, compiled

SMALL = ("mlp", "cnn", "resnet50", "mobilenet")
IMPORTS = {"import": "import cornu", "import with engine": "import cornu; cornu.ops.zeros(1)"}
PEER_IMPORTS = {"import": "import keras", "import with engine": "import keras; keras.ops.zeros(1)"}


def first_step(library, workload):
    """Make the model of a workload and train it on one batch, in this process; print the seconds of each part."""
    begun = [time.perf_counter(), time.process_time()]
    parts = {}

    def part(name):
        now = time.perf_counter(), time.process_time()
        parts[name] = [b - a for a, b in zip(begun, now, strict=True)]
        begun[:] = now

    import numpy as np

    if library == "ours":
        import cornu as keras
    else:
        import keras
    part("import")
    model = compiled(keras, workload)
    part("build")
    draw, (_, *shape), size = np.random.default_rng(0), model.input_shape, WORKLOADS[workload].batch
    x = draw.random((size, *shape), "float32")
    model.fit(x, draw.integers(0, 10, size), batch_size=size, verbose=0)
    part("first step")
    print(parts)


def run(command, environment):
    """(wall seconds, processor seconds, output) of a process."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ran = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ran.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{ran.stderr}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, ran.stdout.strip()


def kept_in(folder):
    """The files of compiled programs in a folder."""
    return {os.path.join(place, name) for place, _, names in os.walk(folder) for name in names if name.endswith("-cache")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("workloads", nargs="*", default=[], help=f"{', '.join(SMALL)}; by default all")
    parser.add_argument("--engine", default="jax", choices=list(ENGINES))
    parser.add_argument("--oracle")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--no-peer", action="store_true", help="measure ours alone")
    parser.add_argument("--measure", choices=["ours", "keras"], help="the first step of one library in this process")
    given = parser.parse_args()
    if given.measure:
        first_step(given.measure, given.workloads[0])
        return
    peer = None if given.no_peer else oracle(given.oracle)
    if peer is None and not given.no_peer:
        parser.error(f"--oracle: no python in {given.oracle or '.venv-oracle'}. Give an environment that has keras, or --no-peer.")
    plain = os.environ | {"KERAS_BACKEND": given.engine, "CORNU_BACKEND": given.engine, "PYTHONWARNINGS": "ignore", "TF_CPP_MIN_LOG_LEVEL": "3"}
    plain.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed library has its bytecode beside it
    ours, theirs = plain | {"PYTHONPATH": ROOT}, plain | {"PYTHONPATH": ""}
    script = lambda library, workload: [os.path.abspath(__file__), workload, "--measure", library]
    found, added = {}, {}
    for name in [*IMPORTS, *(given.workloads or SMALL)]:
        rounds = {}
        for _ in range(given.rounds):
            with tempfile.TemporaryDirectory() as folder:
                cached = ours | {"CORNU_CACHE": folder}
                command = [sys.executable, "-c", IMPORTS[name]] if name in IMPORTS else [sys.executable, *script("ours", name)]
                rounds.setdefault("ours", []).append(run(command, cached))
                if name not in IMPORTS:
                    before = kept_in(folder)
                    rounds.setdefault("ours, second run", []).append(run(command, cached))
                    added[name] = len(kept_in(folder) - before)
            if peer:
                command = [peer, "-c", PEER_IMPORTS[name]] if name in IMPORTS else [peer, *script("keras", name)]
                rounds.setdefault("keras", []).append(run(command, theirs))
        found[name] = {}
        for library, times in rounds.items():
            wall, cpu = (min(column) for column in list(zip(*times, strict=True))[:2])
            found[name][library] = {"cpu_s": cpu, "wall_s": wall, "parts": times[-1][2]}
        if name in added:
            found[name]["ours, second run"]["programs_added"] = added[name]
        for library, row in found[name].items():
            row["part_of_keras"] = row["cpu_s"] / found[name]["keras"]["cpu_s"] if peer else None
            share = f"{row['part_of_keras']:8.2f} of Keras's" if peer else ""
            print(f"{name:20s}{library:18s}{row['cpu_s']:8.2f} s CPU{row['wall_s']:8.2f} s wall{share}   {row['parts']}", flush=True)
    saved = "start" if given.engine == "jax" else f"start_{given.engine}"
    save(saved, {"runs": kept(saved).get("runs", {}) | found})


if __name__ == "__main__":
    main()
