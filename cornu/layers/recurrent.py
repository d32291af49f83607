"""Recurrent layers: cells that take one step, and layers that run them over a sequence."""

import numpy as np

from cornu import activations, backends, initializers, ops, random, scopes, serialization, shapes, tree
from cornu.fields import REQUIRED, Activation, Constraint, Initializer, Nested, Regularizer
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer, inner_layer
from cornu.variable import Variable


class Cell(Layer, abstract=True):
    """One step of a recurrence: weights for the input and for the state, dropout on both.

    `project(inputs)` is what depends on the input alone, so that a layer does it for all steps at once; `step(projected, states)` is the rest.
    """

    gates, size_name = 1, "units"

    def setup(self):
        label = self._label()
        if self.units < 1:
            raise ValueError(f"{label}: {self.size_name} must be at least 1; got {self.units}.")
        for name in ("dropout", "recurrent_dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{label}: {name} must be from 0 to 1; got {getattr(self, name)}.")
        self._masks = {}
        self.seed_generator = random.SeedGenerator(self.seed)
        self.state_size = [self.units] * self.states_kept if self.states_kept > 1 else self.units
        self.output_size = self.units

    states_kept = 1

    def build(self, input_shape):
        if input_shape[-1] is None:
            raise ValueError(f"{self._label()}: the number of features must be known; got the shape {input_shape} of a step.")
        self._make_weights((input_shape[-1],), (self.units,))

    def _make_weights(self, input_axes, state_axes):
        width = self.units * self.gates
        self.kernel = self.add_weight(name="kernel", shape=(*input_axes, width))
        self.recurrent_kernel = self.add_weight(
            name="recurrent_kernel",
            shape=(*state_axes, width),
            initializer=self.recurrent_initializer,
            regularizer=self.recurrent_regularizer,
            constraint=self.recurrent_constraint,
        )
        self.bias = self.add_weight(name="bias", shape=self._bias_shape(width), initializer=self._first_bias()) if self.use_bias else None

    def _bias_shape(self, width):
        return (width,)

    def _first_bias(self):
        return self.bias_initializer

    def get_initial_state(self, batch_size=None):
        """Zeros (batch_size, units) for each state."""
        return [ops.zeros((batch_size, self.units), dtype=self.compute_dtype) for _ in range(self.states_kept)]

    def get_dropout_mask(self, step_input):
        """The scaled mask of a step's input, the same one until `reset_dropout_mask`; None where nothing is dropped."""
        return self._mask("dropout", step_input)

    def get_recurrent_dropout_mask(self, step_input):
        """The scaled mask of a step's state, the same one until `reset_recurrent_dropout_mask`; None where nothing is dropped."""
        return self._mask("recurrent_dropout", step_input)

    def _both_masks(self, inputs, states, training):
        """What the input and the state are multiplied by, or None."""
        return (self.get_dropout_mask(inputs), self.get_recurrent_dropout_mask(states[0])) if training else (None, None)

    def _mask(self, which, like):
        if getattr(self, which) <= 0:
            return None
        if which not in self._masks:
            ones = ops.ones(like.shape, dtype=self.compute_dtype)
            self._masks[which] = random.dropout(ones, getattr(self, which), seed=self.seed_generator)
        return self._masks[which]

    def reset_dropout_mask(self):
        """Let the next step draw another mask for its input."""
        self._masks.pop("dropout", None)

    def reset_recurrent_dropout_mask(self):
        """Let the next step draw another mask for its state."""
        self._masks.pop("recurrent_dropout", None)

    def call(self, inputs, states, training=False):
        states = list(states) if isinstance(states, (list, tuple)) else [states]
        drop_input, drop_state = self._both_masks(inputs, states, training)
        return self.step(self.project(self._dropped(inputs, drop_input)), states, drop_state)

    def project(self, inputs):
        x = ops.matmul(inputs, self.kernel)
        return x if self.bias is None else ops.add(x, self.bias)

    @staticmethod
    def _dropped(h, mask):
        return h if mask is None else ops.multiply(h, mask)


