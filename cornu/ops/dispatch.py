"""How one written op serves arrays, specs, graphs and every backend.

`@op` is for a body over other ops; `unary` and `binary` make an elementwise op of a primitive. Each returns an ordinary function. A backend
that defines a function of the same name has its own version used on its arrays (an override); where that gives NotImplemented, the body runs.
"""

import contextlib
import functools
import re

import numpy as np

from cornu import backends, dtypes, shapes, symbolic
from cornu.backends import array, canonical, kind, protocol
from cornu.shapes import Spec
from cornu.symbolic import KerasTensor

OPS = {}  # name -> the op, in the order of definition
BODIES = {}  # name -> its written-once body, where a backend may have an override
_WRITTEN = {}  # name -> what runs for it now, on tensors and on concrete arrays
_NONE = frozenset()
_SCALARS = (int, float, bool, str, type(None))
_concrete, _settled = set(), set(_SCALARS)  # types of the backend's arrays; and those with all that is neither symbolic nor in need of conversion


def _arrays_of(backend):
    _concrete.clear()
    _concrete.update(backend.ARRAY if isinstance(backend.ARRAY, tuple) else (backend.ARRAY,))
    _settled.clear()
    _settled.update(_SCALARS, _concrete)


backends.on_load(_arrays_of)
_RESERVED = frozenset((*protocol.UNARY, *protocol.BINARY, *protocol.PRIMITIVES, *protocol.PROGRAM))  # there a backend's function of that name is the primitive


def op(tensors=1, sequence=False, direct=None):
    """An op written once over other ops.

    Args:
        tensors: how many of the first arguments are tensors; they reach the body as tensors, except scalars after the first.
        sequence: whether the first argument is a list of tensors.
        direct: where `direct(*arguments)` holds for concrete arrays, the backend's primitive of the op's name is the op.
    """
    if callable(tensors):
        return op()(tensors)

    def decorate(body):
        name = body.__name__
        names = body.__code__.co_varnames[:tensors]
        written = [body, body]  # what runs on tensors of the backend, and on concrete arrays alone
        BODIES[name], _WRITTEN[name] = body, written

        @functools.wraps(body)
        def call(*args, **kwargs):
            try:
                if _settled.issuperset(map(type, args)) and not kwargs and args and type(args[0]) in _concrete:
                    return written[1](*args)
                if ready(args, kwargs):
                    return written[1](*args, **kwargs)
                return general(args, kwargs)
            except (TypeError, ValueError, AttributeError) as error:
                told = _named_after(name, error, (*args, *kwargs.values()))
                if told is error:
                    raise
                raise told from None

        def general(args, kwargs):
            abstract = False
            for x in (*args, *kwargs.values()) if kwargs else args:
                t = type(x)
                if t is KerasTensor or isinstance(x, KerasTensor):
                    return symbolic.record(call, args, kwargs)
                if t is Spec:
                    abstract = True
                elif t is list or t is tuple or t is dict:
                    if symbolic.any_symbolic(x):
                        return symbolic.record(call, args, kwargs)
                    abstract = abstract or any(type(item) is Spec for item in (x.values() if t is dict else x))
            if tensors:
                args = (*(_tensor(x, i == 0, sequence) for i, x in enumerate(args[:tensors])), *args[tensors:])
                if kwargs:
                    kwargs = {k: _tensor(v, k == names[0], sequence) if k in names else v for k, v in kwargs.items()}
            if abstract:
                return body(*args, **kwargs)
            return written[not args or type(args[0]) in _concrete or type(args[0]) is list](*args, **kwargs)

        def ready(args, kwargs):
            """Whether the first argument is concrete, and nothing symbolic or in need of conversion is there."""
            for i, x in enumerate(args):
                t = type(x)
                nested = (t is list or t is tuple) and _settled.issuperset(map(type, x))
                if i == 0:
                    if not (nested and t is list and _concrete.issuperset(map(type, x)) if sequence else t in _concrete):
                        return False
                elif t not in _settled and (i < tensors or not nested):
                    return False
            for k, x in kwargs.items():
                t = type(x)
                if t not in _settled and (k in names or not (t is list or t is tuple) or not _settled.issuperset(map(type, x))):
                    return False
            return bool(args)

        def on_load(backend):
            own = own_version(name, backend)
            written[0] = _or_body(own, body) if own is not None else body
            written[1] = backend.eager(written[0])
            if direct:
                written[1] = _shortcut(direct, backend.eager(getattr(backend, name)), written[1])

        backends.on_load(on_load)
        OPS[name] = call
        return call

    return decorate


