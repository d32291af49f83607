"""`PyDataset`: batches made by the user's `__getitem__`, in order, by threads or processes if wanted."""

import collections
import concurrent.futures
import itertools
import multiprocessing
from typing import Any

from cornu.training.data.faults import warn


class PyDataset:
    """A data set that makes its batches one by one: subclass it and write `__getitem__(index)` and `__len__()` (or `num_batches`).

    Args:
        workers: threads or processes that make batches ahead of time, at least 1.
        use_multiprocessing: processes in place of threads; the data set must be picklable, and the script's main part must stand
            under `if __name__ == "__main__":`.
        max_queue_size: batches kept ready at most.

    Attributes:
        timeout: seconds to wait for one batch from the workers; None waits for ever.

    >>> class Squares(PyDataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, index):
    ...         return np.full((4, 1), index), np.full((4, 1), index**2)
    """

    timeout = 600.0

    def __init__(self, workers=1, use_multiprocessing=False, max_queue_size=10):
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def _checked(self, name, value, least):
        if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
            raise ValueError(f"{type(self).__name__}: {name} must be an integer of at least {least}; got {value!r}.")
        return int(value)

    def _setting(self, name, default):
        if name not in self.__dict__:
            PyDataset.__init__(self)
            warn(
                f"{type(self).__name__}.__init__ should call super().__init__(**kwargs): workers, use_multiprocessing and max_queue_size have their defaults now."
            )
        return self.__dict__.get(name, default)

    @property
    def workers(self):
        return self._setting("_workers", 1)

    @workers.setter
    def workers(self, value):
        self._workers = self._checked("workers", value, 0)

    @property
    def use_multiprocessing(self):
        return self._setting("_use_multiprocessing", False)

    @use_multiprocessing.setter
    def use_multiprocessing(self, value):
        if not isinstance(value, (bool, int)):
            raise ValueError(f"{type(self).__name__}: use_multiprocessing must be True or False; got {value!r}.")
        self._use_multiprocessing = bool(value)

    @property
    def max_queue_size(self):
        return self._setting("_max_queue_size", 10)

    @max_queue_size.setter
    def max_queue_size(self, value):
        self._max_queue_size = self._checked("max_queue_size", value, 0)

    @property
    def num_batches(self):
        """Batches in one epoch; None where there is no end."""
        count = getattr(self, "__len__", None)
        if count is not None:
            return count()
        raise NotImplementedError(f"{type(self).__name__} must say how many batches it has: write __len__(self), or the property num_batches (None: no end).")

    def on_epoch_begin(self):
        """Called before each epoch."""

    def on_epoch_end(self):
        """Called after each epoch."""


def made(dataset, indices):
    """The items of `dataset` at `indices`, in that order, made ahead by its workers.

    Raises:
        TimeoutError: a batch took longer than `dataset.timeout` seconds.
        RuntimeError: a worker process died.
    """
    workers, processes = getattr(dataset, "workers", 1) or 1, getattr(dataset, "use_multiprocessing", False)
    if workers <= 1 and not processes:
        for index in indices:
            yield dataset[index]
        return
    limit = getattr(dataset, "timeout", None)
    pool, make = _pool(dataset, workers, processes)
    waiting = collections.deque()
    indices = iter(indices)
    try:
        for index in itertools.islice(indices, max(workers, getattr(dataset, "max_queue_size", 10) or 1)):
            waiting.append((index, pool.submit(make, index)))
        while waiting:
            index, future = waiting.popleft()
            try:
                batch = future.result(limit)
            except concurrent.futures.BrokenExecutor as error:
                raise RuntimeError(
                    f"{type(dataset).__name__}: a worker process died while batch {index} was awaited. It may lack memory, the data set may not be "
                    'picklable, or the script\'s main part does not stand under if __name__ == "__main__".'
                ) from error
            except TimeoutError as error:
                if future.done():
                    raise  # the user's own
                raise TimeoutError(
                    f"{type(dataset).__name__}: batch {index} was not ready after {limit} seconds. Set `timeout` (seconds, or None) on the data set."
                ) from error
            for following in itertools.islice(indices, 1):
                waiting.append((following, pool.submit(make, following)))
            yield batch
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _pool(dataset, workers, processes):
    if not processes:
        return concurrent.futures.ThreadPoolExecutor(workers, "cornu-data"), dataset.__getitem__
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"  # a fork of a process with an engine's threads may hang
    context = multiprocessing.get_context(method)
    return concurrent.futures.ProcessPoolExecutor(workers, context, _adopt, (dataset,)), _item


_adopted: Any = None  # the data set, in a worker process


def _adopt(dataset):
    global _adopted
    _adopted = dataset


def _item(index):
    return _adopted[index]
