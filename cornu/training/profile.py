"""Where the time of a step goes: each layer by itself, forward and backward, beside what the machine could do.

What is measured: every layer runs alone, compiled as the engine compiles, on inputs of the shapes that it has in the model, and the call is
waited for; the least wall time of some runs counts, less that of a call that does nothing. Backward is the time of the layer with its gradients
(by its weights, and by its inputs unless these are the model's) less the time without. Layers of one class with the same arguments and shapes
are measured once. Inside a compiled step an engine may join neighbouring layers, so the whole step, which is measured too, may take less than
their sum; what it takes beyond is the loss, the metrics and the optimizer.

The floor of a layer is the larger of two times: its floating point operations at the rate that a large matrix product reaches in the same run,
and its bytes (inputs, weights and outputs once each) at the rate of a large copy. A backward pass is counted as as many operations again for the
gradients by weights, and as many for those by inputs.
"""

import gzip
import json
import os
import time

import numpy as np

from cornu import backends, dtypes, scopes, tree
from cornu.backends import cost, protocol
from cornu.shapes import Spec
from cornu.training import state
from cornu.training.data import adapt

_SIDE = 1024  # of the matrices whose product is the rate of arithmetic
_LONG = 2**23  # numbers whose copy is the rate of memory: 32 MiB in, 32 MiB out
_PATIENCE = 0.25  # seconds after which one thing is not run again


class Row:
    """One layer of a Profile.

    Args:
        name, kind: the layer's name and its class.
        calls: how often the model calls it in a step.
        flops: floating point operations of a forward pass of one batch, and of the backward pass.
        bytes: that must move in a forward pass of one batch, and in the backward pass.
        seconds: of a forward pass, and of the backward pass (0 where nothing is trained).
        floor: seconds that the machine needs at least, for both.
    """

    def __init__(self, name, kind, calls, flops, bytes, seconds, floor):
        self.name, self.kind, self.calls = name, kind, calls
        self.flops, self.bytes, self.seconds, self.floor = flops, bytes, seconds, floor

    total = property(lambda self: sum(self.seconds), doc="Seconds forward and backward.")
    ratio = property(lambda self: self.total / self.floor if self.floor else float("nan"), doc="How many times the floor the layer takes.")


