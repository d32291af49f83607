"""Each op that a backend serves by its engine's own kernel, beside the written-once body: processor milliseconds, forward and gradients.

    taskset -c 0 python benchmarks/overrides.py [part of a name ...] [--engine torch]

An override is worth its lines where the last column is above 1. Recurrent layers and the updates of optimizers are beside their steps and rules.
"""

import argparse
import time

import numpy as np
from measuring import save

import cornu as keras
from cornu import backends, ops, optimizers, tree
from cornu.ops import dispatch
from cornu.variable import Variable

drawn = np.random.default_rng(0)
WIDE = drawn.standard_normal((256, 1024)).astype("float32")
MAPS = drawn.standard_normal((32, 28, 28, 64)).astype("float32")
HEADS = drawn.standard_normal((8, 128, 4, 32)).astype("float32")
GAMMA, CHANNELS = np.ones(1024, "float32"), [np.ones(64, "float32") for _ in range(4)]
LABELS = drawn.integers(0, 1024, 256)
ARGUMENTS = {  # where it is not (WIDE,)
    "batch_normalization": ((MAPS, *CHANNELS[:2], -1), {"offset": CHANNELS[2], "scale": CHANNELS[3]}),
    "binary_crossentropy": ((np.abs(WIDE), WIDE), {"from_logits": True}),
    "dot_product_attention": ((HEADS,) * 3, {"is_causal": True}),
    "dropout": ((WIDE, 0.2), {}),
    "layer_normalization": ((WIDE, GAMMA, GAMMA), {}),
    "random_bits": ((np.array([1, 2], "uint32"), (256, 1024)), {}),
    "rms_normalization": ((WIDE, GAMMA), {}),
    "sparse_categorical_crossentropy": ((LABELS, WIDE), {"from_logits": True}),
}


def milliseconds(function, runs=9, seconds=1.0):
    times, begun = [], time.monotonic()
    function()
    for _ in range(runs):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
        if time.monotonic() - begun > seconds:
            break
    return min(times) * 1e3


def with_gradients(backend, function, args, kwargs):
    places = [i for i, x in enumerate(args) if isinstance(x, np.ndarray) and x.dtype == np.float32]
    args = [backend.array(x) if isinstance(x, np.ndarray) else x for x in args]
    kwargs = {name: backend.array(x) if isinstance(x, np.ndarray) else x for name, x in kwargs.items()}

    def loss(values):
        given = list(args)
        for i, value in zip(places, values, strict=True):
            given[i] = value
        return sum(ops.sum(part) for part in tree.flatten(function(*given, **kwargs))), ()

    if not places:
        return lambda: function(*args, **kwargs)
    return lambda: backend.value_and_grad(loss, [args[i] for i in places])


def recurrent(backend, kind):
    """A layer by the kernel, and step by step."""
    x = drawn.standard_normal((32, 80, 128)).astype("float32")
    found = []
    for unroll in False, True:
        layer = kind(128, unroll=unroll)
        layer.build(x.shape)

        def loss(values, layer=layer):
            with keras.StatelessScope(list(zip(layer.weights, values, strict=True))):
                return ops.sum(layer(x)), ()

        found.append(lambda loss=loss, layer=layer: backend.value_and_grad(loss, [w._raw() for w in layer.weights]))
    return found


def updates(backend, make):
    """An optimizer's update of forty weights by the kernel, and by the rule."""
    found = []
    for form in ("kernel", None), ("rule", None):
        weights = [Variable(np.ones((128, 128), "float32")) for _ in range(40)]
        gradients = [backend.array(np.ones((128, 128), "float32")) for _ in weights]
        optimizer = make(0.001)
        optimizer.build(weights)
        optimizer.form = lambda form=form: (form[0], None if form[0] == "kernel" else "to compare")
        found.append(lambda optimizer=optimizer, gradients=gradients, weights=weights: optimizer.apply(gradients, weights))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--engine", default="torch")
    given = parser.parse_args()
    backend = backends.load(given.engine)
    rows = {}
    for name, body in dispatch.BODIES.items():
        override = dispatch.own_version(name, backend)
        if override is not None:
            args, kwargs = ARGUMENTS.get(name, ((WIDE,), {}))
            extra = {"seed": keras.random.SeedGenerator(1)} if name == "dropout" else {}
            rows[name] = [with_gradients(backend, function, args, kwargs | extra) for function in (override, body)]
    if hasattr(backend, "recurrent"):
        rows |= {kind.__name__: recurrent(backend, kind) for kind in (keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN)}
    if hasattr(backend, "update"):
        rows |= {kind.__name__: updates(backend, kind) for kind in (optimizers.Adam, optimizers.SGD, optimizers.RMSprop)}
    found = {}
    print(f"{'':34s}{'kernel ms':>10s}{'body ms':>10s}{'ratio':>8s}")
    for name, (kernel, body) in rows.items():
        if not given.names or any(part in name for part in given.names):
            found[name] = {"kernel_ms": milliseconds(kernel), "body_ms": milliseconds(body)}
            print(
                f"{name:34s}{found[name]['kernel_ms']:10.3f}{found[name]['body_ms']:10.3f}{found[name]['body_ms'] / found[name]['kernel_ms']:8.2f}", flush=True
            )
    save(f"overrides_{given.engine}", {"ops": found})


if __name__ == "__main__":
    main()
