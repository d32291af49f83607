"""Data that comes batch by batch: generators, `PyDataset`, torch's DataLoader, tf.data, any iterable of batches."""

import itertools
import queue
import threading

import numpy as np

from cornu import backends, tree
from cornu.backends import protocol
from cornu.training.data import arrays
from cornu.training.data.faults import warn
from cornu.training.data.py_dataset import made
from cornu.training.data.sources import is_indexed, is_numbers, kind_name
from cornu.training.data.splits import unpack_x_y_sample_weight

_END = object()


class Ahead:
    """Takes items from an iterator in a thread of its own, one ahead of who asks."""

    def __init__(self, iterator):
        self._asked, self._made, self._pending = queue.SimpleQueue(), queue.SimpleQueue(), False
        threading.Thread(target=_serve, args=(iterator, self._asked, self._made), name="cornu-data-ahead", daemon=True).start()

    def _ask(self):
        if not self._pending:
            self._asked.put(True)
            self._pending = True

    def take(self, more=True):
        """The next item, or `_END`; with `more` the one after it is begun at once."""
        self._ask()
        item, error = self._made.get()
        self._pending = False
        if error is not None:
            raise error
        if more and item is not _END:
            self._ask()
        return item

    def close(self):
        self._asked.put(False)

    __del__ = close


def _serve(iterator, asked, made_items):
    """Answer each True of the queue `asked` with the next item; False ends it. No reference to the `Ahead`, so that this can be dropped."""
    while asked.get():
        try:
            made_items.put((next(iterator), None))
        except StopIteration:
            made_items.put((_END, None))
        except BaseException as error:
            made_items.put((_END, error))
    if hasattr(iterator, "close"):
        iterator.close()


class StreamData:
    """Batches from a source that is not in memory.

    Attributes:
        arrays: None; `num_samples`, `batch_size`: None, not known.
        num_batches: batches an epoch, or None where that is not known.
        exhausted: whether a source that can be read once has ended: no further epoch has batches.
    """

    arrays = num_samples = batch_size = None

    def __init__(self, source, shuffle=True, class_weight=None, steps=None, seed=0):
        self.source, self.shuffle, self.class_weight, self.steps, self.seed = source, shuffle, class_weight, steps, seed
        self.once = hasattr(source, "__next__")
        self.exhausted = self._said_ended = False
        getattr(source, "workers", None)  # a PyDataset warns here if its __init__ never called ours
        self.available = None if self.once else _count(source)
        if self.available == 0:
            raise ValueError(f"x is {kind_name(source)} without any batch.")
        if steps is not None and self.available is not None and steps > self.available:
            warn(f"{steps} steps were asked for, but {kind_name(source)} gives {self.available} batches: {self.available} are used.")
        known = [n for n in (steps, self.available) if n is not None]
        self.num_batches = min(known) if known else None
        self._ahead = None
        self._passes = self._in_pass = 0
        self._peeked = []

    def position(self):
        """As `ArrayData.position`."""
        return {"seed": self.seed, "num_batches": self.num_batches, "passes": self._passes, "in_pass": self._in_pass if self._ahead is not None else 0}

    def rewind(self, position, epoch, batch):
        """As `ArrayData.rewind`. What was read before is read again, from a source that can be read once; a `PyDataset` is told of its epochs."""
        arrays.check_batches(position, self.num_batches, batch)
        self.seed, self._passes, skipped = position["seed"], position["passes"], position["in_pass"]
        if not self.once:
            self._peeked.clear()
        if is_indexed(self.source):
            for _ in range(self._passes):
                if hasattr(self.source, "on_epoch_begin"):
                    self.source.on_epoch_begin()
                self.source.on_epoch_end()
        if skipped:
            self._ahead, self._in_pass = Ahead(self._open(self._passes if self._continues() else epoch, skipped)), skipped

    def batches(self, epoch=0, first=0):
        """The batches of one epoch: (x, y, sample_weight) each. `epoch` decides the shuffling of a `PyDataset`; `first` of them came before."""
        wanted, given = self.num_batches, first
        if not self._continues() and not first:
            self._finish()  # an epoch that was left early
        while (wanted is None or given < wanted) and not self.exhausted:
            if self._ahead is None:
                self._ahead, self._in_pass = Ahead(self._open(self._passes if self._continues() else epoch)), 0
            item = self._ahead.take(more=wanted is None or given + 1 < wanted)
            if item is not _END:
                given, self._in_pass = given + 1, self._in_pass + 1
                yield self._batch(item)
                continue
            self._finish()
            if self._in_pass == 0:
                raise ValueError(f"x is {kind_name(self.source)} that gave no batch{' at all' if self._passes == 1 else ''}.")
            self.exhausted = self.once
            if wanted is None or self._in_pass < wanted:
                break
        if wanted is not None and given == self.available:
            self._finish()
        if self.once and self.exhausted and not self._said_ended and (wanted is not None or not given):
            self._say_ended(given, wanted, epoch)
        elif wanted is not None and given < wanted and not self.once:
            self.available = self.num_batches = given
            warn(f"{wanted} steps were asked for, but {kind_name(self.source)} gave {given} and ended: {given} are used.")

    def _say_ended(self, given, wanted, epoch):
        self._said_ended = True
        asked = f"{wanted} batches an epoch were asked for" if wanted is not None else "an epoch needs at least one batch"
        warn(f"x is {kind_name(self.source)} that ended: {asked}, and epoch {epoch + 1} got {given}. Let it yield for ever, or give fewer steps or epochs.")

    def _continues(self):
        """Whether the next epoch goes on where this one stopped."""
        return self.once or (self.steps is not None and (self.available is None or self.steps < self.available))

    def _open(self, number, skipped=0):
        if self._peeked:
            return itertools.islice(self._peeked.pop(), skipped, None)
        return _opened(self.source, number, self.shuffle, self.seed, skipped)

    def _finish(self):
        if self._ahead is None:
            return
        self._ahead.close()
        self._ahead = None
        self._passes += 1
        if is_indexed(self.source):
            self.source.on_epoch_end()

    def _batch(self, item):
        x, y, sample_weight = (_arrays(part) for part in unpack_x_y_sample_weight(item))
        if self.class_weight is not None:
            if sample_weight is not None:
                raise ValueError("class_weight was given, and the data yields sample weights too. Multiply them into the sample weights.")
            sample_weight = arrays.class_weights_of(y if tree.is_nested(y) or y is None else backends.numpy(y), self.class_weight)
        return x, y, sample_weight

    def peek(self):
        """The first batch, which `batches` will give again: what a model is built from.

        Raises:
            ValueError: there is none.
        """
        if self._ahead is not None:
            raise RuntimeError("peek: the epoch has begun.")
        opened = self._open(0)
        first = next(opened, _END)
        if first is _END:
            raise ValueError(f"x is {kind_name(self.source)} that gave no batch at all.")
        self._peeked.append(itertools.chain([first], opened))
        return self._batch(first)


