"""The progress bar of `fit`, `evaluate` and `predict`, and `Progbar` for loops of one's own."""

import numbers
import time
from typing import Any

from cornu import ranges
from cornu.training.callbacks.callback import Callback
from cornu.training.callbacks.screens import screen


class Progbar:
    """A line with the steps done, a bar, the time left, the time a step, and metrics.

    Args:
        target: steps in all; None where that is not known.
        width: characters of the bar.
        verbose: 0 shows nothing, 1 a live line, 2 one line at the end. In a pipe or a file 1 is as 2.
        interval: seconds between two updates of the line, at least.
        stateful_metrics: names whose newest value is shown as it is; the others are averaged over the steps until the end.
        stateless_metrics: names to average; if given, all others are shown as they are.
        unit_name: what a step is called.

    >>> bar = Progbar(100)
    >>> for i in range(100):
    ...     bar.add(1, values=[("loss", 1 / (i + 1))])
    """

    def __init__(self, target, width=20, verbose=1, interval=0.05, stateful_metrics=None, stateless_metrics=None, unit_name="step"):
        self.target, self.width, self.verbose, self.interval, self.unit_name = target, width, verbose, interval, unit_name
        ranges.check(self, "target", least=0, optional=True)
        ranges.check(self, "width", least=1, whole=True)
        ranges.check(self, "interval", least=0)
        if verbose not in (0, 1, 2):
            raise ValueError(f"Progbar: verbose must be 0, 1 or 2; got {verbose!r}.")
        self.stateful_metrics = set(stateful_metrics or ())
        self.stateless_metrics = None if stateless_metrics is None else set(stateless_metrics)
        self.seen = 0
        self.screen = None
        self._sums, self._newest = {}, {}
        self._start = time.perf_counter()
        self._first = None  # (steps, time) of the first update: it holds the compiling, and is left out of the time a step
        self._last = (0, self._start)  # of the newest: what comes after the last step, such as validation, is left out too
        self._shown = 0.0

    def add(self, n, values=None):
        """`n` more steps are done; `values` as in `update`."""
        self.update(self.seen + n, values)

    def update(self, current, values=None, finalize=None):
        """`current` steps are done.

        Args:
            current: steps done since the start.
            values: list of (name, value).
            finalize: whether this is the end; None: when `current` reaches the target.
        """
        finalize = (self.target is not None and current >= self.target) if finalize is None else finalize
        for name, value in values or ():
            self._take(name, value, max(current - self.seen, 1))
        now = self.reach(current)
        if not self.verbose:
            return
        self.screen = self.screen or screen()
        if finalize:
            self.screen.end(self._line(current, now, self._newest, self.verbose == 1 and self.screen.live, True))
        elif self.verbose == 1 and self.screen.live and now - self._shown >= self.interval:
            self._shown = now
            self.screen.show(self._line(current, now, self._averages(), True, False))

    def reach(self, current):
        """`current` steps are done, and nothing is shown. Returns the time."""
        now = time.perf_counter()
        if current != self.seen:
            self.seen, self._last = current, (current, now)
            self._first = self._first or self._last
        return now

    def due(self):
        """Whether an update now would be shown."""
        return self.verbose == 1 and time.perf_counter() - self._shown >= self.interval and (self.screen is None or self.screen.live)

    def _take(self, name, value, steps):
        self._newest[name] = value
        averaged = name not in self.stateful_metrics and (self.stateless_metrics is None or name in self.stateless_metrics)
        if averaged and isinstance(value, numbers.Real):
            total, count = self._sums.get(name, (0.0, 0))
            self._sums[name] = (total + value * steps, count + steps)

    def _averages(self):
        return {name: self._sums[name][0] / self._sums[name][1] if name in self._sums else value for name, value in self._newest.items()}

    def _line(self, current, now, values, live, final):
        a_step = self._time_a_step()
        metrics = "".join(f" - {name}: {_number(value)}" for name, value in values.items())
        spent = now - self._start
        if not live:
            count = f"{current}/{self.target if self.target is not None else current}"
            return f"{count} - {spent:.0f}s - {_short(a_step)}/{self.unit_name}{metrics}"
        if self.target is None:
            count, bar, clock = f"{current:>7}/Unknown", "", _clock(spent)
        else:
            digits = len(str(self.target))
            filled = self.width * min(current, self.target) // max(self.target, 1)
            count = f"\x1b[1m{current:>{digits}}/{self.target}\x1b[0m"
            bar = f" \x1b[32m{'━' * filled}\x1b[0m\x1b[37m{'━' * (self.width - filled)}\x1b[0m"
            begun = self._first is None or current <= self._first[0]  # compiling is in all that was measured yet: no estimate
            clock = f"{spent:.0f}s" if final else _clock(spent if begun else a_step * (self.target - current))
        return f"{count}{bar} \x1b[1m{clock}\x1b[0m {_short(a_step)}/{self.unit_name}{metrics}"

    def _time_a_step(self):
        steps, now = self._last
        if self._first is not None and steps >= 2 * self._first[0]:  # else too few are left
            return (now - self._first[1]) / (steps - self._first[0])
        return (now - self._start) / max(steps, 1)


