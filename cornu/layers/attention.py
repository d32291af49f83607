"""Attention, and the dense layer over any axes that it is made of."""

import math
import re

from cornu import backends, ops, random, shapes
from cornu.fields import Activation, Constraint, Initializer, Regularizer
from cornu.layers.dropout import Dropout
from cornu.layers.layer import Layer


class EinsumDense(Layer):
    """A dense layer whose product is any einsum.

    Args:
        equation: such as "abc,cd->abd"; an ellipsis stands for any axes.
        output_shape: sizes of the output without the batch; None where the input gives them.
        activation: name or function, applied last.
        bias_axes: letters of the output's axes that the bias has; None for no bias.

    Shapes:
        as the equation says; kernel has the axes of its second operand
    """

    equation: str
    output_shape: object
    activation: Activation = None
    bias_axes: str | None = None
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None
    lora_rank: int | None = None
    lora_alpha: float | None = None
    gptq_unpacked_column_size: object = None
    quantization_config: object = None
    activity_regularizer: Regularizer = None

    def setup(self):
        label = self._label()
        if not re.fullmatch(r"[a-zA-Z.]+,[a-zA-Z]+->[a-zA-Z.]+", self.equation.replace(" ", "")):
            raise ValueError(f"{label}: equation must look like 'abc,cd->abd'; got {self.equation!r}.")
        self.equation = self.equation.replace(" ", "")
        for name in ("lora_rank", "quantization_config"):
            if getattr(self, name) is not None:
                raise ValueError(f"{label}: {name} is not supported here; leave it out.")
        shape = self.output_shape
        self.output_shape = self.partial_output_shape = (shape,) if isinstance(shape, int) or shape is None else tuple(shape)

    def build(self, input_shape):
        left, kernel, out = re.split(",|->", self.equation)
        left, out = (self._spelled(part, len(input_shape)) for part in (left, out))
        sizes = dict(zip(left, input_shape))
        given = self.partial_output_shape
        for letter, size in zip(out[len(out) - len(given) :], given):
            if size is not None:
                if sizes.get(letter) not in (None, size):
                    raise ValueError(f"{self._label()}: output_shape says {size} for the axis {letter!r}, but the input's is {sizes[letter]}.")
                sizes[letter] = size
        missing = [letter for letter in kernel if sizes.get(letter) is None]
        if missing:
            raise ValueError(
                f"{self._label()}: the size of the axis {missing[0]!r} of the kernel is not known from the input shape {input_shape} and output_shape {given}."
            )
        self.full_output_shape = tuple(sizes.get(letter) for letter in out)
        self.kernel = self.add_weight(name="kernel", shape=tuple(sizes[letter] for letter in kernel))
        self.bias = None
        if self.bias_axes:
            unknown = [letter for letter in self.bias_axes if letter not in out]
            if unknown:
                raise ValueError(f"{self._label()}: bias_axes has {unknown[0]!r}, which is no axis of the output in {self.equation!r}.")
            first = min(out.index(letter) for letter in self.bias_axes)
            self.bias = self.add_weight(name="bias", shape=tuple(sizes[letter] if letter in self.bias_axes else 1 for letter in out[first:]))

    def _spelled(self, part, rank):
        """`part` of the equation with letters in place of the ellipsis."""
        if "..." not in part:
            return part
        left = self.equation.split(",")[0]
        count = rank - len(left.replace("...", ""))
        return part.replace("...", "0123456789"[:count])

    def call(self, inputs, training=None):
        x = ops.einsum(self.equation, inputs, self.kernel)
        if self.bias is not None:
            x = ops.add(x, self.bias)
        return self.activation(x)

    def get_config(self):
        config = super().get_config()
        for name in ("lora_rank", "lora_alpha", "gptq_unpacked_column_size"):
            if config[name] is None:
                config.pop(name)
        return config


