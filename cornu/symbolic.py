"""Graphs: symbolic tensors, the operations that made them, and running such a graph on values or specs."""

import functools
import inspect

from cornu import backends, dtypes, scopes, shapes, tree
from cornu.shapes import Spec


class KerasTensor:
    """A tensor without values that remembers which operation made it: what `Input` gives and models are made of.

    Args:
        shape: sizes, None where unknown.
        dtype: name of the type.
        name: shown in errors and used by inputs.
    """

    def __init__(self, shape, dtype="float32", sparse=False, ragged=False, record_history=True, name=None, **kwargs):
        if sparse or ragged:
            raise ValueError(f"KerasTensor {name!r}: sparse and ragged tensors are not supported; got sparse={sparse}, ragged={ragged}.")
        self.shape = shapes.public(Spec(shape).shape)
        self.dtype = dtypes.standardize(dtype)
        self.sparse, self.ragged, self.record_history = False, False, record_history
        self.name = name or scopes.auto_name("keras_tensor")

    @property
    def ndim(self):
        return len(self.shape)

    rank = ndim

    @property
    def spec(self):
        return Spec(self.shape, self.dtype)

    def __repr__(self):
        return f"<KerasTensor shape={self.shape}, dtype={self.dtype}, name={self.name}>"

    def _no_values(self, what, do):
        raise TypeError(f"KerasTensor {self.name!r} of shape {self.shape} is symbolic and has no values: it cannot be {what}. {do}")

    def __array__(self, *args, **kwargs):
        self._no_values("turned into an array", "Use functions of cornu.ops or layers on it, not NumPy's.")

    def __jax_array__(self):
        self._no_values("given to a function of JAX", "Wrap that function in a Layer or use cornu.ops.")

    def __bool__(self):
        self._no_values("used as a condition", "Use ops.cond or ops.where.")

    def __float__(self):
        self._no_values("turned into a number", "Run the model on data first.")

    __int__ = __float__

    def __iter__(self):
        if not self.shape or self.shape[0] is None:
            self._no_values("iterated over", "The size of its first axis is not known.")
        return (self[i] for i in range(self.shape[0]))

    def __len__(self):
        if not self.shape or self.shape[0] is None:
            self._no_values("measured with len()", "The size of its first axis is not known.")
        return self.shape[0]


def any_symbolic(*structures):
    """Whether a KerasTensor is among the leaves."""
    return any(isinstance(leaf, KerasTensor) for leaf in tree.flatten(structures))


def to_specs(structure):
    """The structure with a Spec in place of every KerasTensor."""
    return tree.map_structure(lambda leaf: leaf.spec if isinstance(leaf, KerasTensor) else leaf, structure)


def to_symbols(structure):
    """The structure with a new KerasTensor in place of every Spec."""
    return tree.map_structure(lambda leaf: KerasTensor(leaf.shape, leaf.dtype) if type(leaf) is Spec else leaf, structure)


class KerasHistory(tuple):
    """Where a KerasTensor came from: (operation, node_index, tensor_index)."""

    operation = property(lambda self: self[0])
    node_index = property(lambda self: self[1])
    tensor_index = property(lambda self: self[2])


class Node:
    """One use of an operation: what went in and what came out.

    Args:
        operation: the operation.
        args, kwargs: what it was called with; KerasTensors among them are edges of the graph.
        outputs: the structure of KerasTensors that came out.
    """

    def __init__(self, operation, args=(), kwargs=None, outputs=()):
        self.operation, self.args, self.kwargs = operation, tuple(args), dict(kwargs or {})
        self.input_tensors = [leaf for leaf in tree.flatten((self.args, self.kwargs)) if isinstance(leaf, KerasTensor)]
        self.constants = any(hasattr(leaf, "shape") and not isinstance(leaf, KerasTensor) for leaf in tree.flatten((self.args, self.kwargs)))
        self.outputs = [leaf for leaf in tree.flatten(outputs) if isinstance(leaf, KerasTensor)]
        self.output_structure = outputs
        for index, tensor in enumerate(self.outputs):
            tensor._keras_history = KerasHistory((operation, len(operation._inbound_nodes), index))
        operation._inbound_nodes.append(self)

    def move(self):
        """Have constants that are tensors of an engine no longer in use on the host, where every engine takes them."""
        own = lambda leaf: backends.numpy(leaf) if backends.other_engine(leaf) else leaf
        self.args, self.kwargs = tree.map_structure(own, self.args), tree.map_structure(own, self.kwargs)

    @property
    def is_input(self):
        return not self.input_tensors

    @property
    def parent_nodes(self):
        return [node_of(tensor) for tensor in self.input_tensors]

    def __repr__(self):
        return f"<Node operation={self.operation.name} outputs={self.outputs}>"


