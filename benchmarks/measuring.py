"""Measuring: processor and wall milliseconds, the machine's two rates, a file of results."""

import json
import math
import os
import platform
import time

RESULTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "results")


def milliseconds(function, *arguments, runs=8, seconds=2.0):
    """The least processor milliseconds (all threads) of one `function(*arguments)`, over some runs after a first."""
    import jax

    times, begun = [], time.monotonic()
    jax.block_until_ready(function(*arguments))
    for _ in range(runs):
        start = time.process_time()
        jax.block_until_ready(function(*arguments))
        times.append(time.process_time() - start)
        if time.monotonic() - begun > seconds:
            break
    return min(times) * 1e3


def by_turns(functions, arguments, seconds=0.5):
    """The least processor milliseconds (all threads) of a call of each function, measured by turns for so long, four rounds at least."""
    import jax

    counts, best = [], [math.inf] * len(functions)
    for function in functions:
        jax.block_until_ready(function(*arguments))
        start = time.process_time()
        jax.block_until_ready(function(*arguments))
        counts.append(int(min(max(1e-3 / max(time.process_time() - start, 1e-6), 1), 200)))  # a millisecond at least, which the clock sees
    begun, rounds = time.monotonic(), 0
    while rounds < 4 or (rounds < 16 and time.monotonic() - begun < seconds):
        for i, function in enumerate(functions):
            start = time.process_time()
            for _ in range(counts[i]):
                found = function(*arguments)
            jax.block_until_ready(found)
            best[i] = min(best[i], (time.process_time() - start) / counts[i] * 1e3)
        rounds += 1
    return best


def rates():
    """What this machine reaches now: (floating-point operations, bytes) a millisecond, in a large product and a large copy."""
    import jax
    import numpy as np

    n = 1024
    matrix = jax.numpy.asarray(np.random.rand(n, n).astype("float32"))
    long = jax.numpy.asarray(np.random.rand(2**24).astype("float32"))
    return 2 * n**3 / milliseconds(jax.jit(lambda x: x @ x), matrix), 8 * long.size / milliseconds(jax.jit(lambda x: x + 1), long)


def oracle(given=None):
    """The interpreter that has the peers: of the environment `given`, else of `CORNU_ORACLE`, else of `.venv-peers` or `.venv-oracle`; None where there is none."""
    root = os.path.dirname(os.path.dirname(RESULTS))
    paths = (
        [given or os.environ.get("CORNU_ORACLE")]
        if given or os.environ.get("CORNU_ORACLE")
        else [os.path.join(root, name) for name in (".venv-peers", ".venv-oracle")]
    )
    pythons = [os.path.abspath(path if os.path.isfile(path) else os.path.join(path, "bin", "python")) for path in paths]
    return next(filter(os.path.isfile, pythons), None)


def machine():
    """The processor, the cores that this process may use, and the system."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), name)
    except OSError:
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": name, "cores": cores, "system": platform.platform(), "python": platform.python_version()}


def kept(name):
    """What an earlier run saved under this name, the machine left out; {} where nothing was."""
    try:
        with open(os.path.join(RESULTS, f"{name}.json"), encoding="utf-8") as file:
            return {key: value for key, value in json.load(file).items() if key != "machine"}
    except (OSError, ValueError):
        return {}


def save(name, found, say=True):
    """Write `found` and the machine to results/`name`.json and, if asked, say where."""
    os.makedirs(RESULTS, exist_ok=True)
    path = os.path.join(RESULTS, f"{name}.json")
    with open(f"{path}.{os.getpid()}", "w", encoding="utf-8") as file:
        json.dump({"machine": machine(), **found}, file, indent=1)
        file.write("\n")
    os.replace(f"{path}.{os.getpid()}", path)  # whole at any time
    if say:
        print(f"written: {os.path.relpath(path)}")
