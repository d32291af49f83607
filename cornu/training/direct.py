"""Steps on a backend that runs each op at once: op by op, as a program that the user asked for, or as a recording of their operations.

A quick step of the library's own layers spends most of its time between the operations: after it ran often its operations are recorded, forward
and backward, and run one after the other from then on. What the user wrote himself is never recorded, since it may look at values, print or count.
"""

import time

from cornu import backends, tree
from cornu.optimizers.optimizer import Optimizer
from cornu.training.step import Unforeseen

OFTEN = {"train": 64, "test": 16, "predict": 16}  # steps on batches of one form before they are recorded, which takes as long as some steps
QUICK = {"train": 0.01, "test": 0.1, "predict": 0.1}  # seconds of a step, above which little is won; a long training step has much to keep while it is recorded
PROGRAMS = 16  # forms of batches that a model keeps programs for; with ever new shapes the oldest go


def foreign(model):
    """The first part of a model's steps that is not the library's own, in words; None where all is."""
    layers, config = model._flatten_layers(), model._training.config or {}
    graphs = [layer._function for layer in layers if getattr(layer, "_function", None) is not None]
    operations = [operation for graph in graphs for operation in graph.operations]
    given = tree.flatten([[node.args, node.kwargs] for graph in graphs for node in graph.nodes])
    asked = tree.flatten([config.get(name) for name in ("loss", "metrics", "weighted_metrics", "optimizer")])
    parts = {id(part): part for part in (*layers, *operations, *asked, *filter(callable, given)) if part is not None and not isinstance(part, str)}
    for part in parts.values():
        if not _own(part):
            return _named(part)
        for name, value in vars(part).items() if hasattr(part, "__dict__") else ():
            if callable(value) and id(value) not in parts and not name.endswith("_initializer") and not _own(value):
                return f"{name} of {_named(part)}"
    return None


def _own(part):
    kind = part if hasattr(part, "__qualname__") else type(part)
    return str(kind.__module__).startswith("cornu.")


def _named(part):
    kind = part if hasattr(part, "__qualname__") else type(part)
    return f"{kind.__qualname__} {part.name!r}" if isinstance(getattr(part, "name", None), str) else kind.__qualname__


def asked(model):
    """Whether the user asked for a program, on a backend that makes none by itself but can."""
    return model._training.asked and hasattr(backends.current(), "program")


def refusal(step, by_hand):
    """Why the operations of a model's step are not recorded; None where they are."""
    if by_hand:
        return "each op shall run by itself"
    if not hasattr(backends.current(), "recorded"):
        return f"the {backends.name()} backend records nothing"
    if step.own is not None or step.logs_each_step:
        return f"{type(step.model).__name__} has steps or logs of its own"
    part = foreign(step.model)
    return None if part is None else f"{part} is not the library's own, and may do more than compute"


def keep(programs, key, program, most):
    """Put a program with others, of which the oldest goes where there are `most`."""
    if len(programs) >= most:
        del programs[next(iter(programs))]
    programs[key] = program


class Direct:
    """A model's step on one batch after the other, with the variables themselves changed.

    Args:
        step: the Step.
        by_hand: whether each op shall run by itself, as for finding faults.
    """

    def __init__(self, step, by_hand):
        self.step, self.backend, self.by_hand = step, backends.current(), by_hand
        self.plain = step.directly if step.own is not None else self.backend.compile(step.directly)
        self.by_program = self.backend.compile(self._by_program)
        self.compiled = not by_hand and asked(step.model)
        self.whole = self.compiled or step.mode != "train"  # recorded steps leave the update to the optimizer's kernels, which read numbers from tensors
        self.forget()

    def forget(self):
        """The model changed: what was recorded of it does not hold any more."""
        self.programs, self.seen, self.refusal = {}, {}, refusal(self.step, self.by_hand)
        optimizer = self.step.model.optimizer if self.step.mode == "train" else None
        checked = (
            isinstance(optimizer, Optimizer) and type(optimizer).apply is Optimizer.apply and not any(v.overwrite_with_gradient for v in self.step.groups[0])
        )
        self.update = optimizer.apply_checked if checked else getattr(optimizer, "apply", None)

    def __call__(self, batch, fresh):
        """Run the step; `fresh` says that the metrics begin anew. Gives its output."""
        if self.refusal is not None and not self.compiled:
            return self.plain(batch, fresh, False)
        leaves = tree.flatten(batch)
        key = tuple([None if leaf is None else (leaf.shape, leaf.dtype) for leaf in leaves])
        if key not in self.programs and not self.compiled:
            return self._counted(key, batch, leaves, fresh)
        if fresh:
            self.step.model.reset_metrics()
        return self.by_program(key, batch, leaves)

    def _counted(self, key, batch, leaves, fresh):
        """The step op by op. Quick ones that are seen often are recorded."""
        begun = time.perf_counter()
        output = self.plain(batch, fresh, False)
        quick = QUICK[self.step.mode]
        times, least = self.seen.get(key, (0, quick))
        self.seen[key] = times, least = times + 1, min(least, time.perf_counter() - begun)
        if times == OFTEN[self.step.mode] and least < quick:
            try:
                self._make(key, batch, leaves, self.backend.recorded)
            except ValueError as error:
                self.refusal = str(error)
            except Unforeseen as found:
                self.step.adopt(found.variables)
                self.forget()
        return output

    def _by_program(self, key, batch, leaves):
        step = self.step
        while True:
            try:
                if key not in self.programs:
                    self._make(key, batch, leaves, self.backend.program)
                run, touched = self.programs[key]
                news, output = run(self._values(), leaves)
            except Unforeseen as found:
                step.adopt(found.variables)
                self.forget()
                continue
            for variable, value in zip(touched, news, strict=True):
                variable.assign(value)
            if self.whole:
                return output
            if output:
                self.update(output, step.model._trained())
            return {}

    def _values(self):
        kind = self.backend.ARRAY
        return [variable._value if isinstance(variable._value, kind) else variable._raw() for variable in self.step.variables]

    def _make(self, key, batch, leaves, make):
        """Make a program of the step for batches like this."""
        step = self.step

        def function(values, leaves):
            given = tree.pack_sequence_as(batch, leaves)
            news, found = step(values, given, False) if self.whole else step.without_update(values, given)
            return [news[i] for i in step.touched], found

        program = make(function, (self._values(), leaves))
        keep(self.programs, key, (program, [step.variables[i] for i in step.touched]), PROGRAMS)
