"""Hot ops on each backend against the engine's own form and against the floor; and what one small eager call costs.

    taskset -c 0 python benchmarks/ops.py [part of a row's name ...] [--backends jax numpy ...] [--sizes 1] [--oracle .venv-oracle]

Kernels: processor milliseconds (all threads), the least of some runs, forward and gradients by all arguments; compiled where the backend
compiles. The floor is the larger of operations over the rate of a large matrix product and bytes (inputs and outputs once) over the rate of a large
copy, both measured first. Calls: microseconds of wall time of one call on arrays of 4 x 4 outside of programs, ours, the engine's own and Keras's on
the same engine; "of Keras's" is what our call adds to the engine's over what Keras's adds. Two sizes each took 2.5 (PyTorch) to 9 minutes (TensorFlow) on a
busy machine, one size on PyTensor 20, most of it to compile.
"""

import argparse
import functools
import importlib
import json
import math
import os
import subprocess
import sys
import timeit

import numpy as np
from hot_ops import rows
from measuring import by_turns, kept, oracle, rates, save
from own_forms import FORMS, programs

CALLS = {  # the same words for cornu.ops, keras.ops
    "add": lambda ops, x: ops.add(x, x),
    "relu": lambda ops, x: ops.relu(x),
    "matmul": lambda ops, x: ops.matmul(x, x),
    "add a number": lambda ops, x: ops.add(x, 2.0),
    "exp": lambda ops, x: ops.exp(x),
    "reshape": lambda ops, x: ops.reshape(x, (2, 8)),
    "transpose": lambda ops, x: ops.transpose(x),
    "concatenate": lambda ops, x: ops.concatenate([x, x]),
    "sum": lambda ops, x: ops.sum(x, axis=-1),
    "mean": lambda ops, x: ops.mean(x, axis=-1),
    "softmax": lambda ops, x: ops.softmax(x),
    "gelu": lambda ops, x: ops.gelu(x),
}


def own(engine):
    """The same calls in the engine's own words."""
    library, forms = importlib.import_module("jax.numpy" if engine == "jax" else engine), FORMS[engine]()
    words = {name: forms[name] for name in ("relu", "softmax", "sum")} | {"gelu": forms["gelu by tanh"], "exp": library.exp}
    words |= {name: lambda x, call=forms[name]: call(x, x) for name in ("add", "matmul", "concatenate")}
    mean = getattr(library, "reduce_mean", None) or library.mean
    turned = (0, 1) * (engine == "torch")
    return words | {
        "add a number": lambda x: library.add(x, 2.0),
        "reshape": lambda x: library.reshape(x, (2, 8)),
        "transpose": lambda x: library.transpose(x, *turned),
        "mean": lambda x: mean(x, -1),
    }


def calls(library, engine):
    """Microseconds of each small call: run in a process of its own."""
    os.environ["KERAS_BACKEND"] = os.environ["CORNU_BACKEND"] = engine
    if library == "keras":
        from keras import ops
    else:
        from cornu import ops
    x = ops.convert_to_tensor(np.random.default_rng(0).random((4, 4), "float32"))
    functions = {name: lambda call=call: call(ops, x) for name, call in CALLS.items()}
    if library == "cornu":
        functions |= {f"own {name}": lambda call=call: call(x) for name, call in own(engine).items()}
    found = {}
    for name, function in functions.items():
        for _ in range(100):
            function()
        found[name] = min(timeit.repeat(function, number=500, repeat=15)) / 500 * 1e6
    return found


def gradients(backend, function, smooth):
    """The gradients of `sum(function(*arrays) * weights)` by some of the arrays; the weights come last."""
    from cornu import ops

    def run(*given):
        def total(some):
            arrays = list(given[:-1])
            for place, x in zip(smooth, some, strict=True):
                arrays[place] = x
            return ops.sum(function(*arrays) * given[-1]), ()

        return backend.value_and_grad(total, [given[i] for i in smooth])[1]

    return run