def node_of(tensor):
    """The Node that made a KerasTensor."""
    operation, node_index, _ = tensor._keras_history
    return operation._inbound_nodes[node_index]


class Operation:
    """Something that can be a node of a graph: an op with its arguments, a layer, a model.

    A subclass defines `call`. Called on KerasTensors it runs `call` on Specs and records a Node.
    """

    def __init__(self, name=None):
        self.name = name or scopes.auto_name(type(self).__name__)
        self._inbound_nodes = []

    def __call__(self, *args, **kwargs):
        if any_symbolic(args, kwargs):
            return self.symbolic_call(*args, **kwargs)
        return self.call(*args, **kwargs)

    def call(self, *args, **kwargs):
        raise NotImplementedError(f"{type(self).__name__} has no `call`.")

    def symbolic_call(self, *args, **kwargs):
        """Record a Node for a call on KerasTensors and return the KerasTensors that come out."""
        outputs = to_symbols(self.compute_output_spec(*args, **kwargs))
        Node(self, args, kwargs, outputs)
        return outputs

    def compute_output_spec(self, *args, **kwargs):
        """The Specs that `call` gives, from KerasTensors or Specs."""
        with scopes.SymbolicScope():
            return infer(self.call, *to_specs(args), **to_specs(kwargs))

    def rematerialized_call(self, layer_call, *args, **kwargs):
        """`layer_call` whose intermediate values are computed again for the gradient instead of kept."""
        return lambda *a, **k: backends.protocol.remat(lambda *x: layer_call(*x, **k), list(a))

    def quantized_call(self, *args, **kwargs):
        """What `call` is with quantized weights; layers that can be quantized have it."""
        raise NotImplementedError(f"{type(self).__name__} {self.name!r} has no form with quantized weights.")

    def get_config(self):
        return {"name": self.name}

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    @property
    def input(self):
        """The KerasTensors that the operation was called on, where it was called once."""
        return self._only_node("input", lambda node: node.input_tensors)

    @property
    def output(self):
        """The KerasTensors that the operation gave, where it was called once."""
        return self._only_node("output", lambda node: node.outputs)

    def _only_node(self, what, of):
        if len(self._inbound_nodes) != 1:
            uses = f"was called {len(self._inbound_nodes)} times" if self._inbound_nodes else "was never called on a symbolic tensor"
            raise AttributeError(f"{type(self).__name__} {self.name!r} {uses}, so it has no single `{what}`.")
        found = of(self._inbound_nodes[0])
        return found[0] if len(found) == 1 else found

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}>"


def infer(function, *args, **kwargs):
    """`function` on Specs; where it calls its engine directly, by that engine's own abstract evaluation."""
    try:
        return function(*args, **kwargs)
    except (shapes.NeedsEngine, TypeError) as error:
        if isinstance(error, TypeError) and str(Spec) not in str(error):  # some functions of JAX name the type that they refuse, and do not ask it
            raise
        return backends.load().infer(functools.partial(function, **kwargs), args)


class FunctionOperation(Operation):
    """One call of an op on symbolic tensors, such as the `ops.add(x, y)` that `x + y` stands for."""

    def __init__(self, function, name=None):
        super().__init__(name or scopes.auto_name(function.__name__))
        self.function = function

    def call(self, *args, **kwargs):
        return self.function(*args, **kwargs)


