"""Layers around a layer: every step of a sequence, both directions of a sequence, a bounded weight."""

from cornu import initializers, ops, serialization, shapes, tree
from cornu.fields import Nested
from cornu.layers.core import Wrapper
from cornu.layers.input_spec import InputSpec
from cornu.layers.layer import Layer
from cornu.variable import Variable


class TimeDistributed(Wrapper):
    """The same layer on every step of a sequence.

    Args:
        layer: the layer.

    Shapes:
        input (batch, steps, ...) -> output (batch, steps, what the layer gives)
    """

    def setup(self):
        super().setup()
        self.supports_masking = True

    def build(self, input_shape=None):
        super().build((input_shape[0], *input_shape[2:]))

    def call(self, inputs, training=None, mask=None):
        batch, steps = inputs.shape[:2]
        both = batch * steps
        flat = ops.reshape(inputs, (-1 if both is shapes.UNKNOWN else both, *inputs.shape[2:]))
        kwargs = {"training": training} if self.layer._takes("training") else {}
        if mask is not None and "mask" in self.layer._call_names and mask.ndim > 2:
            kwargs["mask"] = ops.reshape(mask, (-1, *mask.shape[2:]))
        outputs = self.layer(flat, **kwargs)
        lead = (-1, steps) if isinstance(steps, int) else (batch, -1)
        return tree.map_structure(lambda y: ops.reshape(y, (*lead, *y.shape[1:])), outputs)


