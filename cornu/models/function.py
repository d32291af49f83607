"""The part of a graph between symbolic inputs and outputs, as something to call."""

from cornu import backends, masks, scopes, shapes, tree
from cornu.fields import suggestion
from cornu.layers.layer import Layer
from cornu.models import graph
from cornu.shapes import Spec
from cornu.symbolic import KerasTensor, Operation, any_symbolic, operations_by_depth, run_graph, sorted_nodes, to_specs
from cornu.training.compiled import sorted_keys


class Function(Operation):
    """The part of a graph between symbolic inputs and outputs, as something to call.

    Called on symbolic tensors it repeats its operations on them.

    Args:
        inputs, outputs: structures of KerasTensors.
        name: name in errors.

    Raises:
        ValueError: an output depends on an input that is not given.

    >>> x = KerasTensor((None, 2))
    >>> f = Function(x, {"twice": x * 2})
    >>> f.compute_output_shape((5, 2))
    {'twice': (5, 2)}
    """

    inputs = outputs = operations = ()
    exact = True  # whether data must have the sizes of the symbolic inputs, or only as many axes

    def __init__(self, inputs, outputs, name=None):
        super().__init__(name)
        self._inputs_struct, self._outputs_struct = inputs, outputs
        self.inputs, self.outputs = tree.flatten(inputs), tree.flatten(sorted_keys(outputs))  # layers stand as a walk back from these meets them
        for what, tensors in (("inputs", self.inputs), ("outputs", self.outputs)):
            if not tensors:
                raise ValueError(f"{self.name!r}: `{what}` is empty; give at least one symbolic tensor.")
            for tensor in tensors:
                if not isinstance(tensor, KerasTensor):
                    raise ValueError(
                        f"{self.name!r}: `{what}` must be symbolic tensors, as Input and layers called on it give; got {type(tensor).__name__}: {str(tensor)[:80]}"
                    )
        self.nodes = sorted_nodes(self.inputs, self.outputs)
        self.operations = operations_by_depth(self.inputs, self.outputs, self.nodes)

    @property
    def layers(self):
        return [operation for operation in self.operations if isinstance(operation, Layer)]

    input = property(lambda self: self._inputs_struct, doc="The symbolic inputs, as they were given.")
    output = property(lambda self: self._outputs_struct, doc="The symbolic outputs, as they were given.")

    def __call__(self, inputs):
        """The outputs for `inputs`, in the structure of the outputs that the function was made with."""
        return self.symbolic_call(inputs) if any_symbolic(inputs) else self.call(inputs)

    def call(self, inputs):
        """The outputs for arrays or Specs."""
        values = [self._fit(tensor, value) for tensor, value in zip(self.inputs, self.match(inputs))]
        return run_graph(self.nodes, self.inputs, values, self._outputs_struct)

    def symbolic_call(self, inputs):
        """The outputs for KerasTensors: the operations are recorded again, each with a node of its own."""
        values = self.match(inputs)
        for tensor, value in zip(self.inputs, values):
            if value is not None:
                self._check_shape(tensor, tuple(value.shape))
        return run_graph(self.nodes, self.inputs, values, self._outputs_struct)

    def compute_output_spec(self, inputs):
        """The Specs of the outputs for KerasTensors or Specs."""
        with scopes.SymbolicScope():
            return self.call(to_specs(inputs))

    def compute_output_shape(self, input_shape):
        """The shapes of the outputs for inputs of the given shapes."""
        wanted = iter(self.inputs)
        specs = tree.map_shape_structure(lambda shape: Spec(shape, next(wanted).dtype), input_shape)
        return tree.map_structure(lambda spec: shapes.public(spec.shape), self.compute_output_spec(specs))

    def get_config(self):
        return {"name": self.name, **graph.write(self)}

    @classmethod
    def from_config(cls, config):
        return cls(*graph.read(config), name=config.get("name"))

    def match(self, inputs):
        """The values of `inputs` (one, a list, or a dictionary by name) in the order of the symbolic inputs.

        Raises:
            ValueError: another number of them, or a name that is missing.
        """
        if isinstance(inputs, dict):
            keyed = isinstance(self._inputs_struct, dict) and not set(inputs) & {t.name for t in self.inputs} - set(self._inputs_struct)
            names = list(self._inputs_struct) if keyed else [t.name for t in self.inputs]
            missing = [name for name in names if name not in inputs]
            if missing:
                raise ValueError(
                    f"{self.name!r}: the inputs are named {', '.join(map(repr, names))}; the data given has no {missing[0]!r}.{suggestion(missing[0], inputs)} It has {', '.join(map(repr, inputs))}."
                )
            return tree.flatten({name: inputs[name] for name in names}) if keyed else [inputs[name] for name in names]
        values = tree.flatten(inputs)
        if len(values) != len(self.inputs):
            raise ValueError(f"{self.name!r}: wanted {len(self.inputs)} input(s) ({', '.join(t.name for t in self.inputs)}); got {len(values)}.")
        return values

    def _fit(self, tensor, value):
        """`value` as the symbolic input wants it: its type, and one axis of size 1 more or less at the end.

        Raises:
            ValueError: another shape.
        """
        if value is None:
            if hasattr(tensor, "_keras_history") and getattr(tensor._keras_history.operation, "optional", False):
                return None
            raise ValueError(f"{self.name!r}: the input {tensor.name!r} is None, and it is not optional.")
        mask, got, rank = masks.get_mask(value), tuple(value.shape), len(tensor.shape)
        if len(got) == rank - 1 and tensor.shape[-1] == 1:
            value = backends.protocol.reshape(value, (*got, 1))
        elif len(got) == rank + 1 and got[-1] == 1:
            value = backends.protocol.reshape(value, got[:-1])
        self._check_shape(tensor, tuple(value.shape))
        if backends.kind(value) != tensor.dtype and tensor.dtype != "string":
            value = Spec(value.shape, tensor.dtype) if type(value) is Spec else backends.array(value, tensor.dtype)
        if mask is not None:
            masks.set_mask(value, mask)
        return value

    def _check_shape(self, tensor, got):
        wanted = tensor.shape
        if len(got) == len(wanted) and not (self.exact and any(None not in (w, g) and g is not shapes.UNKNOWN and w != g for w, g in zip(wanted, got))):
            return
        advice = ""
        if len(got) == len(wanted) - 1:
            advice = " One sample needs a batch axis (x[None]); images need a channel axis (x[..., None])."
        elif got[1:] != wanted[1:] and sorted(map(str, got[1:])) == sorted(map(str, wanted[1:])):
            advice = " The axes are in another order: check the data format."
        elif len(got) > 2 and len(wanted) == 2:
            advice = " Reshape the data, or begin the model with Flatten()."
        raise ValueError(f"{self.name!r}: the input {tensor.name!r} wants the shape {wanted} (None: any size); got {shapes.public(got)}.{advice}")