class SimpleRNNCell(Cell):
    """One step of a simple recurrence: `activation(x @ kernel + h @ recurrent_kernel + bias)`.

    Args:
        units: size of the state and the output, at least 1.
        activation: name or function.
        dropout, recurrent_dropout: fractions of the input and of the state to drop in training.

    Shapes:
        input (batch, features), state (batch, units) -> output (batch, units), [state]
    """

    units: int
    activation: Activation = "tanh"
    use_bias: bool = True
    kernel_initializer: Initializer = "glorot_uniform"
    recurrent_initializer: Initializer = "orthogonal"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer = None
    recurrent_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    recurrent_constraint: Constraint = None
    bias_constraint: Constraint = None
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    seed: object = None

    def step(self, projected, states, drop_state=None):
        h = self._dropped(states[0], drop_state)
        output = self.activation(ops.add(projected, ops.matmul(h, self.recurrent_kernel)))
        return output, [output]


class LSTMCell(Cell):
    """One step of a long short-term memory; the gates stand in the order input, forget, candidate, output.

    Args:
        units: size of the states and the output, at least 1.
        activation: of the candidate and the output.
        recurrent_activation: of the gates.
        unit_forget_bias: whether the forget gate's bias begins at 1.
        dropout, recurrent_dropout: fractions of the input and of the state to drop in training.

    Shapes:
        input (batch, features), states [h, c] (batch, units) -> output (batch, units), [h, c]

    Source: Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997; Gers et al., "Learning to Forget", 2000.
    """

    gates, states_kept = 4, 2
    units: int
    activation: Activation = "tanh"
    recurrent_activation: Activation = "sigmoid"
    use_bias: bool = True
    kernel_initializer: Initializer = "glorot_uniform"
    recurrent_initializer: Initializer = "orthogonal"
    bias_initializer: Initializer = "zeros"
    unit_forget_bias: bool = True
    kernel_regularizer: Regularizer = None
    recurrent_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    recurrent_constraint: Constraint = None
    bias_constraint: Constraint = None
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    seed: object = None

    def _first_bias(self):
        if not self.unit_forget_bias:
            return self.bias_initializer
        units, rest = self.units, getattr(self.bias_initializer, "draw", self.bias_initializer)  # on the host where the initializer can

        def bias(shape, dtype=None):
            """Ones for the forget gate, the layer's own initializer for the others."""
            parts = [rest((units,), dtype=dtype), initializers.Ones().draw((units,), dtype), rest((2 * units,), dtype=dtype)]
            return np.concatenate([backends.numpy(part) for part in parts])

        return bias

    def step(self, projected, states, drop_state=None):
        h, c = states
        z = ops.add(projected, ops.matmul(self._dropped(h, drop_state), self.recurrent_kernel))
        i, f, g, o = ops.split(z, 4, axis=-1)
        gate = self.recurrent_activation
        c = ops.add(ops.multiply(gate(f), c), ops.multiply(gate(i), self.activation(g)))
        h = ops.multiply(gate(o), self.activation(c))
        return h, [h, c]


