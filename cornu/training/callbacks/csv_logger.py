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

    kept = ("keys", "length")

    def __init__(self, filename, separator=",", append=False):
        super().__init__()
        if not isinstance(filename, (str, os.PathLike)):
            raise TypeError(f"CSVLogger: filename must be the path of a file; got {filename!r}.")
        if not isinstance(separator, str) or len(separator) != 1:
            raise ValueError(f"CSVLogger: separator must be one character; got {separator!r}.")
        self.filename, self.sep, self.append = os.fspath(filename), separator, append
        self.writer = self.keys = None
        self.csv_file: Any = None
        self.append_header = True
        self.length = None  # bytes of the file, in a training that goes on

    def on_train_begin(self, logs=None):
        self.writer = self.keys = self.length = self.csv_file = None

    def on_epoch_begin(self, epoch, logs=None):
        if self.csv_file is None:
            self._open()

    def _open(self):
        goes_on = self.length is not None and os.path.exists(self.filename) and os.path.getsize(self.filename) >= self.length
        self.append_header = not (goes_on or (self.append and os.path.exists(self.filename) and os.path.getsize(self.filename)))
        if folder := os.path.dirname(self.filename):
            os.makedirs(folder, exist_ok=True)
        if goes_on:  # lines of epochs that will run once more
            os.truncate(self.filename, self.length)
        self.csv_file = open(self.filename, "a" if self.append or goes_on else "w", newline="", encoding="utf-8")
        self.writer = None

    def on_epoch_end(self, epoch, logs=None):
        if self.csv_file is None:
            self._open()
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
        self.length = os.fstat(self.csv_file.fileno()).st_size

    def on_train_end(self, logs=None):
        if self.csv_file is not None:
            self.csv_file.close()
        self.writer = self.csv_file = None


def _cell(value):
    if isinstance(value, str) or getattr(value, "ndim", None) == 0 or not isinstance(value, Iterable):
        return value
    return f'"[{", ".join(map(str, value))}]"'
