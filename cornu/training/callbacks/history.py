"""`History`: the metrics of every epoch, and their curves."""

import numbers
import sys

from cornu.training.callbacks.callback import Callback
from cornu.training.callbacks.screens import in_notebook


class History(Callback):
    """The metrics of every epoch; `fit` returns it.

    Attributes:
        history: dictionary from name to a list of values, one an epoch.
        epoch: numbers of the epochs, counted from 0.
        params: verbose, epochs, steps.

    >>> history = model.fit(x, y, epochs=5, validation_split=0.2)
    >>> history.history["val_accuracy"][-1]
    >>> history.plot("curves.png")
    """

    kept = ("history", "epoch")

    def __init__(self):
        super().__init__()
        self.history = {}
        self.epoch = []

    def on_train_begin(self, logs=None):
        self.epoch = []

    def on_epoch_end(self, epoch, logs=None):
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)

    def __repr__(self):
        ends = ", ".join(f"{name} {values[-1]:.4g}" for name, values in self.history.items() if isinstance(values[-1], numbers.Real))
        return f"<History of {len(self.epoch)} epochs{': at the end ' + ends if ends else ''}>"

    def plot(self, path=None):
        """Curves of the loss and of each metric over the epochs, training and validation in one panel.

        Args:
            path: image file to write (.png, .svg, .pdf); None writes none.

        Returns:
            The matplotlib figure.

        Raises:
            ImportError: matplotlib is not installed.
            ValueError: no epoch has been trained.
        """
        try:
            from matplotlib.figure import Figure
            from matplotlib.ticker import MaxNLocator
        except ImportError as error:
            raise ImportError("history.plot() needs matplotlib, which is not installed. Install it: pip install matplotlib") from error
        curves = {name: values for name, values in self.history.items() if all(isinstance(v, numbers.Real) for v in values)}
        names = list(dict.fromkeys(name.removeprefix("val_") for name in curves))
        if not names:
            raise ValueError("history.plot(): nothing to show, no epoch has been trained.")
        names.sort(key=lambda name: (name != "loss", name == "learning_rate"))
        columns = 2 if len(names) == 4 else min(len(names), 3)
        rows = -(-len(names) // columns)
        size = (4.6 * columns, 3.4 * rows)
        pyplot = sys.modules.get("matplotlib.pyplot")
        if pyplot is not None and path is None and not in_notebook():  # so that pyplot.show() shows it; a notebook shows what a cell returns
            figure = pyplot.figure(figsize=size, layout="constrained")
        else:
            figure = Figure(figsize=size, layout="constrained")
        for place, name in enumerate(names, 1):
            axes = figure.add_subplot(rows, columns, place)
            for key, label, color, line in ((name, "training", "#1f6fb4", "-"), (f"val_{name}", "validation", "#e07b1f", "--")):
                if values := curves.get(key):
                    axes.plot(
                        self._epochs_of(values), values, label=label, color=color, linestyle=line, marker="o" if len(values) <= 30 else None, markersize=3
                    )
            axes.set_title(name.replace("_", " "))
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
            if f"val_{name}" in curves:
                axes.legend(frameon=False)
        if path is not None:
            figure.savefig(path, dpi=150)
        return figure

    def _epochs_of(self, values):
        """Epochs as people count them, from 1. Where validation came at every n-th epoch, at those."""
        longest = max(map(len, self.history.values()))
        first = self.epoch[0] if len(self.epoch) == longest else 0
        if len(values) == longest or longest % len(values):
            return [first + i + 1 for i in range(len(values))]
        every = longest // len(values)
        return [first + every * (i + 1) for i in range(len(values))]