class GRUCell(Cell):
    """One step of a gated recurrent unit; the gates stand in the order update, reset, candidate.

    Args:
        units: size of the state and the output, at least 1.
        activation: of the candidate.
        recurrent_activation: of the gates.
        reset_after: whether the reset gate comes after the matrix product (with a bias of its own) or before.
        dropout, recurrent_dropout: fractions of the input and of the state to drop in training.

    Shapes:
        input (batch, features), state (batch, units) -> output (batch, units), [state]

    Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014.
    """

    gates = 3
    units: int
    activation: Activation = "tanh"
    recurrent_activation: Activation = "sigmoid"
    use_bias: bool = True
    kernel_initializer: Initializer = "glorot_uniform"
    recurrent_initializer: Initializer = "orthogonal"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer = None
    recurrent_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    recurrent_constraint: Constraint = None
    bias_constraint: Constraint = None
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    reset_after: bool = True
    seed: object = None

    def _bias_shape(self, width):
        return (2, width) if self.reset_after else (width,)

    def project(self, inputs):
        x = ops.matmul(inputs, self.kernel)
        if self.bias is None:
            return x
        return ops.add(x, ops.convert_to_tensor(self.bias)[0] if self.reset_after else self.bias)

    def step(self, projected, states, drop_state=None):
        h = states[0]
        kept, kernel = self._dropped(h, drop_state), ops.convert_to_tensor(self.recurrent_kernel)
        units, gate = self.units, self.recurrent_activation
        xz, xr, xh = ops.split(projected, 3, axis=-1)
        if self.reset_after:
            inner = ops.matmul(kept, kernel)
            if self.bias is not None:
                inner = ops.add(inner, ops.convert_to_tensor(self.bias)[1])
            hz, hr, hh = ops.split(inner, 3, axis=-1)
            z, r = gate(ops.add(xz, hz)), gate(ops.add(xr, hr))
            candidate = self.activation(ops.add(xh, ops.multiply(r, hh)))
        else:
            hz, hr = ops.split(ops.matmul(kept, kernel[:, : 2 * units]), 2, axis=-1)
            z, r = gate(ops.add(xz, hz)), gate(ops.add(xr, hr))
            candidate = self.activation(ops.add(xh, ops.matmul(ops.multiply(r, kept), kernel[:, 2 * units :])))
        h = ops.add(ops.multiply(z, h), ops.multiply(ops.subtract(1.0, z), candidate))
        return h, [h]


class StackedRNNCells(Layer):
    """Cells one on top of the other, as one cell.

    Args:
        cells: list of cells; each takes the output of the one before.
    """

    cells: object

    def setup(self):
        if not isinstance(self.cells, (list, tuple)) or not self.cells:
            raise ValueError(f"{self._label()}: cells must be a list of one cell or more; got {self.cells!r}.")
        self.cells = [inner_layer(c) if isinstance(c, dict) else c for c in self.cells]
        for cell in self.cells:
            if not hasattr(cell, "state_size"):
                raise ValueError(f"{self._label()}: every cell needs `state_size`; {type(cell).__name__} has none.")

    state_size = property(lambda self: [cell.state_size for cell in self.cells])
    output_size = property(lambda self: getattr(self.cells[-1], "output_size", self.cells[-1].state_size))

    def get_initial_state(self, batch_size=None):
        return [_initial_state(cell, batch_size, self.compute_dtype) for cell in self.cells]

    def build(self, input_shape):
        for cell in self.cells:
            if isinstance(cell, Layer):
                cell._run_build({"input_shape": tuple(input_shape)})
            size = getattr(cell, "output_size", None)
            size = cell.state_size if size is None else size
            input_shape = (input_shape[0], size[0] if isinstance(size, (list, tuple)) else size)

    def call(self, inputs, states, training=False):
        new = []
        for cell, state in zip(self.cells, states):
            kwargs = {"training": training} if isinstance(cell, Layer) and "training" in cell._call_names else {}
            inputs, state = cell(inputs, state, **kwargs)
            new.append(state)
        return inputs, new

    def get_config(self):
        return {**super().get_config(), "cells": [serialization.serialize_keras_object(cell) for cell in self.cells]}


_zeros = initializers.Zeros()


def _initial_state(cell, batch_size, dtype):
    """The state that `cell` begins with, as a structure of tensors."""
    if hasattr(cell, "get_initial_state"):
        return cell.get_initial_state(batch_size=batch_size)
    sizes = cell.state_size if isinstance(cell.state_size, (list, tuple)) else [cell.state_size]
    return [ops.zeros((batch_size, size), dtype=dtype) for size in sizes]


