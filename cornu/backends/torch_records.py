"""Steps as records: the operations that a step comes to on PyTorch, gradients included, to run again without Python, layers and the tape between them."""

import itertools
import math
import threading

import torch
from torch.utils._python_dispatch import TorchDispatchMode  # pyright: ignore[reportMissingImports]

from cornu import tree

aten = torch.ops.aten
_TAPE = {aten.detach.default, aten.lift_fresh.default}  # of no use without a tape
_MAKING = {aten.ones_like.default, aten.zeros_like.default, aten.new_zeros.default, aten.new_ones.default}  # from shapes, whatever the values
_VALUES = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
MOST = 2**30  # bytes that a step may have made when it is recorded, since all of it is kept that long
_PLACES = {torch.int32, torch.int64}  # what indexes by numbers is; booleans choose as many as are true
_open = threading.local()


class NoRecord(ValueError):
    """What a function did for some values holds for no others, or cannot be repeated."""


class Record(TorchDispatchMode):
    """Inside, each operation is noted when it has run, as a Line."""

    @classmethod
    def _should_skip_dynamo(cls):  # what skips it imports it first, which takes a second
        return False

    def __init__(self):
        super().__init__()
        self.lines, self.paused, self.made = [], False, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if self.paused:
            return func(*args, **(kwargs or {}))
        if _VALUES & set(func.tags) and not (func is aten.index.Tensor and all(x is None or x.dtype in _PLACES for x in args[1])):
            raise NoRecord(f"the values of tensors decide what the step does (it asks for them by {func})")
        return self.note(func, args, kwargs or {})

    def note(self, function, args, kwargs):
        result = function(*args, **kwargs)
        self.lines.append(line := Line(function, args, kwargs, result))
        self.made += 0 if line.shares else sum(x.nbytes for x in line.gives)
        if self.made > MOST:
            raise NoRecord(f"it makes more than {MOST / 1e9:.3g} GB of tensors")
        return result

    def __enter__(self):
        _open.record = self
        return super().__enter__()

    def __exit__(self, *error):
        _open.record = None
        return super().__exit__(*error)


def noted(function):
    """`function`, which computes with the values of tensors outside of PyTorch, as one operation in records."""

    def call(*args):
        record = getattr(_open, "record", None)
        if record is None or record.paused:
            return function(*args)
        record.paused = True
        try:
            return record.note(function, args, {})
        finally:
            record.paused = False

    return call


def check_values():
    """Where a tensor's values go to NumPy.

    Raises:
        NoRecord: while a record is made.
    """
    record = getattr(_open, "record", None)
    if record is not None and not record.paused:
        raise NoRecord("the values of tensors decide what the step does (it gives them to NumPy)")


def recorded(function, arguments):
    """The operations of `function(*arguments)` as a function of other lists of tensors, with the shapes and types of these.

    Raises:
        NoRecord: the values of tensors decide what `function` does, or an operation cannot be repeated.
    """
    inputs = list(itertools.chain(*arguments))
    with torch.no_grad(), Record() as record:
        output = function(*arguments)
    _keep(record.lines, inputs, output)
    run = _function([line for line in record.lines if line.runs], inputs, output)
    try:
        with torch.no_grad():  # some kernels keep less then than their backward pass needs
            again = run(*inputs)
    except RuntimeError as error:
        raise NoRecord(f"an operation cannot be repeated: {error}") from None
    if not all(torch.allclose(x, y, rtol=1e-4, equal_nan=True) for x, y in zip(_tensors(output), _tensors(again), strict=True)):
        raise NoRecord("its operations give something else when they are repeated")
    return lambda *arguments: run(*itertools.chain(*arguments))


class Line:
    """One operation of a record.

    Attributes:
        takes, gives: the tensors among its arguments and results.
        runs: whether it must run each time.
    """

    def __init__(self, function, args, kwargs, result):
        self.function, self.args, self.kwargs, self.result, self.runs = function, args, kwargs, result, False
        self.takes, self.gives = _tensors([args, kwargs]), _tensors(result)
        schema = getattr(function, "_schema", None)  # none of what `noted` gives, which makes new tensors from values
        self.writes = schema is not None and schema.is_mutable
        self.shares = schema is not None and any(given.alias_info is not None for given in schema.returns)
        self.same = torch.Tag.nondeterministic_seeded not in getattr(function, "tags", ())  # for the same arguments


def _tensors(structure):
    return [leaf for leaf in tree.flatten(structure) if isinstance(leaf, torch.Tensor)]


def _keep(lines, inputs, output):
    """Decide which lines run each time: not those whose results nobody uses, nor those that give the same each time and whose results nobody writes to."""
    written = set(map(id, _tensors(output)))  # who gets them may write to them
    for line in reversed(lines):
        if line.writes or (line.shares and any(id(x) in written for x in line.gives)):
            written.update(map(id, line.takes))
    moving = set(map(id, inputs))
    for line in lines:
        fixed = line.same and (line.function in _MAKING or not any(id(x) in moving for x in line.takes))
        line.runs = line.writes or not fixed or any(id(x) in written for x in line.gives)
        if line.runs:
            moving.update(map(id, line.gives))
    used = set(map(id, _tensors(output)))
    for line in reversed(lines):
        line.runs = line.runs and (line.writes or any(id(x) in used for x in line.gives))
        if line.runs:
            used.update(map(id, line.takes))


def _function(lines, inputs, output):
    """The lines as a Python function, each result dropped after its last use; tensors that no line gives are as they were."""
    names = {id(x): f"given{i}" for i, x in enumerate(inputs)}
    scope, code, last = {"inf": math.inf, "nan": math.nan}, [], {}

    def written(x):
        if isinstance(x, torch.Tensor) and id(x) in names:
            last[names[id(x)].partition("[")[0]] = len(code)
            return names[id(x)]
        if isinstance(x, list):
            return f"[{', '.join(map(written, x))}]"
        if type(x) is tuple:
            return f"({''.join(f'{written(item)}, ' for item in x)})"
        if isinstance(x, dict):
            return f"{{{', '.join(f'{key!r}: {written(value)}' for key, value in x.items())}}}"
        if x is None or type(x) in (bool, int, float, str):
            return repr(x)
        scope[f"kept{id(x)}"] = x
        return f"kept{id(x)}"

    for i, line in enumerate(lines):
        if line.function in _TAPE:
            names[id(line.result)] = written(line.args[0])
            continue
        scope[f"run{i}"] = line.function
        given = ", ".join([*map(written, line.args), *(f"{name}={written(value)}" for name, value in line.kwargs.items())])
        code.append(f"result{i} = run{i}({given})")
        for path, x in tree.flatten_with_path(line.result):
            if isinstance(x, torch.Tensor):  # what works in place gives what it took
                names.setdefault(id(x), f"result{i}{''.join(f'[{place}]' for place in path)}")
    returned = f"return {written(output)}"
    over = {}
    for name, i in last.items():
        if name.startswith("result") and i < len(code):
            over.setdefault(i, []).append(name)
    body = [f"{line}; {' = '.join(over[i])} = None" if i in over else line for i, line in enumerate(code)]
    exec("\n    ".join([f"def run({', '.join(f'given{i}' for i in range(len(inputs)))}):", *body, returned]), scope)
    return scope["run"]
