"""A model that only counts, and a loop that calls the hooks as `fit` does."""

import numpy as np

from cornu.training.callbacks import CallbackList


class Optimizer:
    def __init__(self, learning_rate=0.01):
        self.learning_rate = learning_rate

    @property
    def learning_rate(self):
        return self._rate

    @learning_rate.setter
    def learning_rate(self, value):
        self._rate = np.float32(value)


class Model:
    """Its one weight is the number of epochs behind it."""

    metrics = ()

    def __init__(self):
        self.optimizer, self.stop_training, self.saved, self.weight = Optimizer(), False, [], 0

    def get_weights(self):
        return [np.array(self.weight)]

    def set_weights(self, weights):
        self.weight = int(weights[0])

    def save(self, path, overwrite=False):
        self.saved.append(path)
        with open(path, "w") as file:
            file.write(str(self.weight))

    save_weights = save


def fit(callbacks, epochs, model=None, batches=(), verbose=0, initial_epoch=0):
    """`epochs`: the logs of each epoch; `batches`: the logs of each batch of every epoch. Returns the model."""
    model = model or Model()
    together = CallbackList(callbacks, add_history=True, add_progbar=verbose != 0, model=model, verbose=verbose, epochs=len(epochs), steps=len(batches) or None)
    model.stop_training, logs = False, {}
    together.on_train_begin()
    for epoch, logs in enumerate(map(dict, epochs), initial_epoch):
        together.on_epoch_begin(epoch)
        for i, batch_logs in enumerate(batches):
            together.on_train_batch_begin(i)
            together.on_train_batch_end(i, dict(batch_logs))
            if model.stop_training:
                break
        model.weight += 1
        together.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    together.on_train_end(logs)
    return model
