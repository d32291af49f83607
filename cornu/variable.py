"""A Variable: one array that changes, with its name, its type and what holds for it."""

import math

import numpy as np

from cornu import backends, dtypes, scopes
from cornu.backends import protocol
from cornu.shapes import Spec


class AutocastScope(scopes.Scope):
    """Inside, float variables are read as `dtype` (None: as they are)."""

    kind = "AutocastScope"

    def __init__(self, dtype):
        self.dtype = dtype if dtype is not None and dtypes.is_float(dtype) else None


class Variable:
    """An array that layers, metrics, optimizers and seeds keep and change.

    The value stays on the host until it is first needed, and moves along when the backend is changed.

    Args:
        initializer: the first value, or a function `(shape, dtype)` that gives it.
        shape: tuple of sizes, needed with a function.
        dtype: name of the type; `floatx` by default.
        trainable: whether training changes it by its gradient.
        autocast: whether layers read it in their compute type.
        name: last part of its path.
    """

    def __init__(
        self, initializer, shape=None, dtype=None, trainable=True, autocast=True, aggregation="none", synchronization="auto", name=None, layout=None, **kwargs
    ):
        if kwargs:
            raise TypeError(f"Variable has no argument {next(iter(kwargs))!r}.")
        self.name = name or scopes.auto_name("variable")
        if "/" in self.name:
            raise ValueError(f"Variable: a name holds no '/'; got {name!r}.")
        path = scopes.current_path()
        self.path = f"{path}/{self.name}" if path else self.name
        self._trainable, self.autocast = bool(trainable), autocast
        self.aggregation, self.synchronization, self.layout = aggregation or "none", synchronization, layout
        self.regularizer = self.constraint = None
        self.overwrite_with_gradient = False
        self.fixed = False  # whether it stays as it is when its layer is set to be trained
        if callable(initializer):
            if shape is None:
                raise ValueError(f"Variable {self.path!r}: an initializer that is a function needs `shape`.")
            self.dtype = backends.canonical(dtypes.standardize(dtype))
            self.shape = _checked_shape(shape, self.path)
            draw = getattr(initializer, "draw", initializer)  # on the host where the initializer can
            deferring = scopes.innermost("DeferredValues")
            self._value = draw(self.shape, dtype=self.dtype) if deferring is None else deferring.put_off(self, draw)
        else:
            self.dtype = backends.canonical(dtypes.standardize(dtype) if dtype is not None else dtypes.result(backends.kind(initializer)))
            self._value = (
                np.array(initializer, self.dtype)
                if isinstance(initializer, (int, float, bool, list, tuple, np.ndarray, np.generic))
                else backends.array(initializer, self.dtype)
            )
            self.shape = tuple(self._value.shape)
            if shape is not None and tuple(shape) != self.shape:
                raise ValueError(f"Variable {self.path!r}: `shape` is {tuple(shape)}, but the value's is {self.shape}.")
        if tuple(self._value.shape) != self.shape:
            raise ValueError(f"Variable {self.path!r}: the initializer gave the shape {tuple(self._value.shape)}; wanted {self.shape}.")
        recorder = scopes.innermost("VariableRecorder")
        if recorder is not None:
            recorder.made.append(self)

    @property
    def trainable(self):
        return self._trainable

    @trainable.setter
    def trainable(self, value):
        self._trainable = bool(value)
        mark = getattr(protocol.backend, "trained", None)
        if mark is not None and isinstance(self._value, protocol.backend.ARRAY):
            self._value = mark(self._value, self._trainable)

    @property
    def ndim(self):
        return len(self.shape)

    rank = ndim

    @property
    def size(self):
        return math.prod(self.shape)

    @property
    def value(self):
        """The array that the variable holds now: inside a stateless scope, the scope's."""
        value = self._raw()
        scope = scopes.innermost("AutocastScope")
        if scope is not None and scope.dtype is not None and self.autocast and scope.dtype != self.dtype and dtypes.is_float(self.dtype):
            return Spec(self.shape, scope.dtype) if type(value) is Spec else backends.array(value, scope.dtype)
        return value

    def _raw(self):
        scope, read = scopes.innermost("StatelessScope"), getattr(protocol.backend, "read", None)
        if scope is not None:
            found = scope.state_mapping.get(id(self))
            if found is not None:
                return found if read is None else read(self, found)
        if scopes.innermost("SymbolicScope") is not None:
            return Spec(self.shape, self.dtype)
        backend = protocol.backend or backends.load()
        if read is not None:
            found = read(self, None)
            if found is not None:
                return found
        value = self._value
        if not isinstance(value, backend.ARRAY):
            if type(value) is Deferred:
                value = self._value = value.draw()
            value = backend.array(backends.numpy(value) if not isinstance(value, np.ndarray) else value, self.dtype)
            if isinstance(value, backend.ARRAY):  # not while a program is being traced
                if self._trainable and hasattr(backend, "trained"):
                    value = backend.trained(value, True)
                self._value = value
        return value if read is None else read(self, value)

    def _cornu_value(self):
        return self.value

    def _checked(self, value):
        """`value` as an array of the variable's shape and type.

        Raises:
            ValueError: another shape.
        """
        value = backends.array(value, self.dtype)
        if value.shape != self.shape and tuple(value.shape) != self.shape:
            raise ValueError(f"Variable {self.path!r} has the shape {self.shape}; the value to assign has {tuple(value.shape)}.")
        return value

    def assign(self, value):
        """Make `value` the variable's; its shape must be the same."""
        if scopes.innermost("SymbolicScope") is not None:
            return value
        value = self._checked(value)
        scope = scopes.innermost("StatelessScope")
        if scope is not None:
            scope.add_update((self, value))
        else:
            put = getattr(protocol.backend, "put", None)
            self._value = value if put is None else put(self._value, value)
        return value

    def assign_add(self, value):
        """Add `value` to the variable."""
        return self.assign(protocol.add(self._raw(), self._like(value)))

    def assign_sub(self, value):
        """Subtract `value` from the variable."""
        return self.assign(protocol.subtract(self._raw(), self._like(value)))

    def _like(self, value):
        plain = (type(value) is float and dtypes.is_float(self.dtype)) or (type(value) is int and 0 <= value < 128 and self.dtype != "bool")
        return value if plain or type(value) is Spec else backends.array(value, self.dtype)

    def numpy(self):
        """A NumPy array of the value."""
        if type(self._value) is Deferred:
            self._value = self._value.draw()
        value = self._value if scopes.innermost("StatelessScope") is None else self._raw()
        return np.array(value if isinstance(value, np.ndarray) else backends.numpy(value))  # a copy, which may be written to

    def __array__(self, dtype=None, copy=None):
        value = self.numpy()
        return value if dtype is None else value.astype(dtype)

    def __float__(self):
        return float(self.numpy())

    def __int__(self):
        return int(self.numpy())

    __index__ = __int__

    def __bool__(self):
        raise TypeError(f"Variable {self.path!r} has no truth value. Compare its `.numpy()`, or use ops.cond.")

    def __jax_array__(self):
        return self.value

    def __tf_tensor__(self, dtype=None, name=None):
        return backends.array(self.value, dtype and dtypes.standardize(dtype))

    _should_act_as_resource_variable = True  # so that a tape of TensorFlow takes it as a source, by its `handle`

    @property
    def handle(self):
        """What stands for it on a tape of TensorFlow."""
        return backends.current().handle(self)

    def __repr__(self):
        shown = "" if scopes.in_stateless_scope() else f", value={np.array2string(np.asarray(self.numpy()), threshold=20, edgeitems=2)}"
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}{shown}>"