def own_version(name, backend):
    """The backend's own version of the op `name`, or None."""
    return getattr(backend, name, None) if name not in _RESERVED else None


@contextlib.contextmanager
def watched(tell):
    """Inside, `tell(name, form, why, depth)` hears of each call of a written-once op on arrays, before it runs.

    Args:
        tell: function of the op's name; its form, "kernel" for the backend's own version, else "body"; for a body why it is that, else None; and
            the number of ops within whose bodies the call is.
    """
    backend, depth, before = backends.current(), 0, {name: list(written) for name, written in _WRITTEN.items()}

    def telling(name):
        own, body = own_version(name, backend), BODIES[name]
        absent = f"the {backend.NAME} backend has no kernel for it"

        def call(*args, **kwargs):
            nonlocal depth
            out = own(*args, **kwargs) if own is not None else NotImplemented
            if out is not NotImplemented:
                tell(name, "kernel", None, depth)
                return out
            tell(name, "body", absent if own is None else f"the {backend.NAME} backend's kernel does not take these arguments", depth)
            depth += 1
            try:
                return body(*args, **kwargs)
            finally:
                depth -= 1

        return call

    try:
        for name, written in _WRITTEN.items():
            if name not in _RESERVED:  # what is little more than a primitive always runs by the engine's own
                written[:] = [telling(name)] * 2
        yield
    finally:
        for name, written in _WRITTEN.items():
            written[:] = before[name]


def _or_body(override, body):
    """`override`, and the body for the arguments for which that gives NotImplemented."""

    @functools.wraps(body)
    def call(*args, **kwargs):
        out = override(*args, **kwargs)
        return body(*args, **kwargs) if out is NotImplemented else out

    return call


def _shortcut(direct, primitive, body):
    def call(*args, **kwargs):
        if not kwargs and direct(*args):
            return primitive(*args)
        return body(*args, **kwargs)

    return call


def _named_after(op, error, given):
    """An error that an op's body or a conversion raised as one that begins with the op's name; that of a user's function stays as it is."""
    first = re.match(r"[\w.]+", str(error))
    if (first and first[0] in OPS) or any(callable(x) for x in given):
        return error
    if type(error) is AttributeError:
        useless = [x for x in given if x is None or not (hasattr(x, "shape") or isinstance(x, (int, float, complex, str, list, tuple, dict)))]
        return TypeError(f"{op}: wanted tensors, arrays, numbers or lists of numbers; got {type(useless[0]).__name__}.") if useless else error
    kind = next((kind for kind in (TypeError, ValueError) if isinstance(error, kind)), None)
    plain = type(error) is kind or (type(error).__module__.startswith("numpy") and not isinstance(error, np.linalg.LinAlgError))  # JAX's own kinds say more
    return kind(f"{op}: {error}") if kind and plain else error


def _own(x, dtype=None):
    """`x` as a tensor of the backend.

    Raises:
        TypeError: it is one of another engine, which is moved only when that is asked for.
    """
    if hasattr(x, "_cornu_value"):
        x = x._cornu_value()
    backend = protocol.backend
    other = None if backend is not None and backend.is_array(x) else backends.other_engine(x)
    if other:
        raise TypeError(f"the backend is {backends.name()}; got a tensor of {other}, shape {tuple(x.shape)}. Move it first: ops.convert_to_tensor(x).")
    return array(x, dtype)


def _tensor(x, first, sequence):
    """`x` as a tensor; a scalar that is not the first argument stays a scalar, since it is weak in promotion."""
    if type(x) is Spec or (x is None and not first):
        return x
    if first and sequence and isinstance(x, (list, tuple)):
        return [_own(item) for item in x]
    if not first and type(x) in (int, float, bool, complex):
        return x
    if hasattr(x, "_cornu_value"):
        x = x._cornu_value()
    backend = protocol.backend
    return x if backend is not None and isinstance(x, backend.ARRAY) and not isinstance(x, np.ndarray) else _own(x)


