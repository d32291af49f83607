"""Data batch by batch: generators, iterables, PyDataset with threads and processes."""

import os
import threading
import time

import numpy as np
import pytest

from cornu.training import data

X = np.arange(8.0)[:, None]


def batch(i, size=2):
    return X[i * size : (i + 1) * size], X[i * size : (i + 1) * size]


def generator(count):
    for i in range(count):
        yield batch(i % 4)


def first_column(adapted, epoch=0):
    return [np.asarray(x)[:, 0].astype(int).tolist() for x, _, _ in adapted.batches(epoch)]


class Pairs(data.PyDataset):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.events = []

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return batch(index)

    def on_epoch_begin(self):
        self.events.append("begin")

    def on_epoch_end(self):
        self.events.append("end")


class Iterable:
    """As torch's DataLoader without a length: can be read again and again, gives lists."""

    def __init__(self, count):
        self.count = count

    def __iter__(self):
        return (list(batch(i)) for i in range(self.count))


class Loader(Iterable):
    def __len__(self):
        return self.count


def test_generator_is_read_once():
    adapted = data.adapt(generator(3))
    assert adapted.num_batches is None
    assert first_column(adapted) == [[0, 1], [2, 3], [4, 5]]
    assert adapted.exhausted
    with pytest.warns(UserWarning, match="x is a generator that ended: .*epoch 2 got 0"):
        assert first_column(adapted, 1) == []


def test_generator_with_steps_ends_early():
    adapted = data.adapt(generator(3), steps=2)
    assert adapted.num_batches == 2
    assert first_column(adapted) == [[0, 1], [2, 3]]
    with pytest.warns(UserWarning, match="2 batches an epoch were asked for, and epoch 2 got 1"):
        assert first_column(adapted, 1) == [[4, 5]]
    assert adapted.exhausted


def test_generator_is_not_read_beyond_the_steps():
    source = generator(10)
    for _ in range(2):
        assert len(first_column(data.adapt(source, steps=3))) == 3
    assert len(list(source)) == 4


def test_peek_loses_nothing():
    for source in (generator(3), Iterable(3), Pairs()):
        adapted = data.adapt(source, shuffle=False)
        x, _, _ = adapted.peek()
        assert x.dtype == np.float32 and x.shape == (2, 1)
        assert first_column(adapted)[:3] == [[0, 1], [2, 3], [4, 5]]


def test_empty_generator():
    with pytest.raises(ValueError, match="a generator that gave no batch at all"):
        list(data.adapt(generator(0)).batches())
    with pytest.raises(ValueError, match="no batch at all"):
        data.adapt(generator(0)).peek()
    with pytest.raises(ValueError, match="an iterable of batches"):
        list(data.adapt(Iterable(0)).batches())
    with pytest.raises(ValueError, match="without any batch"):
        data.adapt(Loader(0))


def test_error_in_a_generator_is_the_users_own():
    def failing():
        yield batch(0)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        list(data.adapt(failing()).batches())


@pytest.mark.parametrize("source", [Iterable(3), Loader(3)])
def test_iterable_is_read_again(source):
    adapted = data.adapt(source)
    assert adapted.num_batches == (3 if hasattr(source, "__len__") else None)
    assert first_column(adapted, 0) == first_column(adapted, 1) == [[0, 1], [2, 3], [4, 5]]
    adapted = data.adapt(source, steps=2)
    assert [first_column(adapted, i) for i in range(3)] == [[[0, 1], [2, 3]], [[4, 5], [0, 1]], [[2, 3], [4, 5]]]


def test_iterable_with_too_many_steps():
    with pytest.warns(UserWarning, match="5 steps were asked for, but an iterable of batches .* gives 3"):
        assert len(first_column(data.adapt(Loader(3), steps=5))) == 3
    adapted = data.adapt(Iterable(3), steps=5)
    with pytest.warns(UserWarning, match="5 steps .* gave 3 and ended"):
        assert len(first_column(adapted)) == 3
    assert len(first_column(adapted, 1)) == 3


def test_structural_recognition_of_tf_data():
    class Dataset(Iterable):
        def cardinality(self):
            return np.int64(self.count)

        def __len__(self):
            raise TypeError("infinite")

    assert data.adapt(Dataset(3)).num_batches == 3


def test_single_samples_are_refused():
    """As torch's Dataset, told by what it can do."""

    class Dataset:
        __getitem__, __len__ = (lambda self, i: batch(i)), (lambda self: 3)

    with pytest.raises(ValueError, match=r"a Dataset with __getitem__ and __len__ alone gives single samples.*DataLoader"):
        data.adapt(Dataset())


def test_targets_apart_are_refused():
    with pytest.raises(ValueError, match="x is a generator: y must come with its batches"):
        data.adapt(generator(1), X)
    with pytest.raises(ValueError, match=r"a PyDataset \(Pairs\): sample_weight"):
        data.adapt(Pairs(), sample_weight=X)