class Profile:
    """What `Model.profile` found.

    Args:
        model: name of the model.
        backend: name of the engine.
        batch: number of samples in the batch.
        rows: a Row a layer, in the order of their calls.
        step: seconds of the whole step: of training where the model is compiled with a loss and targets were given, else of a forward pass.
        trained: whether the step trains.
        rates: (floating point operations a second, bytes a second) that the machine reached.
        overhead: seconds of a call that does nothing, which the rows do not include.
    """

    def __init__(self, model, backend, batch, rows, step, trained, rates, overhead):
        self.model, self.backend, self.batch, self.rows = model, backend, batch, rows
        self.step, self.trained, self.rates, self.overhead = step, trained, rates, overhead

    def __str__(self):
        width = max([24, *(len(f"{row.name} ({row.kind})") + (4 if row.calls > 1 else 0) for row in self.rows)])
        layers, floor = sum(row.total for row in self.rows), sum(row.floor for row in self.rows)
        lines = [
            f'Profile of "{self.model}" on {self.backend}: a batch of {self.batch}, each layer by itself',
            f"{'layer':{width}s}{'forward ms':>12s}{'backward ms':>13s}{'share':>8s}{'FLOPs':>9s}{'bytes':>9s}{'x floor':>9s}",
        ]
        for row in self.rows:
            name = f"{row.name} ({row.kind})" + (f" x{row.calls}" if row.calls > 1 else "")
            share, ratio = row.total / layers if layers else 0, f"{row.ratio:9.1f}" if row.floor else f"{'-':>9s}"
            numbers = f"{1e3 * row.seconds[0]:12.3f}{1e3 * row.seconds[1]:13.3f}{share:8.1%}{short(sum(row.flops)):>9s}{short(sum(row.bytes)):>9s}"
            lines.append(f"{name:{width}s}{numbers}{ratio}")
        what = "a step of training" if self.trained else "a forward pass"
        lines += [
            f"layers together: {1e3 * layers:.3f} ms, their floor {1e3 * floor:.3f} ms ({layers / floor if floor else float('nan'):.1f} times)",
            f"{what} as the model runs it: {1e3 * self.step:.3f} ms ({self.step / floor if floor else float('nan'):.1f} times the layers' floor)",
            f"this machine now: {self.rates[0] / 1e9:.1f} GFLOP/s in a matrix product, {self.rates[1] / 1e9:.1f} GB/s in a copy; a call {1e6 * self.overhead:.0f} us",
        ]
        return "\n".join(lines)

    def trace(self):
        """The events of a timeline as Chrome's, Perfetto's and other viewers of traces read them: layer after layer forward, then backward."""
        events = [{"ph": "M", "pid": 1, "name": "process_name", "args": {"name": f"{self.model} on {self.backend}"}}]
        names = ["layers, each by itself", "the whole step"]
        events += [{"ph": "M", "pid": 1, "tid": tid, "name": "thread_name", "args": {"name": name}} for tid, name in enumerate(names, 1)]
        at = 0.0
        for which, rows in enumerate((self.rows, self.rows[::-1])):
            for row in rows:
                if which and not row.seconds[1]:
                    continue
                details = {"layer": row.kind, "flops": row.flops[which], "bytes": row.bytes[which], "calls": row.calls, "times the floor": round(row.ratio, 2)}
                span = 1e6 * row.seconds[which]
                name = f"{row.name} (backward)" if which else row.name
                events.append({"ph": "X", "pid": 1, "tid": 1, "cat": "backward" if which else "forward", "name": name, "ts": at, "dur": span, "args": details})
                at += span
        name = "step of training" if self.trained else "forward pass"
        events.append({"ph": "X", "pid": 1, "tid": 2, "cat": "step", "name": name, "ts": 0.0, "dur": 1e6 * self.step, "args": {"batch": self.batch}})
        return {"displayTimeUnit": "ms", "traceEvents": events, "otherData": {"flops_per_second": self.rates[0], "bytes_per_second": self.rates[1]}}

    def write(self, path):
        """Write `trace()` as JSON to a file, compressed where its name ends with .gz."""
        opened = gzip.open if str(path).endswith(".gz") else open
        with opened(path, "wt", encoding="utf-8") as file:
            json.dump(self.trace(), file)


def short(number):
    """A number in three digits and a letter.

    >>> short(1536), short(2_500_000_000)
    ('1.54K', '2.5G')
    """
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:g}"


# -- measuring ----------------------------------------------------------------------------------------------------------------------------


def least(function, *args, runs=5):
    """The least wall seconds of a call whose results are waited for, over some runs after a first."""
    backend, times, begun = backends.current(), [], time.perf_counter()
    backend.block(function(*args))
    while len(times) < runs and (len(times) < 2 or time.perf_counter() - begun < _PATIENCE):
        start = time.perf_counter()
        backend.block(function(*args))
        times.append(time.perf_counter() - start)
    return min(times)


def rates():
    """What the engine reaches on this machine now: (floating point operations, bytes) a second, in a large product and a large copy; and the seconds of a call."""
    backend, draw = backends.current(), np.random.default_rng(0)
    matrix = backend.array(draw.random((_SIDE, _SIDE), "float32"))
    long, little = backend.array(draw.random(_LONG, "float32")), backend.array(np.zeros(8, "float32"))
    product, copy = backend.compile(lambda x: protocol.matmul(x, x)), backend.compile(lambda x: protocol.add(x, 1.0))
    overhead = least(copy, little, runs=20)
    return (2 * _SIDE**3 / least(product, matrix), 8 * _LONG / least(copy, long)), overhead


