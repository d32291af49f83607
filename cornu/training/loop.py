"""Epochs, callbacks and dispatch: how many steps of a model one call of a compiled program covers.

Data in memory goes to the device once; a program takes its batches there by the epoch's order and runs many steps in one call, as many as keep
the progress bar alive. A step that takes long, and any step that a callback listens to, is a call of its own.
"""

import itertools
import sys
import time

import numpy as np

from cornu import backends, tree
from cornu.backends import protocol
from cornu.training.direct import Direct, keep
from cornu.training.step import Step, Unforeseen, flat_logs, scalars

SECONDS = 0.07  # what one dispatch should take
SLOW = 0.002  # seconds a step above which a call of its own costs nothing that matters
SAMPLES = 3  # measurements of a form of running before it is judged
WORTHWHILE = 256  # steps after which it pays to compile a second program that saves tens of microseconds a step
RESIDENT = {True: 2**25, False: 2**31}  # bytes of training data that may lie on a device that shares the host's memory, on another
CHUNK = 2**24  # bytes of data that go to the device at a time otherwise
QUEUED = 2  # dispatches of many steps that may wait to be computed, each with its data
PROGRAMS = 128  # compiled programs that a model keeps; with batches of ever new shapes the oldest go
FORMS = 4  # sets of variables for which it keeps them, since layers may be frozen and thawed by turns


# -- what a dispatch reads ----------------------------------------------------------------------------------------------------------------


def _split(structure):
    """The arrays of a batch, and the batch with their places for them."""
    leaves = []

    def place(leaf):
        if leaf is None:
            return None
        leaves.append(leaf)
        return len(leaves) - 1

    return leaves, tree.map_structure(place, structure)


def _join(leaves, places):
    return tree.map_structure(lambda place: leaves[place], places, none_is_leaf=False)


