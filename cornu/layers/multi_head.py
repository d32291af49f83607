"""Attention of several heads, each with projections of its own."""

import math

from cornu import backends, ops, serialization, shapes
from cornu.fields import Constraint, Initializer, Regularizer
from cornu.layers.dropout import Dropout
from cornu.layers.einsum_dense import EinsumDense
from cornu.layers.layer import Layer
from cornu.ops.dispatch import own_version


class _Heads(Layer, abstract=True):
    """What attention of several heads shares: a subclass says how many heads of queries and of keys there are, and their sizes."""

    num_heads = key_heads = key_dim = value_dim = 1
    attention_axes = output_shape = None
    use_bias, use_gate, dropout, sliding_window, flash_attention, seed = True, False, 0.0, None, None, None

    def setup(self):
        label = self._label()
        if not 0 <= self.dropout <= 1:
            raise ValueError(f"{label}: dropout must be from 0 to 1; got {self.dropout}.")
        if self.sliding_window is not None and not (hasattr(self.sliding_window, "__index__") and self.sliding_window >= 1):
            raise ValueError(f"{label}: sliding_window must be a whole number of at least 1, or None; got {self.sliding_window!r}.")
        if self.flash_attention and self.dropout > 0:
            raise ValueError(f"{label}: flash_attention has no dropout; got flash_attention=True and dropout={self.dropout}.")
        self.supports_masking = True

    def build(self, query_shape, value_shape, key_shape=None):
        key_shape = value_shape if key_shape is None else key_shape
        rank, label = len(query_shape), self._label()
        if not len(value_shape) == len(key_shape) == rank:
            raise ValueError(f"{label}: query, value and key must have as many axes each; got {query_shape}, {value_shape} and {key_shape}.")
        if value_shape[1:-1] != key_shape[1:-1]:
            raise ValueError(f"{label}: value and key must agree in all axes but the last; got {value_shape} and {key_shape}.")
        for name, shape in (("query", query_shape), ("value", value_shape), ("key", key_shape)):
            if shape[-1] is None:
                raise ValueError(f"{label}: the size of the last axis of {name} must be known; got the shape {shape}.")
        axes = self.attention_axes or tuple(range(1, rank - 1))
        self.attention_axes = tuple(shapes.normalize_axis(axis, rank, label) for axis in axes)
        if not axes or not all(0 < axis < rank - 1 for axis in self.attention_axes):
            raise ValueError(f"{label}: attention_axes must lie between the batch and the features of an input of {rank} axes; got {axes}.")
        self._query_dense = self._projection("query", query_shape, self.num_heads, self.key_dim)
        self._key_dense = self._projection("key", key_shape, self.key_heads, self.key_dim)
        if self.use_gate:
            self._gate_dense = self._projection("gate", query_shape, self.num_heads, self.value_dim, activation="sigmoid")
        self._value_dense = self._projection("value", value_shape, self.key_heads, self.value_dim)
        out = (query_shape[-1],) if self.output_shape is None else tuple(self.output_shape)
        lead, ends = "abcdefgh"[: rank - 1], "opqrs"[: len(out)]
        self._output_dense = self._einsum(f"{lead}mn,mn{ends}->{lead}{ends}", (*query_shape[1:-1], *out), ends, "attention_output")
        self._output_dense._run_build({"input_shape": (*query_shape[:-1], self.num_heads, self.value_dim)})
        self._dropout_layer = Dropout(self.dropout, dtype=self.dtype_policy, seed=self.seed)

    def _projection(self, name, shape, heads, size, activation=None):
        lead = "abcdefgh"[: len(shape) - 1]
        layer = self._einsum(f"{lead}l,lmn->{lead}mn", (*shape[1:-1], heads, size), "mn", name, activation)
        layer._run_build({"input_shape": shape})
        return layer

    def _einsum(self, equation, output_shape, bias_axes, name, activation=None):
        part = {f"{what}_{kind}": getattr(self, f"{what}_{kind}") for what in ("kernel", "bias") for kind in ("initializer", "regularizer", "constraint")}
        output_shape = tuple(None if size is shapes.UNKNOWN else size for size in output_shape)
        layer = EinsumDense(
            equation,
            output_shape=output_shape,
            bias_axes=bias_axes if self.use_bias else None,
            activation=activation,
            name=name,
            dtype=self.dtype_policy,
            **part,
        )
        layer.supports_masking = True  # masks act where queries meet keys
        return layer

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
        mask = self._joint_mask(query, value, query_mask, value_mask, key_mask, attention_mask, use_causal_mask)
        q, k, v = self._query_dense(query), self._key_dense(key), self._value_dense(value)
        rank, over = q.ndim, self.attention_axes
        # to (batch axes, heads, attended, size)
        batch = [axis for axis in range(rank - 2) if axis not in over]
        order = [*batch, rank - 2, *over, rank - 1]
        q, k, v = (ops.transpose(t, order) for t in (q, k, v))
        n = len(batch) + 1
        if self.key_heads != self.num_heads:
            k, v = (ops.repeat(t, self.num_heads // self.key_heads, axis=n - 1) for t in (k, v))
        lead, queries, keys = q.shape[:n], q.shape[n:-1], k.shape[n:-1]
        q, k, v = (t if len(over) == 1 else ops.reshape(t, (*t.shape[:n], math.prod(t.shape[n:-1]), t.shape[-1])) for t in (q, k, v))
        if mask is not None:
            while mask.ndim < n + 2 * len(over):
                mask = ops.expand_dims(mask, mask.ndim - 2 * len(over))
            if len(over) > 1:
                mask = ops.broadcast_to(mask, (*mask.shape[:n], *queries, *keys))
                mask = ops.reshape(mask, (*mask.shape[:n], math.prod(queries), math.prod(keys)))
        plain = self.flash_attention is None and mask is None and not return_attention_scores and self.dropout == 0 and q.ndim == 4
        if self.flash_attention or (plain and own_version("dot_product_attention", backends.current())):
            out, scores = self._fused(q, k, v, mask, return_attention_scores), None
        else:
            blank = return_attention_scores or self.dropout > 0 or len(over) > 1
            out, scores = self._attend(q, k, v, mask, training, blank)
        if len(over) > 1:
            out = ops.reshape(out, (*lead, *queries, out.shape[-1]))
            scores = None if scores is None else ops.reshape(scores, (*lead, *queries, *keys))
        out = ops.transpose(out, [order.index(axis) for axis in range(rank)])
        if self.use_gate:
            out = ops.multiply(out, self._gate_dense(query))
        out = self._output_dense(out)
        return (out, scores) if return_attention_scores else out

    def _attend(self, q, k, v, mask, training, blank):
        """The sums of `v`, (..., T, size), and the weights, (..., T, S), of queries, keys and values (..., places, size).

        A query that may see no key gets nothing with `blank`, else the mean of all values: Keras does the one or the other by what is asked for.
        """
        q = ops.multiply(q, 1.0 / math.sqrt(self.key_dim))
        scores = ops.matmul(q, ops.swapaxes(k, -1, -2))
        if mask is not None:
            lowest = -3e4 if backends.kind(scores) == "float16" else -1e9
            scores = ops.where(mask, scores, ops.add(scores, lowest))
        scores = ops.softmax(scores, axis=-1)
        if mask is not None and blank:
            scores = ops.multiply(scores, ops.cast(mask, backends.kind(scores)))
        dropped = self._dropout_layer(scores, training=training) if self.dropout > 0 else scores
        return ops.matmul(dropped, v), scores

    def _fused(self, q, k, v, mask, return_attention_scores):
        """As `_attend`, by the backend's own kernel, which keeps no weights."""
        if return_attention_scores or q.ndim != 4:
            raise ValueError(f"{self._label()}: flash_attention=True gives no attention scores and attends over one axis; leave it at None.")
        q, k, v = (ops.transpose(t, (0, 2, 1, 3)) for t in (q, k, v))
        out = ops.dot_product_attention(q, k, v, mask=mask, scale=1.0 / math.sqrt(self.key_dim), flash_attention=self.flash_attention)
        return ops.transpose(out, (0, 2, 1, 3))

    def _joint_mask(self, query, value, query_mask, value_mask, key_mask, attention_mask, causal):
        """What all masks say together, (batch, T, S), or None."""
        mask = None
        both = lambda a, b: b if a is None else ops.logical_and(a, b)
        for given, axis in ((query_mask, -1), (value_mask, -2), (key_mask, -2)):
            if given is not None:
                mask = both(mask, ops.expand_dims(ops.cast(given, "bool"), axis))
        if causal or self.sliding_window is not None:
            rows, columns = ops.expand_dims(ops.arange(query.shape[1]), 1), ops.expand_dims(ops.arange(value.shape[1]), 0)
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


class MultiHeadAttention(_Heads):
    """Attention of several heads: each query takes the values whose keys match it.

    Args:
        num_heads: number of heads, at least 1.
        key_dim: size of a head's queries and keys, at least 1.
        value_dim: size of a head's values; `key_dim` by default.
        dropout: fraction of the attention weights to drop in training, from 0 to 1.
        use_bias: whether the projections have biases.
        output_shape: size (or sizes) of the output's last axes; the query's by default.
        attention_axes: axes that are attended over; all but the first and the last by default.
        sliding_window: a query sees only keys less than this many places away; None for all.
        flash_attention: True asks for the backend's fused kernel, an error where there is none; None and False go without.
        use_gate: whether each head's result is multiplied by a sigmoid of a projection of the query.
        seed: whole number; random by default.

    Shapes:
        query (batch, T, features), value and key (batch, S, features) -> output (batch, T, features), scores (batch, heads, T, S)

    Raises:
        ValueError: a number below 1, or inputs of different ranks.

    Masks are booleans, True where a place counts: `query_mask` (batch, T), `value_mask` and `key_mask` (batch, S), `attention_mask`
    (batch, T, S), or with an axis of heads before T. `use_causal_mask` lets a query see only keys that stand no later than itself.

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
            if not hasattr(getattr(self, name), "__index__") or getattr(self, name) < 1:
                raise ValueError(f"{label}: {name} must be a whole number of at least 1; got {getattr(self, name)!r}.")
        for name in ("output_shape", "attention_axes"):
            value = getattr(self, name)
            value = (value,) if hasattr(value, "__index__") else value
            if value is not None and not (isinstance(value, (list, tuple)) and all(hasattr(v, "__index__") for v in value)):
                raise ValueError(f"{label}: {name} must be a whole number, several of them, or None; got {value!r}.")
            setattr(self, name, None if value is None else tuple(value))
        super().setup()

    key_heads = property(lambda self: self.num_heads)
    query_dense = property(lambda self: self._query_dense, doc="The projection of the query, once the layer is built.")
    key_dense = property(lambda self: self._key_dense, doc="The projection of the key, once the layer is built.")
    value_dense = property(lambda self: self._value_dense, doc="The projection of the value, once the layer is built.")
    output_dense = property(lambda self: self._output_dense, doc="The projection that joins the heads, once the layer is built.")


class GroupedQueryAttention(_Heads, abstract=True):
    """Attention whose query heads share the keys and values of fewer heads, in groups of one size: less to keep for long sequences.

    Args:
        head_dim: size of each head, at least 1.
        num_query_heads: number of heads of queries.
        num_key_value_heads: number of heads of keys and values; divides `num_query_heads`.
        dropout: fraction of the attention weights to drop in training, from 0 to 1.
        use_bias: whether the projections have biases.
        sliding_window: a query sees only keys less than this many places away; None for all.
        flash_attention: True asks for the backend's fused kernel, an error where there is none; None and False go without.
        use_gate: whether each head's result is multiplied by a sigmoid of a projection of the query.
        seed: whole number; random by default.

    Shapes:
        query (batch, T, features), value and key (batch, S, features) -> output (batch, T, features), scores (batch, query heads, T, S)

    Raises:
        ValueError: a number below 1, or heads that do not divide.

    Masks are as for MultiHeadAttention.

    Source: Ainslie et al., "GQA: Training Generalized Multi-Query Transformer Models from Multi-Head Checkpoints", 2023.
    """

    head_dim: int
    num_query_heads: int
    num_key_value_heads: int
    dropout: float = 0.0
    use_bias: bool = True
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
        for name in ("head_dim", "num_query_heads", "num_key_value_heads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{self._label()}: {name} must be at least 1; got {getattr(self, name)}.")
        if self.num_query_heads % self.num_key_value_heads:
            raise ValueError(f"{self._label()}: num_key_value_heads must divide num_query_heads; got {self.num_key_value_heads} and {self.num_query_heads}.")
        super().setup()

    num_heads = property(lambda self: self.num_query_heads)
    key_heads = property(lambda self: self.num_key_value_heads)
    key_dim = value_dim = property(lambda self: self.head_dim)

    def build(self, query_shape, value_shape, key_shape=None):
        if len(query_shape) != 3:
            raise ValueError(f"{self._label()}: query must have 3 axes (batch, places, features); got the shape {query_shape}.")
        super().build(query_shape, value_shape, key_shape)


GroupQueryAttention = serialization.own(GroupedQueryAttention, "keras.layers", name="GroupQueryAttention")
serialization.alias("layers", "GroupedQueryAttention", GroupQueryAttention)  # as Keras's files have it
