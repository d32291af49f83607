"""A low-rank addition to a frozen weight, which is trained in its place."""

from cornu import ops
from cornu.layers.layer import Layer


class LowRank(Layer, abstract=True):
    """What layers share that can freeze a large weight and train two small factors beside it.

    The weight is `_<adapted>`; `<adapted>` gives it with the addition.

    Source: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021.
    """

    adapted = "kernel"
    lora_rank = lora_alpha = None
    lora_enabled = False

    def _check_rank(self):
        if self.lora_rank is not None and not (hasattr(self.lora_rank, "__index__") and self.lora_rank >= 1):
            raise ValueError(f"{self._label()}: lora_rank must be a whole number of at least 1, or None; got {self.lora_rank!r}.")

    def _begin_lora(self):
        """Call it last in `build`."""
        self.built = True
        if self.lora_rank is not None:
            self.enable_lora(self.lora_rank, self.lora_alpha)

    def _with_addition(self):
        weight = self._frozen
        if not self.lora_enabled:
            return weight
        factors = self._factors
        return ops.add(weight, ops.multiply(ops.matmul(*factors), self.lora_alpha / self.lora_rank))

    @property
    def _frozen(self):
        if not self.built and f"_{self.adapted}" not in self.__dict__:
            raise AttributeError(f"{self._label()} has no {self.adapted} yet: call it or `build` it first.")
        return getattr(self, f"_{self.adapted}")

    @property
    def _factors(self):
        return [getattr(self, f"lora_{self.adapted}_{letter}") for letter in "ab"]

    def enable_lora(self, rank, lora_alpha=None, a_initializer="he_uniform", b_initializer="zeros"):
        """Freeze the weight and train a low-rank addition to it, `a @ b * lora_alpha / rank`.

        Args:
            rank: columns of the first factor, at least 1.
            lora_alpha: scale times rank; `rank` by default.
            a_initializer, b_initializer: first values of the factors: (all axes but the last, rank) and (rank, the last axis).

        Raises:
            ValueError: the layer is not built, has one already, or the rank is below 1.
        """
        if not self.built:
            raise ValueError(f"{self._label()}: build the layer before enable_lora.")
        if self.lora_enabled:
            raise ValueError(f"{self._label()}: enable_lora was called before, and a layer takes one low-rank addition.")
        if not hasattr(rank, "__index__") or rank < 1:
            raise ValueError(f"{self._label()}: rank must be a whole number of at least 1; got {rank!r}.")
        weight = self._frozen
        weight.trainable, weight.fixed = False, True
        self.lora_rank, self.lora_alpha = rank, rank if lora_alpha is None else lora_alpha
        penalty = getattr(self, f"{self.adapted}_regularizer", None)
        for letter, shape, first in (("a", (*weight.shape[:-1], rank), a_initializer), ("b", (rank, weight.shape[-1]), b_initializer)):
            name = f"lora_{self.adapted}_{letter}"
            setattr(self, name, self.add_weight(name=name, shape=shape, initializer=first, regularizer=penalty))
        self.lora_enabled = True

    @property
    def _ordered_variables(self):
        found = super()._ordered_variables
        return sorted(found, key=lambda v: v is not self._frozen) if self.lora_enabled else found

    def save_own_variables(self, store):
        """As of any layer; the addition is put into the weight, so that what opens the file needs to know nothing of it."""
        if not self.lora_enabled:
            return super().save_own_variables(store)
        kept = [v for v in self._ordered_variables if all(v is not factor for factor in self._factors)]
        for i, variable in enumerate(kept):
            store[str(i)] = variable.numpy() if i else ops.convert_to_numpy(self._with_addition())

    def load_own_variables(self, store):
        """As of any layer; a low-rank addition begins anew at 0.

        Raises:
            ValueError: another number of variables, or another shape.
        """
        if not self.lora_enabled:
            return super().load_own_variables(store)
        kept = [v for v in self._ordered_variables if all(v is not factor for factor in self._factors)]
        if len(store.keys()) != len(kept):
            raise ValueError(f"{self._label()} has {len(kept)} variables, but the file holds {len(store.keys())} for it.")
        for i, variable in enumerate(kept):
            variable.assign(store[str(i)])
        self._factors[1].assign(ops.zeros(self._factors[1].shape))

    def get_config(self):
        config = super().get_config()
        for name in ("lora_rank", "lora_alpha"):
            config.pop(name, None)
        return {**config, "lora_rank": self.lora_rank, "lora_alpha": self.lora_alpha} if self.lora_enabled or self.lora_rank else config
