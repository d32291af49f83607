"""The interpreter that counts: shapes as in `spec`, and the floating point operations and bytes that each primitive would cost.

>>> from cornu import ops, shapes
>>> with counting() as tally:
...     out = ops.matmul(shapes.Spec((3, 4)), shapes.Spec((4, 5)))
>>> tally.flops
120

Counts are of the plain computation, nothing fused: a product of (m, k) by (k, n) is 2 m k n operations, an elementwise primitive one a
result, a reduction one an input. Sizes not known count as 1, so a model with an unknown batch is counted for one example.
"""

import builtins
import contextlib
import math
import sys

from cornu import shapes, tree
from cornu.backends import protocol, spec
from cornu.shapes import Spec

to_specs = spec.to_specs


class Tally:
    """What was counted: `flops` (operations), `read` and `written` (bytes), and `calls` (primitive -> how often)."""

    def __init__(self):
        self.flops, self.read, self.written, self.calls = 0, 0, 0, {}

    def add(self, name, flops, inputs, outputs):
        self.flops += flops
        self.read += builtins.sum(map(size_in_bytes, inputs))
        self.written += builtins.sum(map(size_in_bytes, outputs))
        self.calls[name] = self.calls.get(name, 0) + 1

    def repeated(self, other, times):
        """Add `other` as often as `times`."""
        self.flops += other.flops * times
        self.read += other.read * times
        self.written += other.written * times
        for name, count in other.calls.items():
            self.calls[name] = self.calls.get(name, 0) + count * times

    def __repr__(self):
        return f"Tally(flops={self.flops:,}, read={self.read:,}, written={self.written:,})"


_THIS = sys.modules[__name__]
_open = []  # tallies, innermost last


@contextlib.contextmanager
def counting():
    """A scope in which the primitives that run on Specs add to the Tally it gives."""
    tally, before = Tally(), protocol.spec
    _open.append(tally)
    protocol.spec = _THIS
    try:
        yield tally
    finally:
        protocol.spec = before
        _open.remove(tally)
        if _open:
            _open[-1].repeated(tally, 1)


def count(shape):
    """The number of elements, a size not known counting as 1."""
    return math.prod(size for size in shape if not shapes.unknown(size))


def size_in_bytes(x):
    """Bytes of one tensor."""
    dtype = str(x.dtype)
    if dtype == "bool":
        return count(x.shape)
    bits = int("".join(c for c in dtype.split("_")[0] if c.isdigit()) or 8)
    return count(x.shape) * bits // 8


def _tensors(args):
    return [x for x in tree.flatten(args) if hasattr(x, "dtype") and hasattr(x, "shape")]


def _matmul(args, out):
    return 2 * count(out[0].shape) * count(args[0].shape[-1:])


def _einsum(args, out):
    sizes = {}
    for term, x in zip(args[0].split("->")[0].split(","), args[1], strict=True):
        for letter, size in zip(term, x.shape, strict=True):
            sizes[letter] = builtins.max(sizes.get(letter, 1), count((size,)))
    return (2 if len(args[1]) > 1 else 1) * math.prod(sizes.values())


def _conv(args, out):
    return 2 * count(out[0].shape) * count(args[1].shape[:-1])


def _pool(args, out):
    return count(out[0].shape) * math.prod(args[1])


def _inputs(args, out):
    return count(args[0].shape)


def _sorted(args, out):
    return count(args[0].shape) * builtins.max(1, math.ceil(math.log2(builtins.max(2, count(args[0].shape[-1:])))))


def _cubic(args, out):
    return count(args[0].shape) * count(args[0].shape[-1:])


def _updates(args, out):
    return count(args[2].shape)


def _none(args, out):
    return 0


_FLOPS = {
    **dict.fromkeys("matmul".split(), _matmul),
    **dict.fromkeys("einsum".split(), _einsum),
    **dict.fromkeys("conv".split(), _conv),
    **dict.fromkeys("max_pool sum_pool".split(), _pool),
    **dict.fromkeys("sum prod max min any all argmax argmin cumsum cumprod".split(), _inputs),
    **dict.fromkeys("sort argsort top_k fft ifft".split(), _sorted),
    **dict.fromkeys("cholesky qr lu svd eigh eig solve triangular_solve inv det".split(), _cubic),
    "scatter": _updates,
}
_FREE = frozenset("reshape stop_gradient".split())  # neither compute nor move
_CONTROL = frozenset("cond while_loop scan vectorize custom_gradient remat jvp".split())


def elementwise(name, *args, dtype):
    out = spec.elementwise(name, *args, dtype=dtype)
    if _open:
        _open[-1].add(name, count(out.shape), _tensors(args), [out])
    return out


def _counted(name):
    rule = getattr(spec, name)
    flops = _FLOPS.get(name, (lambda args, out: count(out[0].shape)) if name in (*protocol.UNARY, *protocol.BINARY, "where") else _none)

    def call(*args):
        out = rule(*args)
        if _open:
            outputs = [out] if type(out) is Spec else list(out)
            _open[-1].add(name, flops(args, outputs), [] if name == "full" else _tensors(args), outputs)
        return out

    call.__name__ = call.__qualname__ = name
    return call


def cond(predicate, if_true, if_false):
    """The dearer branch is what is counted."""
    with _apart() as first:
        a = if_true()
    with _apart() as second:
        b = if_false()
    if _open:
        _open[-1].repeated(builtins.max(first, second, key=lambda tally: tally.flops), 1)
    return spec.cond(predicate, lambda: a, lambda: b)


def scan(body, state, xs, length, reverse):
    """The body counts as often as there are steps."""
    leaves = [x for x in tree.flatten(xs) if x is not None]
    with _apart() as one:
        out = spec.scan(body, state, xs, length, reverse)
    if _open:
        _open[-1].repeated(one, count((leaves[0].shape[0] if leaves else length,)))
    return out


def vectorize(function, in_axes):
    """The function counts as often as the mapped axis is long."""

    def call(*args):
        with _apart() as one:
            out = spec.vectorize(function, in_axes)(*args)
        if _open:
            _open[-1].repeated(one, count(tree.flatten(out)[0].shape[:1]))
        return out

    return call


@contextlib.contextmanager
def _apart():
    """A Tally for a part that the caller adds itself."""
    tally = Tally()
    _open.append(tally)
    try:
        yield tally
    finally:
        _open.remove(tally)


for _name in (*protocol.PRIMITIVES, *protocol.UNARY, *protocol.BINARY):
    if _name in _FREE or (_name in _CONTROL and _name not in globals()):
        globals()[_name] = getattr(spec, _name)
    elif _name not in _CONTROL:
        globals()[_name] = _counted(_name)