class Bidirectional(Layer):
    """A recurrent layer run forwards and a copy of it run backwards.

    Args:
        layer: the recurrent layer.
        merge_mode: how the outputs become one: "concat", "sum", "mul", "ave", or None for a list of both.
        weights: first values of all weights, by keyword.
        backward_layer: the layer to run backwards, with `go_backwards=True`, in place of a copy.

    Shapes:
        input (batch, steps, features) -> output (batch, 2 units) or (batch, steps, 2 units) for "concat"

    Source: Schuster and Paliwal, "Bidirectional Recurrent Neural Networks", 1997.
    """

    layer: Nested
    merge_mode: str | None = "concat"
    backward_layer: Nested = None

    def setup(self):
        label = self._label()
        if not isinstance(self.layer, Layer) or not hasattr(self.layer, "go_backwards"):
            raise ValueError(f"{label}: layer must be a recurrent layer such as LSTM(32); got {type(self.layer).__name__}.")
        if self.merge_mode not in ("concat", "sum", "mul", "ave", None):
            raise ValueError(f"{label}: merge_mode must be 'concat', 'sum', 'mul', 'ave' or None; got {self.merge_mode!r}.")
        given, backward = self.layer, self.backward_layer
        if backward is None:
            config = serialization.serialize_keras_object(given)
            config.pop("build_config", None)
            config["config"]["go_backwards"] = not config["config"]["go_backwards"]
            config["config"]["name"] = f"backward_{given.name.removeprefix('forward_')}"
            if config["config"].get("seed") is not None:
                config["config"]["seed"] = config["config"]["seed"] + 1
            backward = type(given).from_config(config["config"])
        if backward.go_backwards == given.go_backwards:
            raise ValueError(f"{label}: backward_layer must run the other way: set go_backwards={not given.go_backwards} on it.")
        for name in ("return_sequences", "return_state", "stateful"):
            if getattr(given, name) != getattr(backward, name):
                raise ValueError(f"{label}: layer and backward_layer differ in {name}: {getattr(given, name)} and {getattr(backward, name)}.")
        del self.layer, self.backward_layer
        forward = type(given).from_config({**given.get_config(), "name": f"forward_{given.name.removeprefix('forward_')}"})
        self.forward_layer, self.backward_layer = forward, backward
        if given.return_sequences:  # so that masked steps of both directions add up to nothing
            forward.zero_output_for_mask = backward.zero_output_for_mask = True
        self.return_sequences, self.return_state, self.stateful = given.return_sequences, given.return_state, given.stateful
        self.supports_masking = True
        self.input_spec = InputSpec(min_ndim=3)

    def build(self, sequences_shape, initial_state_shape=None):
        for layer in (self.forward_layer, self.backward_layer):
            layer._run_build({"sequences_shape": sequences_shape})

    def call(self, sequences, initial_state=None, mask=None, training=None):
        kwargs = {"training": training} if self.forward_layer._takes("training") else {}
        if mask is not None:
            kwargs["mask"] = mask
        states = [{}, {}]
        if initial_state is not None:
            half = len(initial_state) // 2
            states = [{"initial_state": list(initial_state[:half])}, {"initial_state": list(initial_state[half:])}]
        y, y_back = (layer(sequences, **kwargs, **state) for layer, state in zip((self.forward_layer, self.backward_layer), states))
        kept = []
        if self.return_state:
            (y, *first), (y_back, *second) = y, y_back
            kept = first + second
        if self.return_sequences:
            y_back = ops.flip(y_back, axis=1)
        merged = self._merge(ops.cast(y, self.compute_dtype), ops.cast(y_back, self.compute_dtype))
        if self.return_state:
            return (*merged, *kept) if self.merge_mode is None else (merged, *kept)
        return merged

    def _merge(self, x, y):
        match self.merge_mode:
            case "concat":
                return ops.concatenate([x, y], axis=-1)
            case "sum":
                return ops.add(x, y)
            case "mul":
                return ops.multiply(x, y)
            case "ave":
                return ops.divide(ops.add(x, y), 2)
        return (x, y)

    def compute_mask(self, inputs, previous_mask=None):
        mask = tree.flatten(previous_mask)[0] if self.return_sequences else None
        masks = [mask, mask] if self.merge_mode is None else mask
        if not self.return_state:
            return masks
        states = [None] * (2 * len(tree.flatten(self.forward_layer.state_size)))
        return [*(masks if isinstance(masks, list) else [masks]), *states]

    def reset_state(self):
        """Set the states of both directions to 0."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state

    @property
    def states(self):
        return None if self.forward_layer.states is None else (*self.forward_layer.states, *self.backward_layer.states)

    def get_config(self):
        config = {"name": self.name, "trainable": self.trainable, "dtype": serialization.serialize_keras_object(self.dtype_policy)}
        config.update(merge_mode=self.merge_mode, layer=serialization.serialize_keras_object(self.forward_layer))
        config["backward_layer"] = serialization.serialize_keras_object(self.backward_layer)
        return config


class SpectralNormalization(Wrapper):
    """A layer whose weight is divided, at each step of training, by an estimate of its largest singular value.

    The weight (the layer's `kernel`, or its `embeddings`) counts as a matrix of all axes but the last by the last.

    Args:
        layer: a layer with a `kernel` or `embeddings`, such as Dense, Conv2D or Embedding.
        power_iterations: steps of the estimate at each call, at least 1.

    Shapes:
        those of the layer; vector_u (1, the weight's last axis)

    Raises:
        ValueError: a number below 1, or a layer without such a weight.

    Source: Miyato et al., "Spectral Normalization for Generative Adversarial Networks", 2018.
    """

    layer: Nested
    power_iterations: int = 1

    def setup(self):
        super().setup()
        if self.power_iterations < 1:
            raise ValueError(f"{self._label()}: power_iterations must be at least 1; got {self.power_iterations}.")

    def build(self, input_shape):
        super().build(input_shape)
        self.input_spec = InputSpec(shape=(None, *input_shape[1:]))
        names = [name for name in ("_kernel", "kernel", "_embeddings", "embeddings") if isinstance(getattr(self.layer, name, None), Variable)]
        if not names:
            raise ValueError(f"{self._label()}: the layer {type(self.layer).__name__} {self.layer.name!r} has no weight `kernel` or `embeddings`.")
        self.kernel = getattr(self.layer, names[0])
        self.vector_u = self.add_weight(
            name="vector_u", shape=(1, self.kernel.shape[-1]), initializer=initializers.TruncatedNormal(stddev=0.02), trainable=False, dtype=self.kernel.dtype
        )

    def call(self, inputs, training=False):
        if training:
            kernel, u = self.normalized_weights()
            self.kernel.assign(kernel)
            self.vector_u.assign(u)
        return self.layer(inputs, **({"training": training} if self.layer._takes("training") else {}))

    def normalized_weights(self):
        """The weight divided by its largest singular value, and the vector that goes with that value; both as they were for a weight of zeros."""
        kernel, first = ops.convert_to_tensor(self.kernel), ops.convert_to_tensor(self.vector_u)
        u = first
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
        for _ in range(self.power_iterations):
            v = ops.normalize(ops.matmul(u, ops.transpose(matrix)), axis=-1, epsilon=1e-12)
            u = ops.normalize(ops.matmul(v, matrix), axis=-1, epsilon=1e-12)
        u, v = ops.stop_gradient(u), ops.stop_gradient(v)
        sigma = ops.matmul(ops.matmul(v, matrix), ops.transpose(u))
        nothing = ops.all(ops.equal(kernel, 0))
        sigma = ops.where(nothing, 1.0, ops.reshape(sigma, ()))
        return ops.divide(kernel, sigma), ops.where(nothing, first, u)