def _count(source):
    """Batches of a source that can be read again, or None."""
    if is_indexed(source):
        return source.num_batches if hasattr(source, "num_batches") else len(source)
    try:
        return len(source)
    except TypeError:  # it has no length, or an endless one
        count = int(source.cardinality()) if hasattr(source, "cardinality") else -1
        return count if count >= 0 else None


def _opened(source, number, shuffle, seed, skipped=0):
    """An iterator over one pass of `source`, from the batch `skipped` on."""
    if not is_indexed(source):
        return itertools.islice(source, skipped, None)  # not the user's own generator, which stays open for her
    return _indexed(source, number, shuffle, seed, skipped)


def _indexed(source, number, shuffle, seed, skipped):
    if hasattr(source, "on_epoch_begin"):
        source.on_epoch_begin()
    count = _count(source)
    indices = itertools.count() if count is None else range(count)
    if shuffle and count is not None:
        indices = np.random.Generator(np.random.Philox(key=[seed, number])).permutation(count).tolist()
    yield from made(source, itertools.islice(indices, skipped, None))


def _arrays(part):
    """As `arrays.to_arrays`, but tensors of the backend in use stay where they are."""
    if protocol.backend is not None and protocol.backend.is_array(part) and not isinstance(part, np.ndarray):
        return part
    if isinstance(part, dict) or (isinstance(part, (list, tuple)) and not is_numbers(part)):
        return tree.map_structure(_arrays, part) if _plain(part) else arrays.to_arrays(part, "batch")
    return arrays.to_arrays(part, "batch")


def _plain(part):
    return not any(is_numbers(leaf) for leaf in (part.values() if isinstance(part, dict) else part) if isinstance(leaf, (list, tuple)))