class Call:
    """One call of a layer: what it is called on (Specs among it), what it gives, and its operations."""

    def __init__(self, layer, args, kwargs, outputs, flops):
        self.layer, self.args, self.kwargs, self.flops = layer, args, kwargs, flops
        self.specs = [leaf for leaf in tree.flatten((args, kwargs)) if type(leaf) is Spec]
        self.outputs = [leaf for leaf in tree.flatten(outputs) if type(leaf) is Spec]

    def key(self, given):
        """The same for calls that take the same time."""
        config = {name: value for name, value in self.layer.get_config().items() if name not in ("name", "trainable")}
        weights = [(tuple(w.shape), w.dtype, w.trainable) for w in self.layer.weights]
        specs = [(tuple(spec.shape), spec.dtype, any(spec is own for own, _ in given)) for spec in self.specs]
        return repr((type(self.layer), config, weights, specs, sorted(self.kwargs)))


def leaves(model):
    """The layers that are measured: those of the model, and of models inside of it."""
    for layer in model.layers:
        if hasattr(layer, "layers") and hasattr(layer, "fit"):
            yield from leaves(layer)
        else:
            yield layer


def calls(model, specs, training):
    """A Call for each time that a forward pass on Specs comes to one of the `leaves`."""
    found, watched = [], {}

    def watch(layer):
        own = layer.call

        def call(*args, **kwargs):
            with cost.counting() as tally:
                outputs = own(*args, **kwargs)
            found.append(Call(layer, args, kwargs, outputs, tally.flops))
            return outputs

        watched[id(layer)] = layer
        object.__setattr__(layer, "call", call)

    for layer in leaves(model):
        if id(layer) not in watched and type(layer).__name__ != "InputLayer":
            watch(layer)
    try:
        with cost.counting(), scopes.SymbolicScope():
            model(specs, training=training) if model._function is None else model.call(specs, training=training)
    finally:
        for layer in watched.values():
            del layer.__dict__["call"]
    return found


def _filled(spec, given, draw):
    """Numbers for a Spec: those of the model's input that it is, else drawn at random; zeros for integers, which may be places."""
    for own, value in given:
        if spec is own:
            return value
    if not dtypes.is_float(spec.dtype):
        return backends.array(np.ones(spec.shape, bool) if spec.dtype == "bool" else np.zeros(spec.shape, "int32"), spec.dtype)
    return backends.array(draw.standard_normal(spec.shape, "float32"), spec.dtype)


def timed(call, given, training, overhead, runs):
    """Seconds of a call forward, and backward."""
    backend, layer, draw = backends.current(), call.layer, np.random.default_rng(0)
    weights, others = layer.trainable_variables, layer.non_trainable_variables
    arrays = [_filled(spec, given, draw) for spec in call.specs]
    inputs = {id(own) for own, _ in given}
    smooth = [i for i, spec in enumerate(call.specs) if dtypes.is_float(spec.dtype) and id(spec) not in inputs]
    cotangents = [backends.array(draw.standard_normal(spec.shape, "float32"), spec.dtype) for spec in call.outputs if dtypes.is_float(spec.dtype)]
    kept = [variable.value for variable in others]

    def forward(values, kept, arrays):
        rest = iter(arrays)
        args, kwargs = tree.map_structure(lambda leaf: next(rest) if type(leaf) is Spec else leaf, (call.args, call.kwargs))
        outputs, news = layer.stateless_call(values, kept, *args, **kwargs)
        return [leaf for leaf in tree.flatten(outputs) if backends.is_tensor(leaf)], list(news)

    def both(values, kept, arrays, cotangents):
        def scalar(chosen):
            filled = list(arrays)
            for i, value in zip(smooth, chosen[len(values) :], strict=True):
                filled[i] = value
            outputs, news = forward(chosen[: len(values)], kept, filled)
            outputs = [leaf for leaf in outputs if dtypes.is_float(backends.kind(leaf))]
            parts = [protocol.sum(protocol.multiply(leaf, one), tuple(range(leaf.ndim)), False) for leaf, one in zip(outputs, cotangents, strict=True)]
            total = protocol.cast(parts[0], "float32")
            for part in parts[1:]:
                total = protocol.add(total, protocol.cast(part, "float32"))
            return total, (outputs, news)

        return backend.value_and_grad(scalar, [*values, *(arrays[i] for i in smooth)])

    values = [variable.value for variable in weights]
    ahead = max(0.0, least(backend.compile(forward), values, kept, arrays, runs=runs) - overhead)
    if not training or not cotangents or not (weights or smooth):
        return ahead, 0.0
    return ahead, max(0.0, least(backend.compile(both), values, kept, arrays, cotangents, runs=runs) - overhead - ahead)


