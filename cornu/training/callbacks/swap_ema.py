"""`SwapEMAWeights`: moving averages of the weights in their place, where a model is judged."""

from cornu.training.callbacks.callback import Callback


class SwapEMAWeights(Callback):
    """Evaluate and predict with the moving averages that the optimizer keeps (`use_ema=True`), and go on training with the weights themselves.

    Args:
        swap_on_epoch: whether the averages stand in the model at the end of each epoch too, so that callbacks after this one save them.

    Raises:
        ValueError: at the first hook, if the optimizer keeps no averages.

    >>> model.compile(keras.optimizers.Adam(use_ema=True), "mse")
    >>> model.fit(x, y, callbacks=[SwapEMAWeights(swap_on_epoch=True), ModelCheckpoint("best.keras", save_best_only=True)])
    """

    kept = ("_weights",)

    def __init__(self, swap_on_epoch=False):
        super().__init__()
        if not isinstance(swap_on_epoch, (bool, int)):
            raise ValueError(f"SwapEMAWeights: swap_on_epoch must be True or False; got {swap_on_epoch!r}.")
        self.swap_on_epoch = bool(swap_on_epoch)
        self._weights = None  # those of training, while the averages stand in the model

    def _averages(self):
        optimizer = getattr(self.model, "optimizer", None)
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        if not getattr(optimizer, "use_ema", False):
            raise ValueError("SwapEMAWeights: the optimizer keeps no moving averages; make it with use_ema=True.")
        if not optimizer.built:
            return []
        places = optimizer._indices
        return [(variable, optimizer._averages[places[id(variable)]]) for variable in self.model.trainable_variables if id(variable) in places]

    def _show(self):
        if self._weights is None:
            pairs = self._averages()
            self._weights = [variable.value for variable, _ in pairs]
            for variable, average in pairs:
                variable.assign(average.value)

    def _back(self):
        if self._weights is not None:
            for (variable, _), value in zip(self._averages(), self._weights, strict=True):
                variable.assign(value)
            self._weights = None

    def on_train_begin(self, logs=None):
        self._weights = None
        self._averages()

    def on_epoch_begin(self, epoch, logs=None):
        self._back()

    def on_epoch_end(self, epoch, logs=None):
        if self.swap_on_epoch:
            self._show()

    def on_train_end(self, logs=None):
        self._weights = None  # the optimizer made the averages the weights

    def on_test_begin(self, logs=None):
        self._show()

    def on_test_end(self, logs=None):
        self._back()

    def on_predict_begin(self, logs=None):
        self._show()

    def on_predict_end(self, logs=None):
        self._back()