def _draw_masks(cell, x, state):
    """Let the cells in `cell` draw their dropout masks for an input like `x` now, outside of the loop, so that they hold for all steps."""
    if isinstance(cell, StackedRNNCells):
        for inner, inner_state in zip(cell.cells, state):
            _draw_masks(inner, x, inner_state)
            size = getattr(inner, "output_size", None)
            size = inner.state_size if size is None else size
            x = ops.zeros((x.shape[0], size[0] if isinstance(size, (list, tuple)) else size))
    elif isinstance(cell, Cell):
        cell.get_dropout_mask(x)
        cell.get_recurrent_dropout_mask(tree.flatten(state)[0])


def _forget_masks(cell):
    for inner in cell.cells if isinstance(cell, StackedRNNCells) else (cell,):
        if hasattr(inner, "reset_dropout_mask"):
            inner.reset_dropout_mask()
            inner.reset_recurrent_dropout_mask()


_MOST_UNROLLED = 5_000
_KERNEL_NAMES = {LSTMCell: "lstm", GRUCell: "gru", SimpleRNNCell: "simple_rnn"}  # what a backend's `recurrent` calls the cells


class RNN(Layer):
    """Run a cell over the steps of a sequence.

    Args:
        cell: a cell, or a list of them to stack: anything with `state_size` and `call(inputs, states) -> output, new states`.
        return_sequences: whether the outputs of all steps are returned, or the last one's.
        return_state: whether the last states are returned too.
        go_backwards: whether to run from the last step to the first.
        stateful: whether the states of one batch are where the next begins; the batch size must be known.
        unroll: whether to lay all steps out in the program; the number of steps must be known.
        zero_output_for_mask: whether masked steps put out 0 instead of the output before.

    Shapes:
        input (batch, steps, features) -> output (batch, units) or (batch, steps, units)
    """

    cell: Nested
    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    unroll: bool = False
    zero_output_for_mask: bool = False

    def _take(self, kwargs):
        length, width = kwargs.pop("input_length", None), kwargs.pop("input_dim", None)
        if width is not None and "input_shape" not in kwargs and "batch_input_shape" not in kwargs:
            kwargs["input_shape"] = (length, width)
        return super()._take(kwargs)

    def setup(self):
        if isinstance(self.cell, (list, tuple)):
            self.cell = StackedRNNCells(self.cell)
        if not (hasattr(self.cell, "call") or callable(self.cell)) or not hasattr(self.cell, "state_size"):
            raise ValueError(f"{self._label()}: the cell needs `call(inputs, states)` and `state_size`; got {type(self.cell).__name__}.")
        self._prepare_sequence()

    def _prepare_sequence(self):
        self.supports_masking = True
        self.input_spec = [InputSpec(ndim=3)] if type(self) is not RNN else None
        self.states = None

    @property
    def state_size(self):
        return self.cell.state_size

    def build(self, sequences_shape, initial_state_shape=None):
        step = (sequences_shape[0], *sequences_shape[2:])
        if isinstance(self.cell, Layer):
            self.cell._run_build({"input_shape": step})
        if self.stateful:
            if sequences_shape[0] is None:
                raise ValueError(f"{self._label()}: a stateful layer needs the batch size: Input(batch_shape=(batch, steps, features)).")
            with scopes.name_scope(self.name, caller=self):
                state = lambda shape: Variable(_zeros, shape=shape, dtype=self.variable_dtype, trainable=False, name="rnn_state")
                self.states = tree.map_shape_structure(state, self._state_shapes(sequences_shape))

    def _state_shapes(self, sequences_shape):
        """The shapes of the states, as a list."""
        sizes = self.cell.state_size
        return tree.map_structure(lambda size: (sequences_shape[0], size), list(sizes) if isinstance(sizes, (list, tuple)) else [sizes])

    def _bind(self, args, kwargs):
        bound = super()._bind(args, kwargs)
        if isinstance(bound.get("sequences"), (list, tuple)) and bound.get("initial_state") is None and len(bound["sequences"]) > 1:
            first, *states = bound["sequences"]
            bound["sequences"], bound["initial_state"] = first, states
        return bound

    def __call__(self, sequences, initial_state=None, **kwargs):
        if isinstance(sequences, (list, tuple)) and len(sequences) > 1 and initial_state is None and all(hasattr(s, "shape") for s in sequences):
            sequences, initial_state = sequences[0], list(sequences[1:])
        if initial_state is not None:
            kwargs["initial_state"] = initial_state
        return super().__call__(sequences, **kwargs)

    def call(self, sequences, initial_state=None, mask=None, training=False):
        batch = tree.flatten(sequences)[0].shape[0]
        if isinstance(mask, (list, tuple)):
            mask = mask[0]
        if initial_state is not None:
            states = list(initial_state) if isinstance(initial_state, (list, tuple)) else [initial_state]
        elif self.stateful and self.states is not None:
            states = tree.map_structure(lambda v: v.value, self.states)
        else:
            states = self._first_states(sequences, batch)
            states = list(states) if isinstance(states, (list, tuple)) else [states]
        states = tree.map_structure(lambda s: ops.cast(s, self.compute_dtype), states)
        last, outputs, states = self.inner_loop(sequences, states, mask, training)
        if self.stateful and self.states is not None:
            for variable, value in zip(tree.flatten(self.states), tree.flatten(states)):
                variable.assign(value)
        result = outputs if self.return_sequences else last
        return (result, *states) if self.return_state else result

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Run the cell over all steps.

        Args:
            sequences: (batch, steps, ...).
            initial_state: list of states to begin with.
            mask: booleans (batch, steps), or None.
            training: whether dropout is on.

        Returns:
            The last output, all outputs (None unless `return_sequences`) and the last states.
        """
        try:
            return self._run(sequences, initial_state, mask, training)
        finally:
            _forget_masks(self.cell)

    def form(self, training=False):
        """How the backend in use runs the layer: ("kernel", None) by its own for all steps at once, else ("steps", why not by that)."""
        why = self._why_steps(training)
        return ("kernel", None) if why is None else ("steps", why)

    def _why_steps(self, training):
        backend, cell = backends.current(), self.cell
        if not hasattr(backend, "recurrent"):
            return f"the {backend.NAME} backend has no kernel for recurrent layers" + ("; its compiled loop runs the steps" if backend.COMPILES else "")
        if type(cell) not in _KERNEL_NAMES:
            return f"its cell is {type(cell).__name__}"
        if self.unroll:
            return "unroll=True"
        if getattr(self, "use_cudnn", "auto") is False:
            return "use_cudnn=False"
        gate = getattr(cell, "recurrent_activation", activations.sigmoid)
        if gate is not activations.sigmoid:
            return f"recurrent_activation={activations.serialize(gate)!r} (a kernel has sigmoid)"
        if cell.activation is not activations.tanh and not (type(cell) is SimpleRNNCell and cell.activation is activations.relu):
            return f"activation={activations.serialize(cell.activation)!r} (a kernel has tanh{', relu' if type(cell) is SimpleRNNCell else ''})"
        if not getattr(cell, "reset_after", True):
            return "reset_after=False"
        return backend.recurrent_refusal(self._kind(), self.compute_dtype, training and cell.recurrent_dropout > 0)

    def _kind(self):
        cell = self.cell
        return _KERNEL_NAMES[type(cell)] + (f"_{activations.serialize(cell.activation)}" if type(cell) is SimpleRNNCell else "")

    def _by_kernel(self, sequences, states, mask, training):
        cell = self.cell
        drop_input, drop_state = cell._both_masks(sequences[:, 0], states, training)
        if drop_input is not None:
            sequences = ops.multiply(sequences, ops.expand_dims(drop_input, 1))
        mask = None if mask is None else ops.cast(mask, "bool")
        if self.go_backwards:
            sequences, mask = ops.flip(sequences, axis=1), None if mask is None else ops.flip(mask, axis=1)
        weights = [None if w is None else ops.convert_to_tensor(w) for w in (cell.kernel, cell.recurrent_kernel, cell.bias)]
        last, outputs, states = backends.current().recurrent(self._kind(), sequences, states, weights, mask, self.zero_output_for_mask, drop_state)
        return last, outputs if self.return_sequences else None, states

    def _run(self, sequences, states, mask, training):
        if backends.is_tensor(sequences) and type(sequences) is not shapes.Spec and sequences.shape[1] and self._why_steps(training) is None:
            return self._by_kernel(sequences, states, mask, training)
        step, sequences = self._step_function(sequences, states, training)
        time_first = lambda x: ops.transpose(x, (1, 0, *range(2, x.ndim)))
        xs = tree.map_structure(time_first, sequences)
        steps = tree.flatten(xs)[0].shape[0]
        if mask is not None:
            mask = ops.cast(mask, "bool")
            mask = time_first(mask)
        if self.go_backwards:
            xs = tree.map_structure(lambda x: ops.flip(x, axis=0), xs)
            mask = None if mask is None else ops.flip(mask, axis=0)
        first_step = lambda tensors: tree.map_structure(lambda x: x[0], tensors)

        def body(carry, x):
            previous, states = carry
            x, here = x if mask is not None else (x, None)
            output, new = tree.map_structure(lambda y: ops.cast(y, self.compute_dtype), step(x, states))  # a cell may compute in another type
            if here is not None:
                held = ops.zeros_like(output) if self.zero_output_for_mask else previous
                choose = lambda a, b: ops.where(ops.expand_dims(here, axis=list(range(here.ndim, a.ndim))), a, b)
                shown = choose(output, held)
                new = tree.map_structure(choose, list(new), list(states))
                previous = choose(output, previous) if self.zero_output_for_mask else shown
            else:
                shown = previous = output
            new = tree.pack_sequence_as(states, tree.flatten(new))
            return (previous, new), shown if self.return_sequences else ()

        items = (xs, mask) if mask is not None else xs
        if self.unroll:
            if not isinstance(steps, int):
                raise ValueError(
                    f"{self._label()}: unroll=True needs the number of steps; the input's shape is {shapes.public(tree.flatten(sequences)[0].shape)}."
                )
            if steps > _MOST_UNROLLED:
                raise ValueError(f"{self._label()}: unroll=True is for short sequences, of at most {_MOST_UNROLLED} steps; got {steps:,}. Leave it out.")
            carry, shown = (self._blank(step, first_step(xs), states), states), []
            for t in range(steps):
                carry, y = body(carry, tree.map_structure(lambda x, t=t: x[t], items))
                shown.append(y)
            outputs = ops.stack(shown, axis=1) if self.return_sequences else None
        else:
            carry, ys = ops.scan(body, (self._blank(step, first_step(xs), states), states), items)
            outputs = ops.transpose(ys, (1, 0, *range(2, ys.ndim))) if self.return_sequences else None
        return carry[0], outputs, carry[1]

    def _blank(self, step, x, states):
        """Zeros in the shape of an output: what stands before the first step."""
        size = getattr(self.cell, "output_size", None)
        first = tree.flatten(states)[0]
        if isinstance(self.cell, Cell):
            return ops.zeros_like(first)
        if isinstance(size, int):
            return ops.zeros((first.shape[0], size), dtype=self.compute_dtype)
        return ops.zeros_like(step(x, states)[0], dtype=self.compute_dtype)

    def _step_function(self, sequences, states, training):
        """`step(x, states)`, and the sequence of what it takes as `x`."""
        cell = self.cell
        if isinstance(cell, Cell) and type(cell).call is Cell.call:
            drop_input, drop_state = cell._both_masks(sequences[:, 0], states, training)
            if drop_input is not None:
                sequences = ops.multiply(sequences, ops.expand_dims(drop_input, 1))
            return lambda x, states: cell.step(x, states, drop_state), cell.project(sequences)
        if training:
            _draw_masks(cell, tree.map_structure(lambda x: x[:, 0], sequences), states)
        kwargs = {"training": training} if isinstance(cell, Layer) and "training" in cell._call_names else {}
        return lambda x, states: cell(x, states, **kwargs), sequences

    def compute_mask(self, inputs, previous_mask=None):
        mask = tree.flatten(previous_mask)[0]
        kept = mask if self.return_sequences else None
        return [kept, *(None for _ in tree.flatten(self.cell.state_size))] if self.return_state else kept

    def reset_state(self):
        """Set the states of a stateful layer to 0."""
        for variable in tree.flatten(self.states) if self.states is not None else ():
            variable.assign(ops.zeros(variable.shape, dtype=variable.dtype))

    reset_states = reset_state

    def _first_states(self, sequences, batch):
        return _initial_state(self.cell, batch, self.compute_dtype)

    def get_initial_state(self, batch_size):
        """The states that a sequence begins with."""
        return _initial_state(self.cell, batch_size, self.compute_dtype)


class OfCell(RNN, abstract=True):
    """A layer that makes its cell itself: its arguments are the cell's and those of RNN, in the order that `arguments` gives."""

    _left_out = frozenset(("cell",))
    _keyword_only = RNN._keyword_only | {"zero_output_for_mask"}

    def __init_subclass__(cls, cell=None, arguments="", **kwargs):
        if cell is not None:
            cls.__annotations__ = dict(cls.__dict__.get("__annotations__", {}))
            for name in arguments.split():
                annotation, default = _EXTRA.get(name) or cell._fields.get(name) or RNN._fields[name]
                cls.__annotations__[name] = annotation
                if default is not REQUIRED:
                    setattr(cls, name, default)
            cls._cell_type = cell
        super().__init_subclass__(**kwargs)

    def setup(self):
        names = [n for n in type(self)._fields if n in self._cell_type._fields and n not in Layer._fields]
        self.cell = self._cell_type(
            **{n: getattr(self, n) for n in names},
            dtype=self.dtype_policy,
            trainable=self.trainable,
            name=self._cell_type.__name__.lower().replace("cell", "_cell").replace("simplernn", "simple_rnn"),
        )
        self._prepare_sequence()

    def get_config(self):
        config = super().get_config()
        config.pop("use_cudnn", None)
        return config