def work(call, given, training):
    """(operations forward, backward), (bytes forward, backward) of a call."""
    own = lambda items: sum(map(cost.size_in_bytes, items))
    inputs, weights = own(call.specs), own(call.layer.trainable_variables)
    ahead = inputs + own(call.layer.variables) + own(call.outputs)
    known = {id(own) for own, _ in given}
    by_inputs = any(dtypes.is_float(spec.dtype) and id(spec) not in known for spec in call.specs)
    if not training or not (weights or by_inputs):
        return (call.flops, 0), (ahead, 0)
    back = inputs + own(call.outputs) + 2 * weights + (inputs if by_inputs else 0)
    return (call.flops, call.flops * (bool(weights) + by_inputs)), (ahead, back)


def measure(model, x, y=None, sample_weight=None, batch_size=32, runs=5):
    """The Profile of `model`; the arguments are those of `Model.profile`. Weights, metrics and the optimizer are as before."""
    x, y, sample_weight = adapt(x, y, sample_weight, batch_size, False, None, None).peek()
    trained = y is not None and getattr(model, "compiled", False) and model._has_loss()
    model._ready("fit" if trained else "predict", (x, y, sample_weight))
    before = state.get(model, "numpy_array")
    try:
        if trained:
            step = least(lambda: model.train_on_batch(x, y, sample_weight), runs=runs)
        else:
            step = least(lambda: model.predict_on_batch(x), runs=runs)
    finally:
        state.put(model, before)
    specs = tree.map_structure(lambda leaf: None if leaf is None else Spec(leaf.shape, backends.canonical(str(leaf.dtype))), x)
    specs = tree.map_structure(lambda spec: Spec(spec.shape, model.compute_dtype) if dtypes.is_float(spec.dtype) else spec, specs)
    given = [(spec, backends.array(leaf, spec.dtype)) for spec, leaf in zip(tree.flatten(specs), tree.flatten(x), strict=True)]
    reached, overhead = rates()
    rows, times = {}, {}
    for call in calls(model, specs, trained):
        key = call.key(given)
        if key not in times:
            times[key] = timed(call, given, trained, overhead, runs)
        flops, moved = work(call, given, trained)
        floor = sum(max(f / reached[0], b / reached[1]) for f, b in zip(flops, moved, strict=True))
        row = rows.get(id(call.layer))
        if row is None:
            rows[id(call.layer)] = Row(call.layer.name, type(call.layer).__name__, 1, flops, moved, times[key], floor)
            continue
        add = lambda a, b: tuple(p + q for p, q in zip(a, b, strict=True))
        row.calls, row.floor = row.calls + 1, row.floor + floor
        row.flops, row.bytes, row.seconds = add(row.flops, flops), add(row.bytes, moved), add(row.seconds, times[key])
    size = given[0][0].shape[0] if given else 0
    return Profile(model.name, backends.current().NAME, size, list(rows.values()), step, trained, reached, overhead)


def checked_path(path):
    """`path` where a file can be written.

    Raises:
        FileNotFoundError: its folder is not there.
    """
    folder = os.path.dirname(os.fspath(path)) or "."
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"profile: trace={os.fspath(path)!r}: there is no folder {folder!r}. Make it first.")
    return path