def _clock(seconds):
    seconds = int(seconds)
    if seconds >= 3600:
        return f"{seconds // 3600}:{seconds % 3600 // 60:02}:{seconds % 60:02}"
    return f"{seconds // 60}:{seconds % 60:02}" if seconds >= 60 else f"{seconds}s"


def _short(seconds):
    if seconds >= 1 or seconds == 0:
        return f"{seconds:.0f}s"
    return f"{seconds * 1e3:.0f}ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us"


def _number(value):
    try:
        value = float(value)
    except (TypeError, ValueError):
        return str(value)
    return f"{value:.4f}" if abs(value) > 1e-3 or value != value else f"{value:.4e}"


class ProgbarLogger(Callback):
    """Shows the progress of `fit`, `evaluate` and `predict` on standard output."""

    def __init__(self):
        super().__init__()
        self.verbose, self.epochs, self.target = 1, 1, None
        self.progbar: Any = None
        self._screen: Any = None
        self._fitting = False

    def listens_to_batches(self, mode="train"):
        return False  # `on_train_steps` serves as well

    def set_params(self, params):
        super().set_params(params)
        verbose = params.get("verbose", 1)
        self.verbose = 1 if verbose == "auto" else int(verbose)
        self.epochs, self.target = params.get("epochs") or 1, params.get("steps")

    def on_train_begin(self, logs=None):
        self._fitting = True
        self._screen = screen()

    def on_train_end(self, logs=None):
        self._fitting = False

    def on_epoch_begin(self, epoch, logs=None):
        self._begin(self._screen or screen())
        if self.verbose and self.epochs > 1:
            self._screen.text(f"Epoch {epoch + 1}/{self.epochs}")

    def on_epoch_end(self, epoch, logs=None):
        self._end(logs)

    def on_test_begin(self, logs=None):
        if not self._fitting:
            self._begin(screen())

    def on_test_end(self, logs=None):
        if not self._fitting:
            self._end(logs)

    def on_predict_begin(self, logs=None):
        if not self._fitting:
            self._begin(screen())

    def on_predict_end(self, logs=None):
        if not self._fitting:
            self._end(None)

    def on_train_batch_end(self, batch, logs=None):
        self._steps(batch + 1, logs)

    def on_test_batch_end(self, batch, logs=None):
        if not self._fitting:
            self._steps(batch + 1, logs)

    def on_predict_batch_end(self, batch, logs=None):
        if not self._fitting:
            self._steps(batch + 1, None)

    def on_train_steps(self, done, total, logs=None):
        """Several batches at once: see `CallbackList.on_train_steps`."""
        self._steps(done, logs)

    def on_test_steps(self, done, total, logs=None):
        """As `on_train_steps`."""
        if not self._fitting:
            self._steps(done, logs)

    def on_predict_steps(self, done, total, logs=None):
        """As `on_train_steps`."""
        if not self._fitting:
            self._steps(done, None)

    def _begin(self, where):
        self._screen = where
        self.progbar = Progbar(self.target, verbose=self.verbose, stateless_metrics=())
        self.progbar.screen = where

    def _steps(self, done, logs):
        if not self.verbose:
            return
        if self.progbar.due() or self.progbar._first is None:
            logs = logs() if callable(logs) else logs
            self.progbar.update(done, _shown(logs), finalize=False)
        else:
            self.progbar.reach(done)

    def _end(self, logs):
        if not self.verbose:
            return
        if self.progbar.target is None:  # now it is known
            self.progbar.target = self.progbar.seen
        self.progbar.update(self.progbar.seen, _shown(logs), finalize=True)


def _shown(logs):
    """Metrics as the bar takes them; what `predict` gives is none."""
    return [(name, value) for name, value in (logs or {}).items() if name != "outputs"]
