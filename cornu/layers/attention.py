"""Attention over two or three tensors without projections: by dot products and by sums."""

from cornu import backends, ops, random
from cornu.layers.layer import Layer


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
        if not 0 <= self.dropout <= 1:
            raise ValueError(f"{self._label()}: dropout must be from 0 to 1; got {self.dropout}.")
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