class VariableRecorder(scopes.Scope):
    """Inside, every variable that is made is kept in `made`, in order."""

    kind = "VariableRecorder"

    def __init__(self):
        self.made = []


class Deferred:
    """Stands for a value that is drawn when it is first asked for; it has a shape and takes no memory."""

    def __init__(self, variable, draw, scope):
        self.shape, self.dtype, self.path = variable.shape, variable.dtype, variable.path
        self._draw, self._scope = draw, scope

    def draw(self):
        if self._scope is not None and self._scope.is_open:
            self._scope.count(self)
        return self._draw(self.shape, dtype=self.dtype)


class DeferredValues(scopes.Scope):
    """Inside, variables get their shapes at once and their first values only when these are asked for.

    Args:
        limit: how many numbers may be drawn while the scope is open; None for any number.
        error: what is raised beyond it.
    """

    kind = "DeferredValues"

    def __init__(self, limit=None, error=MemoryError):
        self.limit, self.error, self.drawn, self.is_open = limit, error, 0, True
        self.variables = []

    def put_off(self, variable, draw):
        self.variables.append(variable)
        return Deferred(variable, draw, self)

    def count(self, deferred):
        """Take the size of `deferred` from what may be drawn.

        Raises:
            error: nothing is left.
        """
        self.drawn += math.prod(deferred.shape)
        if self.limit is not None and self.drawn > self.limit:
            raise self.error(f"The variable {deferred.path!r} of shape {deferred.shape} is larger than the file that asks for it pays for.")

    @property
    def waiting(self):
        """The variables that were made inside and have no value yet."""
        return [variable for variable in self.variables if type(variable._value) is Deferred]

    def __exit__(self, *_):
        self.is_open = False
        super().__exit__()


def _checked_shape(shape, path):
    shape = (shape,) if hasattr(shape, "__index__") and not isinstance(shape, (tuple, list)) else tuple(shape)
    for size in shape:
        if size is None or not hasattr(size, "__index__") or size == None:  # noqa: E711  an unknown size equals None
            raise ValueError(f"Variable {path!r}: every size of a variable must be known; its shape would be {shape}.")
        if size < 0:
            raise ValueError(f"Variable {path!r}: a size is negative in {shape}.")
    return tuple(int(size) for size in shape)