def measure(engine, wanted, sizes, found):
    """The rows of one backend into `found`, printed as they come."""
    from cornu import backends
    from cornu.backends import spec

    backend, forms = backends.load(engine), FORMS[engine]()
    by_product, by_copy = rates()
    call = programs(engine, lambda x: x + x, [backend.array(np.ones(1, "float32"))], None, [])[0]
    call = by_turns([call], [backend.array(np.ones(1, "float32"))])[0]  # what the engine takes to do nothing
    print(f"\n{engine}: large product {by_product / 1e6:.0f} GFLOP/s, large copy {by_copy / 1e6:.1f} GB/s, a call {call * 1e3:.1f} us")
    print(f"{'':64s}{'ours':>9s}{'own':>9s}{'floor':>9s}{'ours/own':>10s}{'ours/floor':>11s}")
    table, above = found.setdefault("cpu_ms", {}), []
    found |= {"gflops": by_product / 1e6, "copy_gb_per_s": by_copy / 1e6, "call_ms": call}
    for row in rows(sizes):
        if wanted and not any(part in row.name for part in wanted):
            continue
        out = spec.to_specs(row.ours(*spec.to_specs(row.arrays)))
        weights = np.random.default_rng(1).standard_normal(out.shape, "float32")
        smooth = [i for i, x in enumerate(row.arrays) if x.dtype == "float32"]
        arrays, last = [backend.array(x) for x in row.arrays], backend.array(weights)
        size = 4 * sum(x.size for x in row.arrays), 4 * weights.size
        for kind in ["forward", *["gradients"] * (bool(smooth) and out.dtype == "float32")]:
            back = kind == "gradients"
            given = [*arrays, last] if back else arrays
            mine = gradients(backend, row.ours, smooth) if back else row.ours
            theirs = functools.partial(forms[row.key], **row.options) if row.key in forms else None
            theirs = programs(engine, theirs, arrays, last if back else None, smooth) if theirs else []
            ours, *others = by_turns([backend.compile(mine) if backend.COMPILES else mine, *theirs], given)
            floor = max(row.operations * (1 + back) / by_product, (size[0] * (1 + back) + size[1]) / by_copy)
            own, name = min(others, default=None), f"{row.name}, {kind}"
            best = min(2 * (floor + call), own or math.inf)
            table[name] = {"ours": ours, "own": own, "floor": floor}
            if ours > 1.5 * best:
                above.append(f"{ours / best:8.2f}  {name}")
            shown = f"{name:64s}{ours:9.3f}{f'{own:9.3f}' if own else '':9s}{floor:9.3f}{f'{ours / own:10.2f}' if own else '':10s}{ours / floor:11.1f}"
            print(shown, flush=True)
            yield found
    print(f"\n{engine}: {len(above)} of {len(table)} above 1.5 times the better of the engine's own form and twice the floor and a call", *above, sep="\n")


def compare_calls(engine, peer):
    """The table of small calls of one backend; `peer` is an interpreter with Keras, or None."""
    found = {}
    for library, python in ("cornu", sys.executable), ("keras", peer):
        if python:
            run = subprocess.run([python, __file__, "--calls", library, "--backends", engine], capture_output=True, text=True, check=True)
            found[library] = json.loads(run.stdout.splitlines()[-1])
    print(f"\n{engine}: one call, microseconds\n{'':24s}{'ours':>9s}{'own':>9s}{'Keras':>9s}{'of Keras':>10s}")
    for name in CALLS:
        ours, engines, keras = found["cornu"][name], found["cornu"].get(f"own {name}"), found.get("keras", {}).get(name)
        ratio = f"{max(ours - engines, 0) / max(keras - engines, 1e-3):10.2f}" if engines and keras else ""
        print(f"{name:24s}" + "".join(f"{cell:9.2f}" if cell else f"{'':9s}" for cell in (ours, engines, keras)) + ratio)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", help="parts of rows' names; all by default")
    parser.add_argument("--backends", nargs="+", default=["jax", "numpy"])
    parser.add_argument("--oracle", help="an environment with Keras, or its interpreter")
    parser.add_argument("--sizes", type=int, help="of each op at most; by default all, one on PyTensor, whose programs take seconds to compile")
    parser.add_argument("--save", action="store_true", help="put the rows chosen into results/ops.json, where a run of all puts all")
    parser.add_argument("--calls", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.calls:
        print(json.dumps(calls(chosen.calls, chosen.backends[0])))
        return
    whole = not chosen.rows
    for engine in chosen.backends:
        found = {} if whole else kept("ops").get(engine, {})
        if whole and engine != "pytensor":  # whose programs are what runs: a call by itself makes one
            found["microseconds_a_call"] = compare_calls(engine, oracle(chosen.oracle))
        for table in measure(engine, chosen.rows, chosen.sizes or (1 if engine == "pytensor" else None), found):
            if whole or chosen.save:
                save("ops", kept("ops") | {engine: table}, say=False)


if __name__ == "__main__":
    main()