def test_bad_batches():
    with pytest.raises(ValueError, match="got 4 parts"):
        list(data.adapt(iter([(1, 2, 3, 4)])).batches())


def test_class_weight_in_batches():
    source = ((np.ones((2, 1)), np.array([0, 1])) for _ in range(2))
    assert [w.tolist() for _, _, w in data.adapt(source, class_weight={0: 1.0, 1: 4.0}).batches()] == [[1.0, 4.0]] * 2


def test_one_ahead_and_no_more():
    made = []

    def counted():
        for i in range(5):
            made.append(i)
            yield batch(0)

    batches = data.adapt(counted()).batches()
    next(batches)
    deadline = time.time() + 5
    while len(made) < 2 and time.time() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert made == [0, 1]


def test_thread_ends_with_the_data():
    def ahead():
        return [t for t in threading.enumerate() if t.name == "cornu-data-ahead"]

    before = len(ahead())
    adapted = data.adapt(Iterable(4))
    batches = adapted.batches()
    next(batches)
    del batches, adapted
    deadline = time.time() + 5
    while len(ahead()) > before and time.time() < deadline:
        time.sleep(0.01)
    assert len(ahead()) == before


@pytest.mark.parametrize("arguments", [{}, {"workers": 3}, {"workers": 2, "max_queue_size": 1}])
def test_py_dataset(arguments):
    source = Pairs(**arguments)
    adapted = data.adapt(source, shuffle=False)
    assert adapted.num_batches == 4
    assert first_column(adapted, 0) == first_column(adapted, 1) == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert source.events == ["begin", "end"] * 2


def test_py_dataset_shuffles_batches_by_the_seed():
    orders = [first_column(data.adapt(Pairs(), seed=5), epoch) for epoch in (0, 0, 1, 2)]
    assert orders[0] == orders[1]
    assert all(sorted(order) == [[0, 1], [2, 3], [4, 5], [6, 7]] for order in orders)
    assert len({str(order) for order in orders}) > 1


def test_py_dataset_without_end():
    class Endless(Pairs):
        num_batches = None

        def __getitem__(self, index):
            return batch(index % 4)

    adapted = data.adapt(Endless(), steps=3)
    assert [first_column(adapted, i) for i in range(2)] == [[[0, 1], [2, 3], [4, 5]], [[6, 7], [0, 1], [2, 3]]]


def test_py_dataset_without_length():
    class Bare(data.PyDataset):
        def __getitem__(self, index):
            return batch(index)

    with pytest.raises(NotImplementedError, match="Bare must say how many batches"):
        data.adapt(Bare())


def test_py_dataset_without_super_init():
    class Forgetful(Pairs):
        def __init__(self):
            self.events = []

    with pytest.warns(UserWarning, match=r"Forgetful.__init__ should call super"):
        adapted = data.adapt(Forgetful())
    assert len(first_column(adapted)) == 4


class Failing(Pairs):
    def __getitem__(self, index):
        if index == 2:
            raise RuntimeError("boo")
        return batch(index)


class Hanging(Pairs):
    timeout = 0.2

    def __getitem__(self, index):
        if index == 1:
            time.sleep(1)
        return batch(index)


class Dying(Pairs):
    def __getitem__(self, index):
        os._exit(1)


@pytest.mark.parametrize("workers", [1, 2])
def test_error_in_a_py_dataset_is_the_users_own(workers):
    with pytest.raises(RuntimeError, match="boo"):
        list(data.adapt(Failing(workers=workers), shuffle=False).batches())


def test_time_out_names_the_index():
    with pytest.raises(TimeoutError, match=r"Hanging: batch 1 was not ready after 0.2 seconds"):
        list(data.adapt(Hanging(workers=2), shuffle=False).batches())


@pytest.mark.slow
def test_processes():
    adapted = data.adapt(Pairs(workers=2, use_multiprocessing=True), shuffle=False)
    assert first_column(adapted) == [[0, 1], [2, 3], [4, 5], [6, 7]]
    with pytest.raises(RuntimeError, match=r"Dying: a worker process died while batch \d was awaited"):
        list(data.adapt(Dying(workers=1, use_multiprocessing=True), shuffle=False).batches())


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"workers": -1}, "Pairs: workers must be an integer of at least 0; got -1"),
        ({"workers": "2"}, "workers must be"),
        ({"workers": True}, "workers must be"),
        ({"max_queue_size": 2.5}, "max_queue_size must be"),
        ({"use_multiprocessing": "yes"}, "use_multiprocessing must be True or False"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Pairs(**arguments)
    dataset = Pairs()
    with pytest.raises(ValueError, match=message):
        setattr(dataset, *next(iter(arguments.items())))
