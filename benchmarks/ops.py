"""Hot ops on each backend against the engine's own form and against the floor; and what one small eager call costs.

    taskset -c 0 python benchmarks/ops.py [part of a row's name ...] [--backends jax numpy] [--oracle .venv-oracle]

Kernels: processor milliseconds (all threads), the least of some runs, forward and gradients by all arguments; compiled where the backend
compiles. The floor is the larger of operations over the rate of a large matrix product and bytes (inputs and outputs once) over the rate of a large
copy, both measured first. Calls: microseconds of wall time of one call on arrays of 4 x 4 outside of programs, ours, the engine's own and Keras's on
the same engine; "of Keras's" is what our call adds to the engine's over what Keras's adds.
"""

import argparse
import importlib
import json
import math
import os
import subprocess
import sys
import timeit

import numpy as np
from measuring import milliseconds, oracle, rates, save
from own_forms import FORMS, ROWS, form, programs

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
    "layer_normalization": lambda ops, x: ops.layer_normalization(x),
}


def own(engine):
    """The same calls in the engine's own words, those that it has."""
    if engine == "numpy":
        words = {"relu": lambda x: np.maximum(x, 0), "reshape": lambda x: np.reshape(x, (2, 8))}
        library = np
    elif engine != "jax":
        forms, library = FORMS[engine](), importlib.import_module(engine)
        words = {
            "reshape": lambda x: library.reshape(x, (2, 8)),
            "gelu": forms["gelu by tanh"],
            "transpose": lambda x: library.transpose(x, *((0, 1) * (engine == "torch"))),
        }
        words |= {name: forms[name] for name in ("relu", "softmax", "layer_normalization", "sum")}
        words |= {name: lambda x, call=forms[name]: call(x, x) for name in ("add", "matmul", "concatenate")}
        mean = getattr(library, "reduce_mean", None) or library.mean
        return words | {"add a number": lambda x: library.add(x, 2.0), "exp": library.exp, "mean": lambda x: mean(x, -1)}
    else:
        import jax

        library, activations = jax.numpy, jax.nn
        words = {"relu": jax.nn.relu, "reshape": lambda x: library.reshape(x, (2, 8)), "softmax": activations.softmax, "gelu": activations.gelu}
    return words | {
        "add": lambda x: library.add(x, x),
        "matmul": lambda x: library.matmul(x, x),
        "add a number": lambda x: library.add(x, 2.0),
        "exp": library.exp,
        "transpose": library.transpose,
        "concatenate": lambda x: library.concatenate([x, x]),
        "sum": lambda x: library.sum(x, axis=-1),
        "mean": lambda x: library.mean(x, axis=-1),
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


DRAWN = np.random.default_rng(0)


def drawn(*shape):
    return DRAWN.standard_normal(shape, "float32")


def kernels():
    """Name -> (function of cornu's ops and arrays, the engine's own form by engine, arrays, operations)."""
    import jax
    from jax import lax

    from cornu import ops

    jnp, nn = jax.numpy, jax.nn
    rows = {}

    def row(name, ours, arrays, operations=0, **engines):
        rows[name] = (ours, engines, arrays, operations)

    for n, k, m in (32, 784, 128), (512, 512, 512), (1024, 1024, 1024):
        row(f"matmul ({n},{k}) ({k},{m})", ops.matmul, (drawn(n, k), drawn(k, m)), 2 * n * k * m, jax=jnp.matmul, numpy=np.matmul)
    row("matmul (32,128,128) (128,512)", ops.matmul, (drawn(32, 128, 128), drawn(128, 512)), 2 * 32 * 128 * 128 * 512, jax=jnp.matmul, numpy=np.matmul)
    row("matmul (128,128,64) (128,64,128)", ops.matmul, (drawn(128, 128, 64), drawn(128, 64, 128)), 2 * 128**3 * 64, jax=jnp.matmul, numpy=np.matmul)
    for shape in (128, 1024), (32, 4, 128, 128):
        shown = str(shape).replace(" ", "")
        row(f"add {shown}", ops.add, (drawn(*shape), drawn(*shape)), jax=jnp.add, numpy=np.add)
        row(f"relu {shown}", ops.relu, (drawn(*shape),), jax=nn.relu, numpy=lambda x: np.maximum(x, 0))
        row(f"gelu {shown}", lambda x: ops.gelu(x, False), (drawn(*shape),), jax=lambda x: nn.gelu(x, False))
        row(f"gelu by tanh {shown}", ops.gelu, (drawn(*shape),), jax=nn.gelu)
        row(f"silu {shown}", ops.silu, (drawn(*shape),), jax=nn.silu)
        row(f"sigmoid {shown}", ops.sigmoid, (drawn(*shape),), jax=nn.sigmoid)
        row(f"tanh {shown}", ops.tanh, (drawn(*shape),), jax=jnp.tanh, numpy=np.tanh)
        row(f"softmax {shown}", ops.softmax, (drawn(*shape),), jax=nn.softmax)
        row(f"log_softmax {shown}", ops.log_softmax, (drawn(*shape),), jax=nn.log_softmax)
        row(f"sum {shown}", lambda x: ops.sum(x, axis=-1), (drawn(*shape),), jax=lambda x: jnp.sum(x, -1), numpy=lambda x: np.sum(x, -1))
        row(f"variance {shown}", lambda x: ops.var(x, axis=-1), (drawn(*shape),), jax=lambda x: jnp.var(x, -1), numpy=lambda x: np.var(x, -1))
        row(f"layer_normalization {shown}", ops.layer_normalization, (drawn(*shape),), jax=lambda x: nn.standardize(x, epsilon=1e-3))
        row(
            f"transpose {shown}",
            lambda x: ops.swapaxes(x, -1, -2) + 0.0,
            (drawn(*shape),),
            jax=lambda x: jnp.swapaxes(x, -1, -2) + 0.0,
            numpy=lambda x: np.swapaxes(x, -1, -2) + 0.0,
        )
        row(
            f"concatenate {shown}",
            lambda x, y: ops.concatenate([x, y], -1),
            (drawn(*shape), drawn(*shape)),
            jax=lambda x, y: jnp.concatenate([x, y], -1),
            numpy=lambda x, y: np.concatenate([x, y], -1),
        )
        row(f"cumsum {shown}", lambda x: ops.cumsum(x, -1), (drawn(*shape),), jax=lambda x: jnp.cumsum(x, -1), numpy=lambda x: np.cumsum(x, -1))
    for n, size, c in (32, 32, 64), (64, 8, 256):
        row(
            f"batch normalization ({n},{size},{size},{c})",
            lambda x: _normalized(ops, x),
            (drawn(n, size, size, c),),
            jax=lambda x: nn.standardize(x, axis=(0, 1, 2), epsilon=1e-3),
        )
    for shape, kernel in (
        ((64, 28, 28, 1), (3, 3, 1, 32)),
        ((64, 14, 14, 32), (5, 5, 32, 64)),
        ((32, 16, 16, 64), (3, 3, 64, 64)),
        ((32, 8, 8, 256), (1, 1, 256, 256)),
    ):
        operations = 2 * int(np.prod(shape[:3])) * int(np.prod(kernel))
        name = f"conv {kernel[0]}x{kernel[1]} {str(shape).replace(' ', '')} {kernel[-1]}"
        row(
            name,
            lambda x, k: ops.conv(x, k, padding="same"),
            (drawn(*shape), drawn(*kernel)),
            operations,
            jax=lambda x, k: lax.conv_general_dilated(x, k, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")),
        )
    row("depthwise 3x3 (32,16,16,64)", lambda x, k: ops.depthwise_conv(x, k, padding="same"), (drawn(32, 16, 16, 64), drawn(3, 3, 64, 1)))
    row("max pool 2/2 (64,28,28,32)", lambda x: ops.max_pool(x, 2), (drawn(64, 28, 28, 32),))
    row("mean pool 2/2 (64,28,28,32)", lambda x: ops.average_pool(x, 2), (drawn(64, 28, 28, 32),))
    for n in 8, 32:
        row(
            f"attention ({n},128,4,32)",
            ops.dot_product_attention,
            tuple(drawn(n, 128, 4, 32) for _ in range(3)),
            4 * n * 4 * 128 * 128 * 32,
            jax=nn.dot_product_attention,
        )
    row(
        "take rows of (20000,128) by (32,80)",
        lambda x: ops.take(x, ROWS, 0),
        (drawn(20000, 128),),
        jax=lambda x: jnp.take(x, ROWS, 0),
        numpy=lambda x: np.take(x, ROWS, 0),
    )
    row(
        "resize (16,64,64,3) to 96",
        lambda x: ops.image.resize(x, (96, 96)),
        (drawn(16, 64, 64, 3),),
        jax=lambda x: jax.image.resize(x, (16, 96, 96, 3), "bilinear"),
    )
    row("top_k 5 of (128,1000)", lambda x: ops.top_k(x, 5)[0], (drawn(128, 1000),), jax=lambda x: lax.top_k(x, 5)[0])
    row("sort (128,1000)", ops.sort, (drawn(128, 1000),), jax=jnp.sort, numpy=np.sort)
    row("argsort (128,1000)", lambda x: ops.take_along_axis(x, ops.argsort(x, -1), -1), (drawn(128, 1000),), jax=jnp.sort)
    row("cumprod (128,1024)", lambda x: ops.cumprod(x, -1), (drawn(128, 1024),), jax=lambda x: jnp.cumprod(x, -1))
    row("logsumexp (32,4,128,128)", lambda x: ops.logsumexp(x, -1), (drawn(32, 4, 128, 128),), jax=lambda x: nn.logsumexp(x, -1))
    row("rms_normalization (32,4,128,128)", ops.rms_normalization, (drawn(32, 4, 128, 128),))
    classes = DRAWN.integers(0, 1000, 4096).astype("int32")
    row(
        "sparse_categorical_crossentropy (4096,1000)",
        lambda x: ops.sparse_categorical_crossentropy(classes, x, from_logits=True),
        (drawn(4096, 1000),),
        jax=lambda x: -jnp.take_along_axis(nn.log_softmax(x), classes[:, None], -1)[:, 0],
    )
    return rows


def _normalized(ops, x):
    mean, variance = ops.moments(x, (0, 1, 2), keepdims=True)
    return (x - mean) * ops.rsqrt(variance + 1e-3)


def gradients(value_and_grad, total):
    """All gradients of `total(function(*arrays) * weights)` as a function of the arrays; the weights come last."""
    return lambda function: lambda *arrays: value_and_grad(lambda given: (total(function(*given) * arrays[-1]), ()), list(arrays[:-1]))[1]


def measure(engine, wanted):
    """The rows of one backend, printed as they come."""
    import jax

    from cornu import backends, ops

    backend = backends.load(engine)
    by_product, by_copy = rates()
    print(
        f"\n{engine}: large product {by_product / 1e6:.0f} GFLOP/s, large copy {by_copy / 1e6:.1f} GB/s\n{'':52s}{'ours':>9s}{'own':>9s}{'floor':>9s}{'ours/own':>10s}{'ours/floor':>11s}"
    )
    table = {}
    for name, (ours, engines, arrays, operations) in kernels().items():
        if wanted and not any(part in name for part in wanted):
            continue
        arrays = [backend.array(x) for x in arrays]
        out = jax.eval_shape(engines["jax"], *map(backend.numpy, arrays)) if "jax" in engines else ours(*arrays)
        weights = backend.array(drawn(*out.shape))
        for kind in "forward", "gradients":
            given = arrays if kind == "forward" else [*arrays, weights]
            mine = ours if kind == "forward" else gradients(backend.value_and_grad, ops.sum)(ours)
            mine, theirs = backend.compile(mine) if backend.COMPILES else mine, engines.get(engine) or form(engine, name)
            moved = 4 * sum(math.prod(x.shape) for x in (*given, *([weights] if kind == "forward" else arrays)))
            floor = max(operations * (1 if kind == "forward" else 2) / by_product, moved / by_copy)
            best = [milliseconds(run, *given) for run in programs(engine, theirs, arrays, weights, kind == "gradients")] if theirs else []
            cells = [milliseconds(mine, *given), min(best, default=None)]
            table[f"{name}, {kind}"] = {"ours": cells[0], "own": cells[1], "floor": floor}
            shown = "".join(f"{cell:9.3f}" if cell else f"{'':9s}" for cell in cells)
            ratio = f"{cells[0] / cells[1]:10.2f}" if cells[1] else " " * 10
            print(f"{name + ', ' + kind:52s}{shown}{floor:9.3f}{ratio}{cells[0] / floor:11.1f}", flush=True)
    return {"gflops": by_product / 1e6, "copy_gb_per_s": by_copy / 1e6, "cpu_ms": table}


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
    parser.add_argument("--calls", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.calls:
        print(json.dumps(calls(chosen.calls, chosen.backends[0])))
        return
    found = {}
    for engine in chosen.backends:
        small = not chosen.rows and engine != "pytensor"  # whose programs are what runs: a call by itself makes one
        found[engine] = {"microseconds_a_call": compare_calls(engine, oracle(chosen.oracle))} if small else {}
        found[engine] |= measure(engine, chosen.rows)
    if not chosen.rows:
        save("ops" if chosen.backends == ["jax", "numpy"] else f"ops_{'_'.join(chosen.backends)}", found)


if __name__ == "__main__":
    main()