class MultiHeadAttention(Layer):
    """Attention of several heads: each query takes the values whose keys match it.

    Args:
        num_heads: number of heads, at least 1.
        key_dim: size of a head's queries and keys, at least 1.
        value_dim: size of a head's values; `key_dim` by default.
        dropout: fraction of the attention weights to drop in training.
        use_bias: whether the projections have biases.
        output_shape: size (or sizes) of the output's last axes; the query's by default.
        attention_axes: axes that are attended over; all but the first and the last by default.

    Shapes:
        query (batch, T, features), value and key (batch, S, features) -> output (batch, T, features)

    Source: Vaswani et al., "Attention Is All You Need", 2017.
    """

    num_heads: int
    key_dim: int
    value_dim: int | None = None
    dropout: float = 0.0
    use_bias: bool = True
    output_shape: object = None
    attention_axes: object = None
    sliding_window: int | None = None
    flash_attention: object = None
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"
    kernel_regularizer: Regularizer = None
    bias_regularizer: Regularizer = None
    activity_regularizer: Regularizer = None
    kernel_constraint: Constraint = None
    bias_constraint: Constraint = None
    use_gate: bool = False
    seed: object = None

    def setup(self):
        label = self._label()
        self.value_dim = self.key_dim if self.value_dim is None else self.value_dim
        for name in ("num_heads", "key_dim", "value_dim"):
            if getattr(self, name) < 1:
                raise ValueError(f"{label}: {name} must be at least 1; got {getattr(self, name)}.")
        if self.sliding_window is not None and self.sliding_window < 1:
            raise ValueError(f"{label}: sliding_window must be at least 1; got {self.sliding_window}.")
        if isinstance(self.output_shape, int):
            self.output_shape = (self.output_shape,)
        if isinstance(self.attention_axes, int):
            self.attention_axes = (self.attention_axes,)
        elif self.attention_axes is not None:
            self.attention_axes = tuple(self.attention_axes)
        self.supports_masking = True

    def build(self, query_shape, value_shape, key_shape=None):
        key_shape = value_shape if key_shape is None else key_shape
        rank = len(query_shape)
        if value_shape[1:-1] != key_shape[1:-1]:
            raise ValueError(f"{self._label()}: value and key must agree in all axes but the last; got {value_shape} and {key_shape}.")
        self.attention_axes = self.attention_axes or tuple(range(1, rank - 1))
        parts = [("query", query_shape, self.key_dim), ("key", key_shape, self.key_dim), ("value", value_shape, self.value_dim)]
        for name, shape, size in parts:
            setattr(self, f"_{name}_dense", self._projection(name, shape, size))
        if self.use_gate:
            self._gate_dense = self._projection("gate", query_shape, self.value_dim, activation="sigmoid")
        out = (query_shape[-1],) if self.output_shape is None else tuple(self.output_shape)
        lead, ends = "abcdefgh"[: rank - 1], "opqrs"[: len(out)]
        self._output_dense = self._einsum(f"{lead}mn,mn{ends}->{lead}{ends}", (*query_shape[1:-1], *out), ends, "attention_output")
        self._output_dense._run_build({"input_shape": (*query_shape[:-1], self.num_heads, self.value_dim)})
        self._dropout_layer = Dropout(self.dropout, dtype=self.dtype_policy, seed=self.seed)

    def _projection(self, name, shape, size, activation=None):
        lead = "abcdefgh"[: len(shape) - 1]
        layer = self._einsum(f"{lead}l,lmn->{lead}mn", (*shape[1:-1], self.num_heads, size), "mn", name, activation)
        layer._run_build({"input_shape": shape})
        return layer

    def _einsum(self, equation, output_shape, bias_axes, name, activation=None):
        part = {f"{what}_{kind}": getattr(self, f"{what}_{kind}") for what in ("kernel", "bias") for kind in ("initializer", "regularizer", "constraint")}
        output_shape = tuple(None if size is shapes.UNKNOWN else size for size in output_shape)
        return EinsumDense(
            equation,
            output_shape=output_shape,
            bias_axes=bias_axes if self.use_bias else None,
            activation=activation,
            name=name,
            dtype=self.dtype_policy,
            **part,
        )

    def call(
        self,
        query,
        value,
        key=None,
        query_mask=None,
        value_mask=None,
        key_mask=None,
        attention_mask=None,
        return_attention_scores=False,
        training=None,
        use_causal_mask=False,
    ):
        key = value if key is None else key
        mask = self._joint_mask(query, value, key, query_mask, value_mask, key_mask, attention_mask, use_causal_mask)
        q, k, v = self._query_dense(query), self._key_dense(key), self._value_dense(value)
        rank, over = q.ndim, self.attention_axes
        kept = [a for a in range(rank - 1) if a not in over]
        # to (batch axes, heads, attended, size)
        batch = [a for a in kept if a != rank - 2]
        order = [*batch, rank - 2, *over, rank - 1]
        q, k, v = (ops.transpose(t, order) for t in (q, k, v))
        n = len(batch) + 1
        lead, queries, keys = q.shape[:n], q.shape[n:-1], k.shape[n:-1]
        flat = lambda t: t if len(over) == 1 else ops.reshape(t, (*t.shape[:n], math.prod(t.shape[n:-1]), t.shape[-1]))
        q, k, v = flat(q), flat(k), flat(v)
        q = ops.multiply(q, 1.0 / math.sqrt(self.key_dim))
        scores = ops.matmul(q, ops.transpose(k, (*range(n), n + 1, n)))
        if mask is not None:
            mask = (
                ops.expand_dims(mask, axis=list(range(mask.ndim - 2 * len(over), mask.ndim - 2 * len(over) + 1)))
                if mask.ndim == 2 * len(over) + len(batch)
                else mask
            )
            if len(over) > 1:
                mask = ops.reshape(mask, (*mask.shape[:n], math.prod(mask.shape[n : n + len(over)]), math.prod(mask.shape[n + len(over) :])))
            lowest = -3e4 if backends.kind(scores) == "float16" else -1e9
            scores = ops.where(mask, scores, ops.add(scores, lowest))
        scores = ops.softmax(scores, axis=-1)
        dropped = self._dropout_layer(scores, training=training) if self.dropout > 0 else scores
        out = ops.matmul(dropped, v)
        if len(over) > 1:
            out = ops.reshape(out, (*lead, *queries, out.shape[-1]))
            scores = ops.reshape(scores, (*lead, *queries, *keys))
        back = [order.index(a) for a in range(rank)]
        out = ops.transpose(out, back)
        if self.use_gate:
            out = ops.multiply(out, self._gate_dense(query))
        out = self._output_dense(out)
        return (out, scores) if return_attention_scores else out

    def _joint_mask(self, query, value, key, query_mask, value_mask, key_mask, attention_mask, causal):
        """What all masks say together, (batch, T, S), or None."""
        mask = None
        both = lambda a, b: b if a is None else ops.logical_and(a, b)
        if query_mask is not None:
            mask = both(mask, ops.expand_dims(ops.cast(query_mask, "bool"), -1))
        if value_mask is not None:
            mask = both(mask, ops.expand_dims(ops.cast(value_mask, "bool"), -2))
        if key_mask is not None:
            mask = both(mask, ops.expand_dims(ops.cast(key_mask, "bool"), -2))
        t, s = query.shape[1], key.shape[1]
        if causal or self.sliding_window is not None:
            rows, columns = ops.expand_dims(ops.arange(t), 1), ops.expand_dims(ops.arange(s), 0)
            if causal:
                mask = both(mask, ops.expand_dims(ops.greater_equal(rows, columns), 0))
            if self.sliding_window is not None:
                mask = both(mask, ops.expand_dims(ops.less(ops.abs(ops.subtract(rows, columns)), self.sliding_window), 0))
        if attention_mask is not None:
            attention_mask = ops.cast(attention_mask, "bool")
            if mask is not None and attention_mask.ndim > mask.ndim:
                mask = ops.expand_dims(mask, -3)
            mask = both(mask, attention_mask)
        return mask

    def get_config(self):
        config = super().get_config()
        config.pop("flash_attention")
        return config

    def compute_mask(self, query, value=None, query_mask=None, value_mask=None, key=None, key_mask=None):
        return query_mask


