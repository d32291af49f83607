"""Data sets of batches that the tools of this package give."""

import itertools
import math
import threading

import numpy as np

from cornu import tree
from cornu.training.data import PyDataset


class Batches(PyDataset):
    """Batches of NumPy arrays, for `fit`, `evaluate` and `predict` on every backend, and for loops: `for x, y in data`.

    Attributes:
        batch_size: samples a batch.

    >>> for images, labels in data.take(1):
    ...     print(images.shape)
    >>> scaled = data.map(lambda x, y: (x / 255, y))
    """

    batch_size = None

    def __iter__(self):
        self.on_epoch_begin()
        for i in range(len(self)):
            yield self[i]
        self.on_epoch_end()

    def __repr__(self):
        return f"<{type(self).__name__} of {len(self)} batches>"

    def cardinality(self):
        """How many batches there are."""
        return len(self)

    def map(self, function, num_parallel_calls=None):
        """These batches, each put through `function(x)`, `function(x, y)` or `function(x, y, sample_weight)`."""
        if not callable(function):
            raise ValueError(f"map: wanted a function of a batch; got {function!r}.")
        return _Derived(self, range(len(self)), function)

    def take(self, count):
        """The first `count` batches."""
        return _Derived(self, range(len(self))[: _at_least(0, "take", count)])

    def skip(self, count):
        """All but the first `count` batches."""
        return _Derived(self, range(len(self))[_at_least(0, "skip", count) :])

    def cache(self):
        """These batches, made once and then kept in memory."""
        return _Cached(self, range(len(self)))

    def shuffle(self, buffer_size=None, seed=None):
        """The batches in another order each time; `buffer_size` is taken for compatibility."""
        return _Shuffled(self, range(len(self)), seed)

    def prefetch(self, buffer_size=None):
        """This very data set: `fit` makes a batch ahead anyway. For programs written for tf.data."""
        return self


def _at_least(least, who, count):
    if isinstance(count, bool) or not hasattr(count, "__index__") or count < least:
        raise ValueError(f"{who}: wanted a number of batches of at least {least}; got {count!r}.")
    return int(count)


class _Derived(Batches):
    """Some batches of another data set, perhaps put through a function."""

    def __init__(self, source, places, function=None):
        super().__init__(source.workers, source.use_multiprocessing, source.max_queue_size)
        self.source, self.places, self.function = source, places, function
        self.batch_size = source.batch_size
        self.class_names = getattr(source, "class_names", None)

    def __len__(self):
        return len(self.places)

    def __getitem__(self, index):
        batch = self.source[self.places[index]]
        if self.function is None:
            return batch
        return self.function(*batch) if isinstance(batch, tuple) else self.function(batch)

    def on_epoch_begin(self):
        self.source.on_epoch_begin()

    def on_epoch_end(self):
        self.source.on_epoch_end()


class _Cached(_Derived):
    def __init__(self, source, places):
        super().__init__(source, places)
        self._kept = {}

    def __getitem__(self, index):
        if index not in self._kept:
            self._kept[index] = super().__getitem__(index)
        return self._kept[index]

    def on_epoch_begin(self):
        pass

    on_epoch_end = on_epoch_begin


class _Shuffled(_Derived):
    def __init__(self, source, places, seed):
        super().__init__(source, places)
        self._orders = Orders(len(places), True, seed)

    def __getitem__(self, index):
        return super().__getitem__(self._orders.now()[index])

    def on_epoch_end(self):
        super().on_epoch_end()
        self._orders.next()


class Orders:
    """An order of `count` things for each epoch, from the seed and the epoch alone.

    Args:
        seed: None draws one from NumPy's global generator, which `set_random_seed` sets.
    """

    def __init__(self, count, shuffle, seed):
        self.count, self.shuffle = count, shuffle
        self.seed = int(np.random.randint(10**6)) if seed is None else int(seed)
        self.epoch, self._order = 0, None
        self._lock = threading.Lock()

    def now(self):
        if not self.shuffle:
            return range(self.count)
        with self._lock:
            if self._order is None:
                self._order = np.random.Generator(np.random.Philox(key=[self.seed, self.epoch])).permutation(self.count)
            return self._order

    def next(self):
        with self._lock:
            self.epoch, self._order = self.epoch + 1, None

    def __getstate__(self):
        return {**self.__dict__, "_lock": None}

    def __setstate__(self, state):
        self.__dict__.update(state, _lock=threading.Lock())


class Items(Batches):
    """Batches of things that are read one by one.

    Args:
        count: how many there are.
        read: function of a number that gives the sample: an array, or a tuple.
        batch_size: None for single samples.
        shuffle, seed: whether each epoch has another order, and from what it follows.
        stack: function of a list of samples that makes the batch.
        workers: threads that read.
    """

    def __init__(self, count, read, batch_size, shuffle=False, seed=None, stack=None, workers=1):
        super().__init__(workers)
        self._read, self._stack, self.batch_size = read, stack or stacked, batch_size
        self._orders = Orders(count, shuffle, seed)

    def __len__(self):
        return math.ceil(self._orders.count / (self.batch_size or 1))

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(f"{type(self).__name__}: batch {index} of {len(self)}.")
        order = self._orders.now()
        if self.batch_size is None:
            return self._read(int(order[index]))
        chosen = itertools.islice(order, index * self.batch_size, (index + 1) * self.batch_size)
        return self._stack([self._read(int(i)) for i in chosen])

    def on_epoch_end(self):
        self._orders.next()


def stacked(samples):
    """A batch of samples of one structure and one shape."""
    return tree.map_structure(lambda *parts: np.stack(parts), *samples)