_EXTRA = {
    "activity_regularizer": Layer._fields["activity_regularizer"],
    "use_cudnn": (object, "auto"),
}
_WEIGHTS = "kernel_initializer recurrent_initializer bias_initializer"
_PENALTIES = "kernel_regularizer recurrent_regularizer bias_regularizer activity_regularizer kernel_constraint recurrent_constraint bias_constraint dropout recurrent_dropout"
_SEQUENCE = "return_sequences return_state go_backwards stateful unroll"


class SimpleRNN(OfCell, cell=SimpleRNNCell, arguments=f"units activation use_bias {_WEIGHTS} {_PENALTIES} {_SEQUENCE} seed"):
    """A simple recurrence over a sequence: the arguments of SimpleRNNCell and of RNN.

    Shapes:
        input (batch, steps, features) -> output (batch, units) or (batch, steps, units)
        kernel (features, units), recurrent_kernel (units, units), bias (units,)
    """


class LSTM(
    OfCell, cell=LSTMCell, arguments=f"units activation recurrent_activation use_bias {_WEIGHTS} unit_forget_bias {_PENALTIES} seed {_SEQUENCE} use_cudnn"
):
    """Long short-term memory over a sequence: the arguments of LSTMCell and of RNN.

    Shapes:
        input (batch, steps, features) -> output (batch, units) or (batch, steps, units)
        kernel (features, 4 units), recurrent_kernel (units, 4 units), bias (4 units,)
    """


class GRU(OfCell, cell=GRUCell, arguments=f"units activation recurrent_activation use_bias {_WEIGHTS} {_PENALTIES} seed {_SEQUENCE} reset_after use_cudnn"):
    """Gated recurrent units over a sequence: the arguments of GRUCell and of RNN.

    Shapes:
        input (batch, steps, features) -> output (batch, units) or (batch, steps, units)
        kernel (features, 3 units), recurrent_kernel (units, 3 units), bias (2, 3 units) or, without reset_after, (3 units,)
    """