def record(function, args, kwargs):
    """The KerasTensors of `function(*args, **kwargs)`, where `function` is an op and a KerasTensor is among its arguments."""
    name = kwargs.pop("name", None) if "name" in kwargs and "name" not in inspect.signature(function).parameters else None
    return FunctionOperation(function, name)(*args, **kwargs)


def sorted_nodes(inputs, outputs):
    """The nodes between `inputs` and `outputs`, each after those that it needs.

    Raises:
        ValueError: an output does not depend on the inputs alone.
    """
    boundary = {id(tensor) for tensor in inputs}
    order, done, stack = [], set(), []
    for tensor in outputs:
        if id(tensor) not in boundary:
            if not hasattr(tensor, "_keras_history"):
                raise ValueError(f"The output {tensor} was made by no operation: give what Input(...) and layers called on it give.")
            stack.append((node_of(tensor), False))
        while stack:
            node, ready = stack.pop()
            if id(node) in done:
                continue
            if ready:
                done.add(id(node))
                order.append(node)
                continue
            if node.is_input:
                name = node.operation.name
                raise ValueError(f"The outputs depend on the Input {name!r}, which is not among the inputs of the model: add it to `inputs`.")
            stack.append((node, True))
            parents = [t for t in node.input_tensors if id(t) not in boundary]
            for parent in reversed(parents):
                if not hasattr(parent, "_keras_history"):
                    raise ValueError(f"{node.operation.name!r} uses {parent}, which no operation and no Input made.")
                stack.append((node_of(parent), False))
    return order


def operations_by_depth(inputs, outputs, nodes):
    """The operations of a graph in Keras's order, which is the order of weights in files: the farthest from the outputs first.

    Depth is the longest way to an output; operations of one depth stand as a walk back from the outputs meets them.
    """
    boundary = {id(tensor) for tensor in inputs}
    met = {}
    stack = list(reversed(outputs))
    while stack:
        tensor = stack.pop()
        if not hasattr(tensor, "_keras_history"):  # an input of its own, which no operation made
            continue
        operation = tensor._keras_history.operation
        met.setdefault(id(operation), (len(met), operation))
        if id(tensor) not in boundary:
            node = node_of(tensor)
            if id(node) not in met:
                met[id(node)] = None
                stack.extend(reversed(node.input_tensors))
    places = {key: value for key, value in met.items() if value is not None}
    order = {key: i for i, (key, _) in enumerate(sorted(places.items(), key=lambda item: item[1][0]))}
    depth, of_node = {}, {}
    for node in reversed(nodes):
        here = of_node.get(id(node), 0)
        here = max(here, depth.get(id(node.operation), 0))
        of_node[id(node)] = here
        depth[id(node.operation)] = here
        for tensor in node.input_tensors:
            if id(tensor) in boundary:
                key = id(tensor._keras_history.operation) if hasattr(tensor, "_keras_history") else None
                depth[key] = max(depth.get(key, 0), here + 1)
            else:
                key = id(node_of(tensor))
                of_node[key] = max(of_node.get(key, 0), here + 1)
    made = [tensor._keras_history.operation for tensor in inputs if hasattr(tensor, "_keras_history")]
    found = {id(operation): operation for operation in (*made, *(node.operation for node in nodes))}
    return sorted(found.values(), key=lambda operation: (-depth.get(id(operation), 0), order.get(id(operation), len(order))))


def run_graph(nodes, inputs, values, outputs, call=lambda operation, args, kwargs: operation(*args, **kwargs)):
    """The values of `outputs` when the tensors `inputs` have `values`; `call` runs one operation."""
    found = {id(tensor): value for tensor, value in zip(inputs, values)}
    fill = lambda leaf: found[id(leaf)] if isinstance(leaf, KerasTensor) else leaf
    for node in nodes:
        if node.constants:
            node.move()
        result = call(node.operation, tree.map_structure(fill, node.args), tree.map_structure(fill, node.kwargs))
        for tensor, value in zip(node.outputs, tree.flatten(result)):
            found[id(tensor)] = value
    return tree.map_structure(lambda tensor: found[id(tensor)], outputs)