def settle(*args, dtype=None):
    """The arguments as tensors of the one type that promotion gives, or `dtype`; Python scalars stay as they are.

    Returns:
        The list of arguments and the type's name.
    """
    dtype = dtype or canonical(dtypes.result(*map(kind, args)))
    return [x if type(x) in (int, float, bool) else _cast(x, dtype) for x in args], dtype


def _cast(x, dtype):
    if type(x) is Spec:
        return x if x.dtype == dtype else Spec(x.shape, dtype)
    return _own(x, dtype)


_EASY = ("float32", "float16", "int32", "bool")


def _kept(backend, dtype, *others):
    """The backend's types in which an op computes as they are, when arguments of the types `others` follow one of them."""
    return frozenset(backend.type_object(easy) for easy in _EASY if dtype(easy, *others) == easy)


def _told(error, op, *operands):
    """The error of an elementwise op with the op's name before it; shapes that do not fit are told as everywhere.

    Raises:
        ValueError: the shapes of `operands` do not broadcast.
    """
    shapes.broadcast(*(tuple(x.shape) for x in operands if hasattr(x, "shape")), op=op)
    return _named_after(op, error, operands)


def unary(name, dtype=dtypes.result, doc=None):
    """An elementwise op of one tensor. `dtype` gives the type to compute in: `dtypes.result` (as it is) or `dtypes.to_float`."""
    primitive, predicate = getattr(protocol, name), name in protocol.PREDICATES
    native, kept = None, _NONE

    def call(x):
        if type(x) in _concrete and x.dtype in kept:
            return native(x)
        if isinstance(x, KerasTensor):
            return symbolic.record(call, (x,), {})
        try:
            if hasattr(x, "_cornu_value"):
                x = x._cornu_value()
            wanted = canonical(dtype(kind(x)))
            if type(x) is Spec:
                return protocol.spec.elementwise(name, x, dtype="bool" if predicate else wanted)
            return primitive(_own(x, wanted))
        except (TypeError, ValueError) as error:
            raise _told(error, name, x) from None

    def on_load(backend):
        nonlocal native, kept
        native, kept = backend.eager(getattr(backend, name)), _kept(backend, dtype)

    backends.on_load(on_load)
    return _named(call, name, doc)


def binary(name, dtype=dtypes.result, doc=None):
    """An elementwise op of two tensors that broadcast."""
    predicate = name in protocol.PREDICATES
    native, primitive = None, getattr(protocol, name)
    both, scalars = _NONE, {int: _NONE, float: _NONE}  # types that are kept beside their own, and beside a scalar of this type

    def call(x1, x2):
        t1, t2 = type(x1), type(x2)
        try:
            if t1 in _concrete:
                if t2 in _concrete:
                    if x1.dtype == x2.dtype and x1.dtype in both:
                        return native(x1, x2)
                elif t2 in scalars and x1.dtype in scalars[t2]:
                    return native(x1, x2)
            if isinstance(x1, KerasTensor) or isinstance(x2, KerasTensor):
                return symbolic.record(call, (x1, x2), {})
            if hasattr(x1, "_cornu_value"):
                x1 = x1._cornu_value()
            if hasattr(x2, "_cornu_value"):
                x2 = x2._cornu_value()
            wanted = canonical(dtype(kind(x1), kind(x2)))
            if not protocol.ABSTRACT.isdisjoint((type(x1), type(x2))):
                return protocol.spec.elementwise(name, x1, x2, dtype="bool" if predicate else wanted)
            if type(x2) in scalars and type(x1) not in scalars:  # one tensor at least; the second scalar stays weak
                return primitive(_own(x1, wanted), x2)
            return primitive(_own(x1, wanted), _own(x2, wanted))
        except (TypeError, ValueError, RuntimeError) as error:
            raise _told(error, name, x1, x2) from None

    def on_load(backend):
        nonlocal native, primitive, both
        primitive = getattr(backend, name)
        native, both = backend.eager(primitive), _kept(backend, dtype)
        scalars.update({int: _kept(backend, dtype, "int"), float: _kept(backend, dtype, "float")})

    backends.on_load(on_load)
    return _named(call, name, doc)


def _named(call, name, doc):
    call.__name__ = call.__qualname__ = name
    call.__doc__ = doc
    call.__module__ = "cornu.ops"
    OPS[name] = call
    return call
