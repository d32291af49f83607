"""`+`, `@`, `x[...]`, `x.reshape(...)`: what tensors without values, Variables and a backend's own kinds of arrays share with its arrays."""

from cornu import backends
from cornu.ops import elementwise, index, making, products, reduce, shaping
from cornu.ops.dispatch import OPS
from cornu.shapes import Spec
from cornu.symbolic import KerasTensor
from cornu.variable import Variable

_BINARY = {
    "add": elementwise.add,
    "sub": elementwise.subtract,
    "mul": elementwise.multiply,
    "truediv": elementwise.divide,
    "floordiv": elementwise.floor_divide,
    "mod": elementwise.mod,
    "pow": elementwise.power,
    "matmul": products.matmul,
    "and": elementwise.logical_and,
    "or": elementwise.logical_or,
    "xor": elementwise.logical_xor,
}
_BITS = {
    "and": elementwise.bitwise_and,
    "or": elementwise.bitwise_or,
    "xor": elementwise.bitwise_xor,
    "lshift": elementwise.left_shift,
    "rshift": elementwise.right_shift,
}
_COMPARE = {"lt": elementwise.less, "le": elementwise.less_equal, "gt": elementwise.greater, "ge": elementwise.greater_equal}


def _operand(x):
    """Whether `x` may stand beside a tensor in an operator."""
    return isinstance(x, (int, float, complex, list, tuple)) or hasattr(x, "dtype") or hasattr(x, "__array__")


def _forward(function):
    return lambda self, other: function(self, other) if _operand(other) else NotImplemented


def _reflected(function):
    return lambda self, other: function(other, self) if _operand(other) else NotImplemented


def _logic(name):
    """`&`, `|`, `^` of booleans or of the bits of integers."""
    logical, bitwise = _BINARY[name], _BITS[name]
    return lambda x, y: (logical if backends.kind(x) == "bool" else bitwise)(x, y)


def _ufunc(self, ufunc, method, *inputs, **kwargs):
    """NumPy's function of that name as the op, where there is one."""
    op = _UFUNCS.get(ufunc.__name__) or OPS.get(ufunc.__name__)
    if method != "__call__" or kwargs or op is None:
        raise TypeError(
            f"numpy.{ufunc.__name__} takes arrays with values; got a {type(self).__name__}. Use functions of cornu.ops or layers on it, not NumPy's."
        )
    return op(*inputs)


def _equal(self, other):
    return elementwise.equal(self, other) if _operand(other) else NotImplemented


def _symbolic_equal(self, other):
    """Two symbolic tensors are equal when they are one, so that they can be looked up; with anything else, element by element."""
    return self is other if isinstance(other, KerasTensor) else _equal(self, other)


def _invert(self):
    return (elementwise.logical_not if backends.kind(self) == "bool" else elementwise.bitwise_not)(self)


def _shape_argument(sizes):
    return sizes[0] if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else sizes


def _iterate(self):
    if not self.shape:
        raise TypeError("A tensor without axes cannot be iterated over.")
    return iter(shaping.unstack(self))


def _axes_argument(axes):
    return None if not axes else _shape_argument(axes)


_UFUNCS = {  # where NumPy's name is another, or stands for booleans and integers alike
    "absolute": elementwise.abs,
    "remainder": elementwise.mod,
    "invert": _invert,
    **{f"bitwise_{name}": _logic(name) for name in ("and", "or", "xor")},
}
_METHODS = {
    **{f"__{name}__": _forward(function) for name, function in {**_BINARY, **_BITS, **_COMPARE}.items() if name not in ("and", "or", "xor")},
    **{f"__r{name}__": _reflected(function) for name, function in {**_BINARY, **_BITS}.items() if name not in ("and", "or", "xor")},
    **{f"__{name}__": _forward(_logic(name)) for name in ("and", "or", "xor")},
    **{f"__r{name}__": _reflected(_logic(name)) for name in ("and", "or", "xor")},
    "__eq__": _equal,
    "__ne__": lambda self, other: elementwise.not_equal(self, other) if _operand(other) else NotImplemented,
    "__hash__": object.__hash__,
    "__neg__": lambda self: elementwise.negative(self),
    "__pos__": lambda self: self,
    "__abs__": lambda self: elementwise.abs(self),
    "__invert__": _invert,
    "__round__": lambda self, decimals=0: elementwise.round(self, decimals),
    "__getitem__": lambda self, key: index.get_item(self, key),
    "__iter__": _iterate,
    "reshape": lambda self, *newshape: shaping.reshape(self, _shape_argument(newshape)),
    "squeeze": lambda self, axis=None: shaping.squeeze(self, axis),
    "transpose": lambda self, *axes: shaping.transpose(self, _axes_argument(axes)),
    "astype": lambda self, dtype: making.cast(self, dtype),
    "T": property(lambda self: shaping.transpose(self)),
    **{
        name: (lambda function: lambda self, axis=None, keepdims=False: function(self, axis, keepdims))(getattr(reduce, name))
        for name in ("sum", "prod", "mean", "var", "std", "max", "min", "any", "all", "argmax", "argmin")
    },
    "__array_ufunc__": _ufunc,  # `array + x` and numpy.sin(x)
}


def attach(kind):
    """Give the class `kind` the operators and methods that it does not have itself."""
    for name, method in _METHODS.items():
        if not any(name in vars(base) for base in kind.__mro__[:-1]):  # `object` has some of the names
            setattr(kind, name, method)


for _kind in (Spec, KerasTensor, Variable):
    attach(_kind)
KerasTensor.__eq__ = _symbolic_equal


@backends.on_load
def _attach_to_arrays(backend):
    for kind in getattr(backend, "OPERATOR_TYPES", ()):
        attach(kind)
