"""`CSVLogger`: a line of a table for each epoch."""

import csv
import os
from collections.abc import Iterable
from typing import Any

from cornu.training.callbacks.callback import Callback


class CSVLogger(Callback):
    """Write the metrics of each epoch as a line of a CSV file.

    Args:
        filename: the file.
        separator: between the columns.
        append: whether to go on with a file that exists, rather than begin anew.

    The columns are those of the first epoch, sorted; those of a validation that did not run yet stand as NA.
    """

    def __init__(self, filename, separator=",", append=False):
        super().__init__()
        self.filename, self.sep, self.append = os.fspath(filename), separator, append
        self.writer = self.keys = None
        self.csv_file: Any = None
        self.append_header = True

    def on_train_begin(self, logs=None):
        self.append_header = not (self.append and os.path.exists(self.filename) and os.path.getsize(self.filename))
        if folder := os.path.dirname(self.filename):
            os.makedirs(folder, exist_ok=True)
        self.csv_file = open(self.filename, "a" if self.append else "w", newline="", encoding="utf-8")
        self.writer = self.keys = None

    def on_epoch_end(self, epoch, logs=None):
        logs = logs or {}
        if self.keys is None:
            self.keys = sorted(logs)
            if not any(key.startswith("val_") for key in self.keys):
                self.keys += [f"val_{key}" for key in self.keys]
        if self.writer is None:
            self.writer = csv.DictWriter(self.csv_file, ["epoch", *self.keys], delimiter=self.sep, lineterminator="\n")
            if self.append_header:
                self.writer.writeheader()
        self.writer.writerow({"epoch": epoch, **{key: _cell(logs.get(key, "NA")) for key in self.keys}})
        self.csv_file.flush()

    def on_train_end(self, logs=None):
        self.csv_file.close()
        self.writer = None


def _cell(value):
    if isinstance(value, str) or getattr(value, "ndim", None) == 0 or not isinstance(value, Iterable):
        return value
    return f'"[{", ".join(map(str, value))}]"'