def _bucket(count):
    """`count` rounded up by at most a sixteenth, so that data of nearly the same length needs no other program."""
    grain = 1 << max(count.bit_length() - 5, 0)
    return -(-count // grain) * grain


def _aligned(shape, dtype):
    """Memory for an array that engines can use as it lies."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    raw = np.empty(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype).reshape(shape)


class Resident:
    """Arrays on the device; a dispatch names the rows."""

    many = True

    def __init__(self, data):
        self.data, self.size = data, data.batch_size
        leaves, self.places = _split(data.arrays)
        self.leaves = [backends.current().share(self._padded(leaf)) for leaf in leaves]

    @staticmethod
    def _padded(array):
        rows = _bucket(len(array))
        placed = _aligned((rows, *array.shape[1:]), array.dtype)
        placed[: len(array)] = array
        placed[len(array) :] = 0
        return placed

    def begin(self, epoch):
        order = self.data.order(epoch)
        self.rows = self.data.num_samples if order is None else len(order)
        self.order = None
        if order is not None:
            padded = np.zeros(_bucket(max(self.rows, self.data.num_samples)), np.int32)
            padded[: self.rows] = order
            self.order = padded if len(padded) < 2**14 else backends.current().share(padded)  # a short one goes along with each call
        self.rows = min(self.rows, self.data.num_batches * self.size)
        return self

    def program(self, first, count, many):
        size = self.size if many else min(self.size, self.rows - first * self.size)
        key = (many, size, self.order is None, repr(self.places), "rows")
        return key, _rows_of(size, self.size, self.places), first, (self.leaves, self.order)


def _rows_of(size, step, places):
    """What takes batch `i` after the one that a dispatch begins with: `size` rows, batches being `step` rows apart."""

    def fetch(numbers, leaves, order):
        def rows(i):
            start, zero = protocol.multiply(protocol.add(i, numbers[0]), step), backends.array(0, "int32")
            if order is None:
                return _join([protocol.dynamic_slice(leaf, [start, *[zero] * (leaf.ndim - 1)], (size, *leaf.shape[1:])) for leaf in leaves], places)
            chosen = protocol.dynamic_slice(order, [start], (size,))
            return _join([protocol.getitem(leaf, chosen) for leaf in leaves], places)

        return rows

    return fetch


def _whole(leaves, places):
    """The key of a program for one batch, and what takes the one that came."""
    key = (False, tuple(map(np.shape, leaves)), repr(places), "batch")
    return key, lambda numbers, leaves: lambda i: _join(leaves, places)


def _parts(places):
    """What takes batch `i` of those that came, stacked on a new first axis."""
    return lambda numbers, leaves: lambda i: _join([protocol.getitem(leaf, i) for leaf in leaves], places)


class Chunks:
    """Arrays on the host; a dispatch takes a batch, or many of them."""

    many = True

    def __init__(self, data):
        self.data, self.size = data, data.batch_size
        leaves, self.places = _split(data.arrays)
        self.leaves = leaves
        batch_bytes = sum(leaf.nbytes for leaf in leaves) * self.size // data.num_samples + 1
        full = max(data.num_batches - 1, 1)
        self.length = 1 << max(min(full - 1, 127, CHUNK // batch_bytes - 1).bit_length(), 0) if CHUNK > batch_bytes else 1

    def begin(self, epoch):
        self.order = self.data.order(epoch)
        self.rows = self.data.num_samples if self.order is None else len(self.order)
        self.rows = min(self.rows, self.data.num_batches * self.size)
        return self

    def program(self, first, count, many):
        start = first * self.size
        stop = min(start + count * self.size, self.rows)
        if not many:
            rows = slice(start, stop) if self.order is None else self.order[start:stop]
            leaves = [leaf[rows] for leaf in self.leaves]
            return *_whole(leaves, self.places), 0, (leaves,)
        return (True, repr(self.places), self.length, "chunk"), _parts(self.places), 0, ([self._chunk(leaf, start, stop) for leaf in self.leaves],)

    def _chunk(self, leaf, start, stop):
        """Some rows as `length` batches; what is over is not read."""
        shape = (self.length, self.size, *leaf.shape[1:])
        if self.order is None and stop - start == self.length * self.size:
            return leaf[start:stop].reshape(shape)
        chunk = _aligned((self.length * self.size, *leaf.shape[1:]), leaf.dtype)
        if self.order is None:
            chunk[: stop - start] = leaf[start:stop]
        else:
            np.take(leaf, self.order[start:stop], 0, chunk[: stop - start], "clip")
        chunk[stop - start :] = 0
        return backends.current().share(chunk.reshape(shape))


class Stream:
    """Batches one by one."""

    many = False

    def program(self, batch):
        x, y, sample_weight = batch
        if type(x) is np.ndarray and y is None and sample_weight is None:  # what `predict` may be called with a thousand times a second
            return *_whole([x], (0, None, None)), 0, ([x],)
        leaves, places = _split(batch)
        return *_whole(leaves, places), 0, (leaves,)


# -- running ------------------------------------------------------------------------------------------------------------------------------


class Clock:
    """The time since it was made: on the wall, but where the host computes not more than its processors worked, since others may use them too."""

    def __init__(self, backend):
        self.host = backend.HOST
        self.wall, self.work = time.perf_counter(), time.process_time()

    def seconds(self):
        wall = time.perf_counter() - self.wall
        return min(wall, time.process_time() - self.work) if self.host else wall


def runs_eagerly(model):
    """Whether the model's steps run op by op."""
    return bool(model.run_eagerly or not model.jit_compile)


class Runner:
    """A model's step in its compiled forms, with the values that it works on between two looks at the variables.

    Args:
        model: the model.
        mode: "train", "test" or "predict".
    """

    def __init__(self, model, mode):
        self.model, self.mode = model, mode
        self.step = Step(model, mode)
        self.collected = None  # what `layers.keeper.changes` counted when the variables were taken
        self.eager = runs_eagerly(model)
        self.compiles = backends.current().COMPILES and not self.eager
        self.backend = backends.current()
        self.direct = Direct(self.step, self.eager) if not self.compiles and getattr(self.backend, "DIRECT", False) else None
        self.plain = self.step if self.backend.COMPILES else self.backend.compile(self.step)
        self.values = None
        self.fresh = False  # whether the metrics begin anew with the next dispatch
        self.known = {}  # for sets of variables that were in use before: the set, and what was `LEARNT`
        self._forget()

    LEARNT = ("programs", "settled", "many", "rates", "samples", "steps")

    def _forget(self):
        self.programs = {}
        self.settled = 0  # how many programs there were when memory was last given back
        self.many = None  # the form in use: whether a program runs many steps
        self.rates = {}  # form -> seconds a step
        self.samples = {False: 0, True: 0}  # form -> how often it was measured
        self.steps = 0
        self.epoch = (set(), 0, 0)  # forms, steps and programs of the epoch that runs

    def refresh(self, changes):
        """Take note of layers that were added, frozen or replaced; `changes` counts what was set on layers."""
        form, variables = self.step.form, self.step.variables
        if self.step.collect():
            keep(self.known, form, (variables, {name: getattr(self, name) for name in self.LEARNT}), FORMS)
            self._forget()
            vars(self).update(self.known.pop(self.step.form, (None, {}))[1])
        if self.direct is not None and changes != self.collected:
            self.direct.forget()
        self.collected = changes

    # the values

    def load(self):
        """The variables' values. What somebody else holds too is copied where the memory of the values will be used again."""
        kind, values = self.backend.ARRAY, []
        donates = self.mode == "train" and self.compiles
        for variable in self.step.variables:
            value = variable._value
            if not isinstance(value, kind):
                value = variable._raw()
            if donates and sys.getrefcount(value) > 3:  # the variable, `value` and the call
                value = self.backend.copy(value)
            values.append(value)
        return values

    def sync(self):
        """Give the variables their values."""
        if self.values is not None:
            self._put(self.step.variables, self.values)
            self.values = None

    def _put(self, variables, values):
        hold = getattr(self.backend, "hold", None)  # where a variable may be more than a name for an array
        for variable, value in zip(variables, values, strict=True):
            variable._value = value if hold is None else hold(variable._value, value)

    # one dispatch

    def run(self, key, fetch, first, count, data):
        """Run `count` steps on what `fetch` takes from `data`, by the program `key`; gives its output.

        Raises:
            RuntimeError: the backend was changed since the epoch began.
        """
        if self.backend is not backends.current():
            raise RuntimeError(
                f"{self.model.name!r}: the backend became {backends.name()!r} within an epoch that began on {self.backend.NAME!r}. "
                "Call set_backend between two epochs: in a callback's on_epoch_end, or between two calls of fit."
            )
        if self.direct is not None:
            fresh, self.fresh = self.fresh and self.mode != "predict", False
            return self.direct(tree.map_structure(self.backend.array, fetch([first], *data)(0), none_is_leaf=False), fresh)
        while True:
            values = self.load() if self.values is None else self.values
            try:
                if not self.compiles:
                    values, output = self._eagerly(values, fetch, first, data)
                    changed = self.step.touched
                else:
                    if key not in self.programs:
                        keep(self.programs, key, self._compiled(fetch, key[0]), PROGRAMS)
                    program, note = self.programs[key]
                    numbers = np.array([first, count, self.fresh], np.int32)
                    news, output = program(values, numbers, *data)
                    changed = note["changed"]
                    if self.mode == "train":
                        values = news
                    else:
                        for i, value in zip(changed, news, strict=True):
                            values[i] = value
                    if self.mode != "predict":
                        output = (note["names"], *output)
            except Unforeseen as found:
                self._adopt(found.variables, values)
                continue
            if self.mode != "predict":
                self.values, self.fresh = values, False
            elif changed:  # nothing is kept between the batches of `predict`, so that threads may share a model
                self._put([self.step.variables[i] for i in changed], [values[i] for i in changed])
            return output

    def _adopt(self, variables, values):
        """Have variables in the state that the step turned out to change."""
        held = {id(variable): value for variable, value in zip(self.step.variables, values, strict=True)}
        self.step.adopt(variables)
        self.programs = {}
        if self.mode != "predict":
            self.values = [held.get(id(variable), value) for variable, value in zip(self.step.variables, self.load(), strict=True)]

    def _eagerly(self, values, fetch, first, data):
        if self.fresh:
            values = self.step.reset(values)
        return self.plain(values, tree.map_structure(self.backend.array, fetch([first], *data)(0), none_is_leaf=False))

    def _compiled(self, fetch, many):
        """A program, and a dictionary that tells what its results are once it was traced: places of the variables changed, names of the logs."""
        step, mode, note = self.step, self.mode, {}

        def begin(values, numbers):
            if mode == "predict":
                return values
            anew = protocol.not_equal(numbers[2], 0)
            return [old if new is old else protocol.where(anew, new, old) for new, old in zip(step.reset(values), values, strict=True)]

        def returned(values):
            note["changed"] = sorted({*step.touched, *step.cleared})
            return values if mode == "train" else [values[i] for i in note["changed"]]

        def packed(output):
            if mode == "predict":
                return output
            note["names"], found = scalars(output)
            return found

        def one(values, numbers, *data):
            values, output = step(begin(values, numbers), fetch(numbers, *data)(backends.array(0, "int32")))
            return returned(values), packed(output)

        def several(values, numbers, *data):
            batch, values = fetch(numbers, *data), begin(values, numbers)
            i, logs = backends.array(0, "int32"), None
            if step.logs_each_step:  # the form of the logs must be known before the loop
                values, logs = step(values, batch(i))
                i, logs = backends.array(1, "int32"), packed(logs)

            def body(state):
                i, values, _ = state
                values, logs = step(values, batch(i), result=False)
                return protocol.add(i, backends.array(1, "int32")), values, packed(logs) if step.logs_each_step else None

            i, values, logs = protocol.while_loop(lambda state: protocol.less(state[0], numbers[1]), body, (i, values, logs))
            return returned(values), logs if step.logs_each_step else packed(step.result(values))

        def outputs(values, numbers, *data):
            batch = fetch(numbers, *data)
            length = data[0][0].shape[0]

            def body(values, i):
                return step(values, batch(i))

            values, found = protocol.scan(body, values, protocol.arange(0, length, 1, "int32"), length, False)
            return returned(values), tree.map_structure(lambda y: protocol.reshape(y, (y.shape[0] * y.shape[1], *y.shape[2:])), found)

        function = one if not many else outputs if mode == "predict" else several
        compiled = getattr(self.backend, "compile_whole", self.backend.compile) if self.model._training.asked else self.backend.compile
        return compiled(function, donate=(0,) if mode == "train" else ()), note

    def read(self, output):
        """The logs of a dispatch as a dictionary of floats, in the order of the alphabet as Keras has them."""
        if isinstance(output, dict):
            logs = dict(flat_logs(output or self.model.get_metrics_result()))
        else:
            names, numbers, rest = output
            logs = dict(zip(names, self.backend.numpy(numbers).tolist() if numbers is not None else (), strict=True), **rest)
        return {name: _number(logs[name]) for name in sorted(logs)}

    def wait(self, output=None):
        """Until what was dispatched has been computed."""
        found = output if self.mode == "predict" else self.values
        if found is not None:
            self.backend.block(found)
        if self.mode == "train" and hasattr(self.backend, "settle"):
            self.backend.settle(self.settled < len(self.programs))
            self.settled = len(self.programs)

    # how many steps

    def pace(self, left, feed):
        """(whether by a program of many steps, how many steps, whether to measure) for the next dispatch when `left` whole batches are."""
        if not self.compiles or not feed.many or not getattr(self.backend, "LOOPS", True) or feed.rows < 2 * feed.size:
            return False, 1, False
        if self.many is None:
            self.many = self.mode == "train" and not self.step.logs_each_step and self._looks_cheap(feed.size)
        rate = self.rates.get(self.many)
        if rate is not None and self.samples[self.many] >= SAMPLES and (not self.many) not in self.rates and self._other_may_be_better(rate):
            self.many, rate = not self.many, None
        most = min(left, getattr(feed, "length", left)) if self.many else left
        if self.mode == "predict":
            return self.many, most if self.many else 1, True
        if rate is None:
            return self.many, 1 if self.programs_of(self.many) == 0 else min(8, most), True
        return self.many, max(1, min(most, int(SECONDS / rate))), self.samples[self.many] < SAMPLES

    def programs_of(self, many):
        return sum(key[0] is many for key in self.programs)

    def _looks_cheap(self, size):
        return sum(variable.size for variable in self.step.groups[0]) * size * 6 < 1e8

    def _other_may_be_better(self, rate):
        if self.many:
            return rate > SLOW and self.mode == "train"
        return rate < SLOW and self.steps >= WORTHWHILE and not (self.mode == "predict" and self.step.touched)

    def measured(self, many, count, seconds):
        """Take note of the time of `count` steps, and keep to the better form once both are known."""
        self.rates[many] = min(seconds / count, self.rates.get(many, seconds))
        self.samples[many] += 1
        if self.samples[many] == SAMPLES and self.rates.get(not many, np.inf) < self.rates[many]:
            self.many = not many

    def passed(self, seconds):
        """Take note of the time of a whole epoch, which other processes disturb less than a few steps."""
        forms, steps, programs = self.epoch
        if len(forms) == 1 and self.rates.keys() >= forms and programs == len(self.programs):
            many = forms.pop()
            self.rates[many] = min(self.rates[many], seconds / steps)

    def over(self, feed, listening=None, per=1, first=0):
        """All batches of an epoch on `feed`; yields (batches done, output) after each dispatch.

        Args:
            listening: what to call with the number of the batch before each `per` steps, where a callback wants to see them; else None.
            per: steps between two such calls.
            first: the batch to begin with.
        """
        total, done = -(-feed.rows // feed.size), first
        full = feed.rows // feed.size
        self.epoch = (set(), 0, len(self.programs))
        queued = []
        while done < total:
            if listening is not None:
                count = min(per, total - done)
                listening(done)
                for i in range(done, done + count):
                    output = self.run(*_at(feed.program(i, 1, False), 1))
            elif done == full:
                count, output = 1, self.run(*_at(feed.program(done, 1, False), 1))
            else:
                many, count, measure = self.pace(full - done, feed)
                programs = len(self.programs)
                if measure:
                    self.wait()
                    start = Clock(self.backend)
                if many:
                    output = self.run(*_at(feed.program(done, count, True), count))
                    if self.mode != "predict":  # whose outputs are fetched in time
                        queued.append(output[1:])
                    if len(queued) > QUEUED:
                        self.backend.block(queued.pop(0))
                else:
                    for i in range(done, done + count):
                        output = self.run(*_at(feed.program(i, 1, False), 1))
                if measure:
                    self.wait(output)
                    if programs == len(self.programs):  # nothing was compiled
                        self.measured(many, count, start.seconds())
                self.steps += count
                self.epoch = (self.epoch[0] | {many}, self.epoch[1] + count, self.epoch[2])
            done += count
            yield done, output


def _at(program, count):
    key, fetch, first, data = program
    return key, fetch, first, count, data


def _number(value):
    if isinstance(value, float):
        return value
    value = backends.numpy(value) if not isinstance(value, (int, bool)) else value
    return float(value) if np.ndim(value) == 0 else value


# -- fit, evaluate, predict ---------------------------------------------------------------------------------------------------------------


def epoch(runner, data, feed, number, callbacks, per=1, first=0, opening=None):
    """One pass of training or testing, from the batch `first` on; returns the logs at its end, or None where there was no batch.

    `opening` is called when it begins; where the source may have ended before, only once it gave a batch.
    """
    mode, model = runner.mode, runner.model
    begin, end, passed = (getattr(callbacks, f"on_{mode}_{what}") for what in ("batch_begin", "batch_end", "steps"))
    listening = callbacks.listens_to_batches(mode)
    runner.fresh, runner.values, output, logs, done = first == 0, None, None, None, first

    start = Clock(runner.backend)

    def on_begin(batch):
        runner.sync()
        begin(batch)

    try:
        if opening is not None and (feed is not None or not data.once):
            opening()
        if feed is None:
            stream, batches = Stream(), data.batches(number, first) if first else data.batches(number)
            coming = batches
            if opening is not None and data.once:
                head = list(itertools.islice(batches, 1))
                coming = itertools.chain(head, batches)
                if head:
                    opening()
            while True:
                group = list(itertools.islice(coming, per if listening else 1))
                if not group:
                    break
                if listening:
                    on_begin(done)
                for batch in group:
                    output = runner.run(*_at(stream.program(batch), 1))
                done += len(group)
                logs = _after(runner, output, done, data.num_batches, listening, end, passed)
                if listening and model.stop_training and mode == "train":
                    break
            batches.close()
        else:
            total = data.num_batches
            for done, output in runner.over(feed.begin(number), on_begin if listening else None, per, first):
                logs = _after(runner, output, done, total, listening, end, passed)
                if listening and model.stop_training and mode == "train":
                    break
    finally:
        runner.sync()
    if output is None:  # with `first` an epoch that had no more batches
        return runner.read(model.get_metrics_result()) if first else None
    if logs is None:
        logs = runner.read(output)
        runner.passed(start.seconds())
    return logs


def _after(runner, output, done, total, listening, end, passed):
    if listening:
        logs = runner.read(output)
        runner.sync()
        end(done - 1, logs)
        return logs
    if done == total:  # the time shown at the end is that of computing, not of asking for it
        runner.wait()
    passed(done, total, lambda: runner.read(output))
    return None


def feed_of(runner, data):
    """Where the batches of data in memory lie; None for a stream."""
    if data.arrays is None:
        return None
    if runner.mode == "train" and runner.compiles and data.num_batches > 1 and getattr(runner.backend, "LOOPS", True):  # else one program for any length
        leaves = [leaf for leaf in tree.flatten(data.arrays) if leaf is not None]
        if sum(leaf.nbytes for leaf in leaves) <= RESIDENT[runner.backend.HOST]:
            return Resident(data)
    return Chunks(data)


def predict(runner, data, callbacks):
    """The outputs for all batches, as NumPy arrays put end to end."""
    found, waiting = [], []
    listening = callbacks is not None and callbacks.listens_to_batches("predict")
    numpy = runner.backend.numpy

    def take(keep):
        while len(waiting) > keep:
            output, rows = waiting.pop(0)
            found.append(tree.map_structure(lambda y, rows=rows: numpy(y)[:rows], output))

    feed, done, start = feed_of(runner, data), 0, Clock(runner.backend)
    if feed is None:
        stream = Stream()
        for batch in data.batches(0):
            if listening:
                callbacks.on_predict_batch_begin(done)
            waiting.append((runner.run(*_at(stream.program(batch), 1)), None))
            done += 1
            _predicted(callbacks, listening, done, data.num_batches, take, found)
    else:
        before = 0
        feed.begin(0)
        for done, output in runner.over(feed, callbacks.on_predict_batch_begin if listening else None):
            waiting.append((output, min((done - before) * feed.size, feed.rows - before * feed.size)))
            before = done
            _predicted(callbacks, listening, done, data.num_batches, take, found)
    take(0)
    runner.passed(start.seconds())
    if not found:
        raise ValueError("predict: the data gave no batch.")
    return tree.map_structure(lambda *parts: np.concatenate(parts), *found)


def _predicted(callbacks, listening, done, total, take, found):
    take(0 if listening else 2)
    if listening:
        callbacks.on_predict_batch_end(done - 1, {"outputs": found[-1]})
    elif callbacks is not None:
        callbacks.on_predict_steps(done, total, None)
