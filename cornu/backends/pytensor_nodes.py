"""What PyTensor lacks, as operations of its own: windows over images, shifts of bits, gradients written by hand, loops that may run no time at all,
and functions of NumPy with the gradients of the NumPy backend's rules.
"""

# pyright: reportMissingImports=false

import itertools

import numpy as np
import pytensor
from pytensor import tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_grad
from pytensor.graph.basic import Apply, Constant
from pytensor.graph.op import Op
from pytensor.graph.replace import graph_replace
from pytensor.graph.rewriting.basic import node_rewriter
from pytensor.graph.traversal import toposort
from pytensor.scalar.basic import BinaryScalarOp, Cast
from pytensor.tensor.elemwise import Elemwise
from pytensor.tensor.rewriting.basic import register_canonicalize

from cornu.backends import numpy_gradients
from cornu.backends.numpy_tape import Quiet, lifted, plain

# Windows: what a convolution or a pooling sees, place by place


def outputs_of(sizes, window, strides, dilation):
    """How many places a window has along each axis."""
    return [(n - (k - 1) * d - 1) // s + 1 for n, k, s, d in zip(sizes, window, strides, dilation, strict=True)]


def places_of(window, strides, dilation, outputs):
    """For each place in a window the slices of what it sees as the window moves."""
    for place in itertools.product(*map(range, window)):
        yield tuple(slice(i * d, i * d + (o - 1) * s + 1, s) for i, d, s, o in zip(place, dilation, strides, outputs, strict=True))


class Windows(Op):
    """(N, *space, C) -> (N, *outputs, places of the window, C)."""

    __props__ = ("window", "strides", "dilation")

    def __init__(self, window, strides, dilation):
        self.window, self.strides, self.dilation = tuple(window), tuple(strides), tuple(dilation)

    def make_node(self, x):
        batch, *space, channels = x.type.shape
        found = outputs_of([np.nan if n is None else n for n in space], self.window, self.strides, self.dilation)
        sizes = [None if n is None else int(o) for n, o in zip(space, found, strict=True)]
        return Apply(self, [x], [pt.tensor(dtype=x.dtype, shape=(batch, *sizes, int(np.prod(self.window)), channels))])

    def perform(self, node, inputs, storage):
        (x,) = inputs
        outputs = outputs_of(x.shape[1:-1], self.window, self.strides, self.dilation)
        found = np.empty((x.shape[0], *outputs, int(np.prod(self.window)), x.shape[-1]), x.dtype)
        for i, seen in enumerate(places_of(self.window, self.strides, self.dilation, outputs)):
            found[..., i, :] = x[(slice(None), *seen)]
        storage[0][0] = found

    def infer_shape(self, fgraph, node, shapes):
        ((batch, *space, channels),) = shapes
        return [(batch, *outputs_of(space, self.window, self.strides, self.dilation), int(np.prod(self.window)), channels)]

    def pullback(self, inputs, outputs, gradients):
        (x,) = inputs
        return [Overlap(self.window, self.strides, self.dilation)(gradients[0], *[x.shape[i] if n is None else n for i, n in enumerate(x.type.shape[1:-1], 1)])]


class Overlap(Op):
    """Windows put back where they were seen, and added: (N, *outputs, places, C) and the sizes -> (N, *space, C)."""

    __props__ = ("window", "strides", "dilation")

    __init__ = Windows.__init__

    def make_node(self, x, *space):
        space = [pt.as_tensor_variable(n, dtype="int64") for n in space]
        known = [int(n.data) if isinstance(n, pt.Constant) else None for n in space]
        return Apply(self, [x, *space], [pt.tensor(dtype=x.dtype, shape=(x.type.shape[0], *known, x.type.shape[-1]))])

    def perform(self, node, inputs, storage):
        x, *space = inputs
        found = np.zeros((x.shape[0], *map(int, space), x.shape[-1]), x.dtype)
        for i, seen in enumerate(places_of(self.window, self.strides, self.dilation, x.shape[1:-2])):
            found[(slice(None), *seen)] += x[..., i, :]
        storage[0][0] = found

    def infer_shape(self, fgraph, node, shapes):
        return [(shapes[0][0], *node.inputs[1:], shapes[0][-1])]

    def connection_pattern(self, node):
        return [[True]] + [[False]] * (len(node.inputs) - 1)

    def pullback(self, inputs, outputs, gradients):
        return [Windows(self.window, self.strides, self.dilation)(gradients[0]), *[DisconnectedType()() for _ in inputs[1:]]]


# Elementwise


class Wrapped(BinaryScalarOp):
    """An operation on integers whose result keeps the type and loses the bits that do not fit. In PyTensor's own, compiled by Numba, intermediate
    results of a fused expression keep them, and hashes come out wrong.
    """

    symbol = ""  # in C, Python and Numba alike

    def __init__(self):
        super().__init__(_first_type, name=self.nfunc_spec[0])

    def impl(self, x, y):
        return getattr(np, self.nfunc_spec[0])(x, y)

    def c_code(self, node, name, inputs, outputs, sub):
        return f"{outputs[0]} = {inputs[0]} {self.symbol} {inputs[1]};"

    def pullback(self, inputs, outputs, gradients):
        return [x.zeros_like(dtype=pytensor.config.floatX) for x in inputs]


def _first_type(x, y):
    return [x]


def _wrapped(name, symbol):
    kind = type(name.title().replace("_", ""), (Wrapped,), {"nfunc_spec": (name, 2, 1), "symbol": symbol})
    globals()[kind.__name__] = kind  # where pickle finds it, with which programs are kept
    return kind


_KINDS = {name: _wrapped(name, symbol) for name, symbol in {"add": "+", "subtract": "-", "multiply": "*", "left_shift": "<<", "right_shift": ">>"}.items()}
WRAPPED = {name: Elemwise(kind()) for name, kind in _KINDS.items()}


class Astype(Op):
    """A cast for graphs that run as they are: PyTensor's own calls Python for each element there."""

    __props__ = ("dtype",)

    def __init__(self, dtype):
        self.dtype = dtype

    def make_node(self, x):
        return Apply(self, [x], [pt.tensor(dtype=self.dtype, shape=x.type.shape)])

    def perform(self, node, inputs, storage):
        storage[0][0] = np.asarray(inputs[0]).astype(self.dtype)


@node_rewriter([Elemwise])
def local_astype(fgraph, node):
    """A cast as one of whole arrays."""
    return [Astype(node.outputs[0].dtype)(node.inputs[0])] if isinstance(node.op.scalar_op, Cast) else None


# Gradients


class Custom(Op):
    """Values as they are, with a gradient of their own. What is not optimized away is a view.

    Args:
        values: variables; the inputs of a node are these and the arguments.
        arguments: variables that the values follow from.
        pulled: a function of the values' gradients that gives one for each argument, or None.
    """

    def __init__(self, values, arguments, pulled):
        self.arguments, self.pulled, self.count = arguments, pulled, len(values)
        self.view_map = {i: [i] for i in range(self.count)}

    def make_node(self, *inputs):
        return Apply(self, inputs, [x.type() for x in inputs[: self.count]])

    def perform(self, node, inputs, storage):
        for place, x in zip(storage, inputs, strict=False):
            place[0] = x

    def infer_shape(self, fgraph, node, shapes):
        return shapes[: self.count]

    def connection_pattern(self, node):
        return [[i >= self.count] * self.count for i in range(len(node.inputs))]

    def pullback(self, inputs, outputs, gradients):
        """The graph that `pulled` gives is of the arguments that were there when it was made: inside a scan these are others now."""
        symbols = [y.type() for y in outputs]
        found = [DisconnectedType()() if g is None else g for g in self.pulled(symbols)]
        places = [i for i, g in enumerate(found) if not isinstance(g.type, DisconnectedType)]
        given = [y.zeros_like() if isinstance(g.type, DisconnectedType) else g for y, g in zip(outputs, gradients, strict=True)]
        others = [(old, new) for old, new in zip(self.arguments, inputs[self.count :], strict=True) if old is not new]
        replaced = graph_replace([found[i] for i in places], dict([*zip(symbols, given, strict=True), *others]), strict=False)
        for i, g in zip(places, replaced, strict=True):
            found[i] = g
        return [DisconnectedType()() for _ in outputs] + found


def custom(values, arguments, pulled):
    """The variables `values` with the gradient by `arguments` that `pulled` gives; see Custom."""
    return Custom(values, arguments, pulled)(*[disconnected_grad(x) for x in values], *arguments, return_list=True)


@register_canonicalize("fast_compile")
@node_rewriter([Custom])
def local_custom(fgraph, node):
    """After the gradients are made the values remain."""
    return list(node.inputs[: node.op.count])


class Host(Op):
    """A function of NumPy arrays where PyTensor has none. The gradient is that of the NumPy backend, so it has gradients too.

    Args:
        function: of arrays, written over the primitives of the NumPy backend; gives a tuple of arrays.
        types: the types and shapes (None where a size is not known) of the results.
        key: what tells this function from others.
    """

    __props__ = ("key",)

    def __init__(self, function, types, key):
        self.function, self.types, self.key = function, types, key

    def make_node(self, *inputs):
        return Apply(self, inputs, [pt.tensor(dtype=dtype, shape=shape) for dtype, shape in self.types])

    def perform(self, node, inputs, storage):
        with Quiet():
            for place, value, (dtype, _) in zip(storage, self.function(*inputs), self.types, strict=True):
                place[0] = np.asarray(plain(value), dtype)

    def connection_pattern(self, node):
        smooth = [dtype.startswith(("float", "complex")) for dtype, _ in self.types]
        return [[x.dtype.startswith(("float", "complex")) and s for s in smooth] for x in node.inputs]

    def pullback(self, inputs, outputs, gradients):
        places = [i for i, x in enumerate(inputs) if x.dtype.startswith(("float", "complex"))]
        used = [i for i, g in enumerate(gradients) if not isinstance(g.type, DisconnectedType) and self.types[i][0].startswith(("float", "complex"))]
        function, count = self.function, len(inputs)

        def pulled(*args):
            values, weights = args[:count], args[count:]

            def weighted(chosen):
                filled = list(values)
                for i, x in zip(places, chosen, strict=True):
                    filled[i] = x
                out, total = function(*filled), 0.0
                for i, weight in zip(used, weights, strict=True):
                    product = lifted.multiply(out[i], lifted.conj(weight))
                    product = lifted.real(product) if np.iscomplexobj(plain(product)) else product
                    total = lifted.add(lifted.sum(product, tuple(range(product.ndim)), False), total)
                return total, ()

            return tuple(numpy_gradients.value_and_grad(weighted, [values[i] for i in places])[1])

        types = tuple((inputs[i].dtype, inputs[i].type.shape) for i in places)
        found = Host(pulled, types, ("gradient", self.key, tuple(used), types))(*inputs, *[gradients[i] for i in used], return_list=True)
        found = dict(zip(places, found, strict=True))
        return [found[i] if i in found else DisconnectedType()() for i in range(count)]


# Loops


def captured(outputs, leaves):
    """The variables of a graph over `leaves` that do not depend on these: what comes into a loop's body from around it."""
    around, memory = {}, {leaf: True for leaf in leaves}

    for node in toposort(outputs, blockers=leaves):
        depends = any(memory.get(x, False) for x in node.inputs)
        memory.update(dict.fromkeys(node.outputs, depends))
        if depends:
            around.update((x, None) for x in node.inputs if not memory.get(x, False))
    around.update((x, None) for x in outputs if not memory.get(x, False))
    return [x for x in around if not isinstance(x, Constant)]


class Loop(Op):
    """`state = body(state)` as long as `test(state)`; both are graphs over variables that stand for the state.

    Args:
        state: those variables.
        test, body: the graphs' outputs.
        mode: how they are compiled.
    """

    def __init__(self, state, test, body, mode):
        self.around = captured([test, *body], state)
        inner = [x.type() for x in self.around]
        self.test, *self.body = graph_replace([test, *body], dict(zip(self.around, inner, strict=True)), strict=False)
        self.state, self.inner, self.mode, self.functions = state, inner, mode, None

    def make_node(self, *inputs):
        return Apply(self, inputs, [x.type() for x in self.state])

    def perform(self, node, inputs, storage):
        if self.functions is None:
            make = lambda outputs: pytensor.function([*self.state, *self.inner], outputs, mode=self.mode, on_unused_input="ignore", trust_input=True)
            self.functions = make(self.test), make(self.body)
        test, body = self.functions
        state, around = list(inputs[: len(self.state)]), inputs[len(self.state) :]
        while test(*state, *around):
            state = [np.asarray(x) for x in body(*state, *around)]
        for place, value, given in zip(storage, state, inputs, strict=False):
            place[0] = value.copy() if value is given else value

    def infer_shape(self, fgraph, node, shapes):
        return shapes[: len(self.state)]
