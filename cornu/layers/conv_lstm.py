"""Long short-term memories whose products are convolutions: states are pictures."""

from cornu import ops, shapes
from cornu.fields import Activation, Constraint, Initializer, Regularizer
from cornu.layers.convolution import each_axis
from cornu.layers.input_spec import InputSpec
from cornu.layers.recurrent import RNN, Cell, LSTMCell, OfCell
from cornu.settings import standardize_data_format
from cornu.shapes import Spec


class ConvLSTMCell(Cell, abstract=True):
    """One step of a ConvLSTM; the gates stand in the order input, forget, candidate, output, along the channels."""

    gates, states_kept = 4, 2
    rank: int
    filters: int
    kernel_size: object
    strides: object = 1
    padding: str = "valid"
    data_format: str | None = None
    dilation_rate: object = 1
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

    units = property(lambda self: self.filters)
    _first_bias = LSTMCell._first_bias

    def setup(self):
        label = self._label()
        for name in ("kernel_size", "strides", "dilation_rate"):
            setattr(self, name, each_axis(getattr(self, name), self.rank, name, label))
        self.padding = str(self.padding).lower()
        if self.padding not in ("valid", "same"):
            raise ValueError(f"{label}: padding must be 'valid' or 'same'; got {self.padding!r}.")
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(f"{label}: strides and dilation_rate cannot both be above 1; got {self.strides} and {self.dilation_rate}.")
        self.data_format = standardize_data_format(self.data_format)
        self.size_name = "filters"
        super().setup()

    def build(self, input_shape):
        axis = -1 if self.data_format == "channels_last" else 1
        if input_shape[axis] is None:
            raise ValueError(f"{self._label()}: the number of channels must be known; got the shape {input_shape} of a step.")
        self._make_weights((*self.kernel_size, input_shape[axis]), (*self.kernel_size, self.filters))

    def state_shape(self, input_shape):
        """The shape of a state for a step of that shape."""
        with_filters = Spec((*self.kernel_size, input_shape[-1 if self.data_format == "channels_last" else 1], self.filters), self.compute_dtype)
        return shapes.public(self._convolve(Spec(input_shape, self.compute_dtype), with_filters).shape)

    def _convolve(self, inputs, kernel):
        return ops.conv(inputs, kernel, self.strides, self.padding, self.data_format, self.dilation_rate)

    def project(self, inputs):
        lead = inputs.shape[: inputs.ndim - self.rank - 1]  # of a step the batch alone, of a sequence the steps too
        flat = ops.reshape(inputs, (-1, *inputs.shape[len(lead) :])) if len(lead) > 1 else inputs
        x = self._convolve(flat, self.kernel)
        if self.bias is not None:
            x = ops.add(x, self.bias if self.data_format == "channels_last" else ops.reshape(self.bias, (1, -1, *(1,) * self.rank)))
        return ops.reshape(x, (*lead, *x.shape[1:])) if len(lead) > 1 else x

    def step(self, projected, states, drop_state=None):
        h, c = states
        inner = ops.conv(self._dropped(h, drop_state), self.recurrent_kernel, 1, "same", self.data_format)
        i, f, g, o = ops.split(ops.add(projected, inner), 4, axis=-1 if self.data_format == "channels_last" else 1)
        gate = self.recurrent_activation
        c = ops.add(ops.multiply(gate(f), c), ops.multiply(gate(i), self.activation(g)))
        h = ops.multiply(gate(o), self.activation(c))
        return h, [h, c]


class ConvLSTM(OfCell, abstract=True):
    """A long short-term memory over a sequence of pictures (or of rows, or of volumes), with convolutions in place of matrix products.

    Args:
        filters: number of channels of the states and the output, at least 1.
        kernel_size: size of the window, for all spatial axes or for each.
        strides: steps between places of the input, for all spatial axes or for each.
        padding: of the convolution of the input: "valid" (none) or "same" (zeros); that of the state is always "same".
        data_format: "channels_last" or "channels_first"; the steps come before either.
        dilation_rate: distance between the cells of the input's window.
        activation: of the candidate and the output.
        recurrent_activation: of the gates.
        unit_forget_bias: whether the forget gate's bias begins at 1.
        dropout, recurrent_dropout: fractions of the input and of the state to drop in training, from 0 to 1.
        seed: whole number; random by default.
        return_sequences, return_state, go_backwards, stateful: as for RNN.

    Shapes:
        input (batch, steps, *space, channels) -> output (batch, *new space, filters) or (batch, steps, *new space, filters)
        kernel (*kernel_size, channels, 4 filters), recurrent_kernel (*kernel_size, filters, 4 filters), bias (4 filters,)

    Source: Shi et al., "Convolutional LSTM Network: A Machine Learning Approach for Precipitation Nowcasting", 2015.
    """

    def setup(self):
        names = [n for n in type(self)._fields if n in ConvLSTMCell._fields and n not in RNN._fields]
        own = {n: getattr(self, n) for n in names}
        self.cell = ConvLSTMCell(rank=self.rank, **own, dtype=self.dtype_policy, trainable=self.trainable, name="conv_lstm_cell")
        for name in ("kernel_size", "strides", "padding", "data_format", "dilation_rate"):
            setattr(self, name, getattr(self.cell, name))
        self._prepare_sequence()
        self.input_spec = InputSpec(ndim=self.rank + 3)

    def _first_states(self, sequences, batch):
        shape = self.cell.state_shape((batch, *sequences.shape[2:]))
        shape = tuple(shapes.UNKNOWN if size is None else size for size in shape)
        return [ops.zeros(shape, dtype=self.compute_dtype) for _ in range(2)]

    def _state_shapes(self, sequences_shape):
        shape = self.cell.state_shape((sequences_shape[0], *sequences_shape[2:]))
        if None in shape:
            raise ValueError(f"{self._label()}: a stateful layer needs every size of its input; got the shape {sequences_shape}.")
        return [shape, shape]


_ARGUMENTS = """filters kernel_size strides padding data_format dilation_rate activation recurrent_activation use_bias kernel_initializer
recurrent_initializer bias_initializer unit_forget_bias kernel_regularizer recurrent_regularizer bias_regularizer activity_regularizer kernel_constraint
recurrent_constraint bias_constraint dropout recurrent_dropout seed return_sequences return_state go_backwards stateful"""


class ConvLSTM1D(ConvLSTM, cell=ConvLSTMCell, arguments=_ARGUMENTS):
    __doc__ = ConvLSTM.__doc__
    rank = 1


class ConvLSTM2D(ConvLSTM, cell=ConvLSTMCell, arguments=_ARGUMENTS):
    __doc__ = ConvLSTM.__doc__
    rank = 2


class ConvLSTM3D(ConvLSTM, cell=ConvLSTMCell, arguments=_ARGUMENTS):
    __doc__ = ConvLSTM.__doc__
    rank = 3