class Attention(Layer):
    """Dot-product attention over [query, value] or [query, value, key].

    Args:
        use_scale: whether the scores are multiplied by a learned number.
        score_mode: "dot", or "concat" for a sum of tanh.
        dropout: fraction of the attention weights to drop in training.
        seed: whole number; random by default.

    Shapes:
        query (batch, T, features), value (batch, S, size), key (batch, S, features) -> (batch, T, size)

    Source: Luong et al., "Effective Approaches to Attention-based Neural Machine Translation", 2015.
    """

    use_scale: bool = False
    score_mode: str = "dot"
    dropout: float = 0.0
    seed: object = None

    def setup(self):
        self.supports_masking = True
        if self.score_mode not in ("dot", "concat"):
            raise ValueError(f"{self._label()}: score_mode must be 'dot' or 'concat'; got {self.score_mode!r}.")
        self.seed_generator = random.SeedGenerator(self.seed) if self.dropout > 0 else None

    def build(self, input_shape):
        if not isinstance(input_shape, (list, tuple)) or len(input_shape) not in (2, 3) or not isinstance(input_shape[0], (list, tuple)):
            raise ValueError(f"{self._label()}: call it on [query, value] or [query, value, key]; got the shape {input_shape}.")
        self.scale = self.add_weight(name="scale", shape=(), initializer="ones") if self.use_scale else None
        self.concat_score_weight = self.add_weight(name="concat_score_weight", shape=(), initializer="ones") if self.score_mode == "concat" else None

    def scores(self, query, key):
        """The match of every query with every key, (batch, T, S)."""
        if self.score_mode == "dot":
            scores = ops.matmul(query, ops.transpose(key, (0, 2, 1)))
            return scores if self.scale is None else ops.multiply(scores, self.scale)
        together = ops.add(ops.expand_dims(query, -2), ops.expand_dims(key, -3))
        if self.scale is not None:
            together = ops.multiply(together, self.scale)
        return ops.multiply(self.concat_score_weight, ops.sum(ops.tanh(together), axis=-1))

    def call(self, inputs, mask=None, return_attention_scores=False, training=False, use_causal_mask=False):
        query, value = inputs[:2]
        key = inputs[2] if len(inputs) > 2 else value
        query_mask, value_mask = (list(mask) + [None])[:2] if mask else (None, None)
        scores = self.scores(query, key)
        allowed = None if value_mask is None else ops.expand_dims(value_mask, -2)
        if use_causal_mask:
            rows, columns = ops.expand_dims(ops.arange(scores.shape[1]), 1), ops.expand_dims(ops.arange(scores.shape[2]), 0)
            causal = ops.expand_dims(ops.greater_equal(rows, columns), 0)
            allowed = causal if allowed is None else ops.logical_and(allowed, causal)
        if allowed is not None:
            lowest = 65504.0 if backends.kind(scores) == "float16" else 1e9
            scores = ops.subtract(scores, ops.multiply(ops.cast(ops.logical_not(allowed), backends.kind(scores)), lowest))
        weights = ops.softmax(scores, axis=-1)
        if training and self.dropout > 0:
            weights = random.dropout(weights, self.dropout, seed=self.seed_generator)
        result = ops.matmul(weights, value)
        if query_mask is not None:
            result = ops.multiply(result, ops.expand_dims(ops.cast(query_mask, backends.kind(result)), -1))
        return (result, weights) if return_attention_scores else result

    def compute_mask(self, inputs, previous_mask=None):
        return previous_mask[0] if previous_mask else None


class AdditiveAttention(Attention):
    """Additive attention over [query, value] or [query, value, key].

    Args:
        use_scale: whether a learned vector weighs the features.
        dropout: fraction of the attention weights to drop in training.

    Source: Bahdanau et al., "Neural Machine Translation by Jointly Learning to Align and Translate", 2014.
    """

    use_scale: bool = True
    dropout: float = 0.0
    _left_out = frozenset(("score_mode",))
    _keyword_only = Attention._keyword_only | {"seed"}
    score_mode = "dot"

    def build(self, input_shape):
        super().build(input_shape)
        if self.scale is not None:
            self._own_variables.clear()
            self.scale = self.add_weight(name="scale", shape=(input_shape[0][-1],), initializer="glorot_uniform")

    def scores(self, query, key):
        together = ops.tanh(ops.add(ops.expand_dims(query, -2), ops.expand_dims(key, -3)))
        return ops.sum(together if self.scale is None else ops.multiply(together, self.scale), axis=-1)
