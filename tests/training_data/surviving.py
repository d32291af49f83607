"""A training that a test kills: trains for a while, writes its weights, optimizer's state and history to `out`.

    python tests/training_data/surviving.py BACKEND FOLDER OUT SAVE_FREQ KIND

FOLDER is that of the backup, "-" for none; KIND says what the data is.
"""

import sys
import time

import numpy as np

from cornu import backends, callbacks, layers, models, utils
from cornu.training.data import PyDataset


class Batches(PyDataset):
    """Batches whose samples are put in another order by `on_epoch_end`, from NumPy's global generator."""

    def __init__(self, x, y):
        super().__init__()
        self.x, self.y, self.order = x, y, np.arange(len(x))

    def __len__(self):
        return 5

    def __getitem__(self, index):
        rows = self.order[index * 14 : (index + 1) * 14]
        return self.x[rows], self.y[rows]

    def on_epoch_end(self):
        np.random.shuffle(self.order)


def endless(x, y):
    while True:
        for start in range(0, 66, 11):
            yield x[start : start + 11], y[start : start + 11]


def train(folder, out, save_freq, kind):
    utils.set_random_seed(5)
    inputs = layers.Input((6,))
    x = layers.Dense(8, activation="relu")(inputs)
    x = layers.BatchNormalization()(layers.Dropout(0.3)(x))
    model = models.Model(inputs, layers.Dense(3, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = [
        callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=0.5),
        callbacks.EarlyStopping("val_loss", patience=9, restore_best_weights=True),
        callbacks.CSVLogger(out + ".csv"),
    ]
    if folder != "-":
        found.insert(0, callbacks.BackupAndRestore(folder, save_freq=save_freq if save_freq == "epoch" else int(save_freq), delete_checkpoint=False))
    x, y = np.random.default_rng(0).random((70, 6)).astype("float32"), np.arange(70) % 3
    data = {"arrays": (x, y), "batches": (Batches(x, y),), "generator": (endless(x, y),)}[kind]
    steps = {"steps_per_epoch": 5} if kind == "generator" else {}
    print("ready", flush=True)
    start = time.perf_counter()
    history = model.fit(*data, epochs=5, batch_size=16 if kind == "arrays" else None, verbose=0, callbacks=found, validation_data=(x[:20], y[:20]), **steps)
    print(time.perf_counter() - start)
    variables = [v.numpy() for v in [*model.variables, *model.optimizer.variables]]
    np.savez(out, *variables, after=np.random.random(3), **{f"history_{name}": values for name, values in history.history.items()})


if __name__ == "__main__":
    backends.load(sys.argv[1])
    train(*sys.argv[2:])
