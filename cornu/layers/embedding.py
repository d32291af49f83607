"""Tables of rows that whole numbers look up."""

from cornu import backends, dtypes, ops
from cornu.fields import Constraint, Initializer, Regularizer
from cornu.layers.lora import LowRank


class Embedding(LowRank):
    """Look up a row of a table for each whole number.

    Args:
        input_dim: number of rows, at least 1; inputs are 0 to input_dim - 1.
        output_dim: size of a row, at least 1.
        mask_zero: whether 0 stands for padding, to be masked.
        weights: the table, or a list with it, in place of first values drawn at random.
        lora_rank, lora_alpha: as in Dense.

    Shapes:
        input (batch, ...) of integers -> output (batch, ..., output_dim)
        embeddings (input_dim, output_dim)

    >>> Embedding(3, 2, weights=[[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]])([[2, 1]])
    Array([[[3., 4.],
            [1., 2.]]], dtype=float32)
    """

    input_dim: int
    output_dim: int
    embeddings_initializer: Initializer = "uniform"
    embeddings_regularizer: Regularizer = None
    embeddings_constraint: Constraint = None
    mask_zero: bool = False
    weights: object = None  # pyright: ignore
    lora_rank: int | None = None
    lora_alpha: float | None = None
    quantization_config: object = None
    activity_regularizer: Regularizer = None
    adapted = "embeddings"

    def _take(self, kwargs):
        length = kwargs.pop("input_length", None)
        kwargs = super()._take(kwargs)
        if length is not None and not hasattr(self, "_batch_input_shape"):
            self._batch_input_shape = (None, *(length if isinstance(length, (tuple, list)) else (length,)))
        return kwargs

    def setup(self):
        for name in ("input_dim", "output_dim"):
            if getattr(self, name) < 1:
                raise ValueError(f"{self._label()}: {name} must be at least 1; got {getattr(self, name)}.")
        if self.quantization_config is not None:
            raise ValueError(f"{self._label()}: quantization_config is not supported; leave it out.")
        self._check_rank()
        self.supports_masking = self.mask_zero
        self.autocast = False
        if "_initial_weights" in self.__dict__:  # so that a table of another shape is told here
            self._run_build({})

    def build(self, input_shape=None):
        self._embeddings = self.add_weight(name="embeddings", shape=(self.input_dim, self.output_dim))
        self._begin_lora()

    embeddings = property(LowRank._with_addition, doc="The table (input_dim, output_dim), the low-rank addition included.")

    def call(self, inputs):
        if dtypes.is_float(backends.kind(inputs)) or backends.kind(inputs) == "bool":
            inputs = ops.cast(inputs, "int32")
        return ops.cast(ops.take(self.embeddings, inputs, axis=0), self.compute_dtype)

    def compute_mask(self, inputs, previous_mask=None):
        return ops.not_equal(inputs, 0) if self.mask_zero else None

    def get_config(self):
        config = super().get_config()
        config.pop("autocast", None)
        return config


class ReversibleEmbedding(Embedding):
    """A table that can be used backwards too: from vectors to one score for each row, as a language model's last step.

    Args:
        input_dim: number of rows, at least 1; inputs are 0 to input_dim - 1.
        output_dim: size of a row, at least 1.
        tie_weights: whether the way back uses the same table, or one of its own, `reverse_embeddings`.
        mask_zero: whether 0 stands for padding, to be masked.
        reverse_dtype: name of the type of the way back; by default the one that the input and the table promote to.
        logit_soft_cap: a number c above 0 for which scores s become c * tanh(s / c); None for the scores as they are.

    Shapes:
        input (batch, ...) of integers -> output (batch, ..., output_dim)
        with reverse=True: input (batch, ..., output_dim) -> output (batch, ..., input_dim)
        embeddings (input_dim, output_dim), reverse_embeddings (output_dim, input_dim)

    >>> table = ReversibleEmbedding(3, 2, embeddings_initializer="ones")
    >>> table(table([[2]]), reverse=True)
    Array([[[2., 2., 2.]]], dtype=float32)

    Source: Press and Wolf, "Using the Output Embedding to Improve Language Models", 2016.
    """

    input_dim: int
    output_dim: int
    tie_weights: bool = True
    embeddings_initializer: Initializer = "uniform"
    embeddings_regularizer: Regularizer = None
    embeddings_constraint: Constraint = None
    mask_zero: bool = False
    reverse_dtype: object = None
    logit_soft_cap: float | None = None
    _keyword_only = Embedding._keyword_only | {"weights", "lora_rank", "lora_alpha", "quantization_config", "activity_regularizer"}

    def setup(self):
        super().setup()
        if self.reverse_dtype is not None:
            try:
                self.reverse_dtype = dtypes.standardize(self.reverse_dtype)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{self._label()}, reverse_dtype: {error}") from None
        if self.logit_soft_cap is not None and not self.logit_soft_cap > 0:
            raise ValueError(f"{self._label()}: logit_soft_cap must be above 0, or None; got {self.logit_soft_cap}.")

    def build(self, input_shape=None):
        super().build(input_shape)
        if not self.tie_weights:
            self.reverse_embeddings = self.add_weight(
                name="reverse_embeddings",
                shape=(self.output_dim, self.input_dim),
                initializer=self.embeddings_initializer,
                regularizer=self.embeddings_regularizer,
                constraint=self.embeddings_constraint,
            )

    def call(self, inputs, reverse=False):
        if not reverse:
            return super().call(inputs)
        kernel = ops.transpose(ops.convert_to_tensor(self.embeddings)) if self.tie_weights else ops.convert_to_tensor(self.reverse_embeddings)
        if self.reverse_dtype is not None:
            inputs, kernel = ops.cast(inputs, self.reverse_dtype), ops.cast(kernel, self.reverse_dtype)
        scores = ops.matmul(inputs, kernel)
        cap = self.logit_soft_cap
        return scores if cap is None else ops.multiply(ops.tanh(ops.divide(scores, cap)), cap)
