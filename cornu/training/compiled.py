"""What `compile` was told, matched with the outputs of the model: a loss, a weight and metrics for each of them."""

from collections.abc import Mapping

from cornu import backends, losses, metrics, ops, tree
from cornu.fields import suggestion
from cornu.metrics.metric import Metric


def sorted_keys(structure):
    """`structure` with dictionaries in the order of their keys, which is what compiled programs give back."""
    if isinstance(structure, Mapping):
        return {key: sorted_keys(structure[key]) for key in sorted(structure, key=str)}
    return type(structure)(map(sorted_keys, structure)) if type(structure) in (list, tuple) else structure


class Outputs:
    """The outputs of a model: their structure, and a name for each. Dictionaries count in the order of their keys.

    Args:
        structure: what the model gives, of tensors, Specs or KerasTensors.
        names: a name for each output, or None; outputs in dictionaries have their keys.
    """

    def __init__(self, structure, names=None):
        self.structure = structure = sorted_keys(structure)
        self.paths = [path for path, _ in tree.flatten_with_path(structure)]
        by_key = ["/".join(str(key) for key in path if not isinstance(key, int)) or None for path in self.paths]
        self.keyed = [bool(path) and not isinstance(path[-1], int) for path in self.paths]
        self.layers = list(names) if names and len(names) == len(self.paths) else [None] * len(self.paths)
        self.names = [
            key if keyed or layer is None else f"{key}/{layer}" if key else layer for key, layer, keyed in zip(by_key, self.layers, self.keyed, strict=True)
        ]
        self.exact = [keyed or layer is not None for keyed, layer in zip(self.keyed, self.layers, strict=True)]
        nested = any(len(path) > 1 for path in self.paths) and None not in self.layers
        self.short = self.layers if nested else self.names  # what metrics call the outputs

    def __len__(self):
        return len(self.paths)

    @staticmethod
    def leaves(structure):
        """The tensors of outputs of this structure, in the order of `names`."""
        return tree.flatten(sorted_keys(structure))

    def label(self, index, thing, short=False):
        """What logs call `thing` of an output: `name_thing`, or `thing` alone for an output without a name."""
        name = self.short[index] if short else self.names[index]
        return f"{name}_{thing}" if name is not None and self.exact[index] else f"{name}/{thing}" if name is not None else thing

    def share(self, given, what, is_leaf, everywhere=True):
        """`given` for each output, as a list.

        Args:
            given: one for all outputs, a list in their order, a dictionary by their names, or their structure; None gives None for each.
            what: what errors call it.
            is_leaf: whether something stands for one output.
            everywhere: whether one leaf counts for every output.

        Raises:
            ValueError: it does not fit the outputs; the message names them.
        """
        count = len(self)
        if given is None:
            return [None] * count
        if is_leaf(given):
            if count > 1 and not everywhere:
                raise ValueError(f"{what}: the model has {count} outputs ({self._shown()}); got one. Give a list of {count}, or a dictionary by name.")
            return [given] * count
        if isinstance(given, Mapping):
            return self._share_mapping(given, what, is_leaf, everywhere)
        if count == 1 and len(given) == 1:
            return self.share(given[0], what, is_leaf) if not is_leaf(given[0]) else [given[0]]
        top = tree._children(self.structure) if tree.is_nested(self.structure) else [self.structure]
        if len(given) == len(top):
            return self._join(top, given, what, is_leaf, everywhere)
        raise ValueError(
            f"{what}: the model has {count} output{'s' * (count > 1)} ({self._shown()}); got a list of {len(given)}. Give one for each output, or a dictionary by name."
        )

    def _share_mapping(self, given, what, is_leaf, everywhere):
        if isinstance(self.structure, Mapping) and set(given) <= set(self.structure):
            return self._join(self.structure.values(), [given.get(key) for key in self.structure], what, is_leaf, everywhere)
        known = {}
        for index in range(len(self)):
            for name in (self.layers[index], self.names[index]):
                if name is not None:
                    known.setdefault(name, index)
        unknown = [key for key in given if key not in known]
        if unknown and len(self) == 1 and len(given) == 1 and not known:
            return [next(iter(given.values()))]
        if unknown:
            raise ValueError(f"{what}: the model has no output {unknown[0]!r}.{suggestion(unknown[0], known)} Its outputs are {self._shown()}.")
        shared = [None] * len(self)
        for key, value in given.items():
            shared[known[key]] = value
        return shared

    def _join(self, parts, given, what, is_leaf, everywhere):
        found = []
        for part, value in zip(parts, given, strict=True):
            if tree.is_nested(part):
                found += Outputs(part).share(value, what, is_leaf, everywhere)
            else:
                found.append(value)
        return found

    def _shown(self):
        return ", ".join(repr(name) if name is not None else f"number {i}" for i, name in enumerate(self.names))


def _is_one(x):
    return not tree.is_nested(x)


def _is_thing(x):
    """Whether `x` is one loss or one metric: not a list or dictionary of them; a config is one."""
    return not tree.is_nested(x) or (isinstance(x, Mapping) and "class_name" in x)


def share_data(outputs, given, what):
    """Targets or sample weights for each output; one tensor of weights counts for all outputs."""
    return outputs.share(given, what, _is_one, everywhere=what == "sample_weight")


class CompiledLoss:
    """The loss of all outputs together.

    Args:
        loss: name, function, Loss, or a list or dictionary of these.
        loss_weights: numbers in the same form.
    """

    def __init__(self, loss, loss_weights=None):
        self.given, self.weights_given = loss, loss_weights
        self.outputs = None
        self.trackers = []
        for leaf in tree.flatten(loss):
            losses.as_loss(leaf)  # an unknown name is an error at once

    @property
    def built(self):
        return self.outputs is not None

    def build(self, y_pred, names=None):
        """Match with the outputs `y_pred` (tensors or Specs), which are called `names`."""
        outputs = Outputs(y_pred, names)
        given = outputs.share(self.given, "loss", _is_thing)
        self.losses = [losses.as_loss(found) for found in given]
        self.words = [found if isinstance(found, str) else loss and loss.name for found, loss in zip(given, self.losses)]
        self.weights = outputs.share(self.weights_given, "loss_weights", _is_one)
        tracked = sorted((i for i, loss in enumerate(self.losses) if loss is not None), key=lambda i: self._place(outputs, i))
        names = _distinct([self._name(outputs, i) for i in tracked]) if len(tracked) > 1 else []
        self.by_output = {i: metrics.Mean(name=name) for i, name in zip(tracked, names)}
        self.trackers = list(self.by_output.values())
        self.outputs = outputs

    def _place(self, outputs, index):
        """Where an output comes in logs: as its loss in a dictionary of them, for outputs in a dictionary."""
        key = outputs.paths[index][0] if outputs.paths[index] else None
        return list(self.given).index(key) if isinstance(self.given, Mapping) and isinstance(outputs.structure, Mapping) and key in self.given else 0

    def _name(self, outputs, index):
        return (
            outputs.label(index, "loss")
            if outputs.exact[index]
            else outputs.label(index, f"{self.words[index] if outputs.names[index] else self.losses[index].name}_loss")
        )

    def check_targets(self, y):
        """See on the host that the labels are what the losses can take; `y` holds NumPy arrays."""
        shapes = tree.flatten(self.outputs.structure)
        for loss, target, y_pred in zip(self.losses, share_data(self.outputs, y, "y"), shapes, strict=True):
            if loss is not None and hasattr(target, "flags") and hasattr(loss, "check_targets"):
                loss.check_targets(target, tuple(None if size == None else size for size in y_pred.shape))  # noqa: E711  an unknown size equals None

    def __call__(self, y_true, y_pred, sample_weight=None, size=1):
        """The weighted sum of the outputs' losses; `size` is the number of samples, for the running means of single outputs."""
        if not self.built:
            self.build(y_pred)
        targets = share_data(self.outputs, y_true, "y")
        weights = share_data(self.outputs, sample_weight, "sample_weight")
        parts = []
        for i, (loss, target, output, weight) in enumerate(zip(self.losses, targets, self.outputs.leaves(y_pred), weights, strict=True)):
            if loss is None:
                continue
            if target is None:
                raise ValueError(f"y: the output {self.outputs.names[i] or i!r} has the loss {loss.name!r} but no targets: give y, or None as its loss.")
            value = loss(target, output, weight) if weight is not None else loss(target, output)
            if getattr(value, "ndim", 0):
                raise ValueError(f"loss: {loss.name!r} gave the shape {tuple(value.shape)}; wanted one number. Set its reduction to 'sum_over_batch_size'.")
            if i in self.by_output:
                self.by_output[i].update_state(value, sample_weight=size)
            parts.append(value if self.weights[i] is None else ops.multiply(value, self.weights[i]))
        total = parts[0] if parts else None
        for part in parts[1:]:
            total = ops.add(total, part)
        return total


def _distinct(names):
    """The names, with `_1`, `_2` ... after those that were there before."""
    seen, found = {}, []
    for name in names:
        seen[name] = seen.get(name, -1) + 1
        found.append(f"{name}_{seen[name]}" if seen[name] else name)
    return found


class CompiledMetrics(Metric):
    """All metrics of `compile` as one, whose result is a dictionary by their names in logs.

    Args:
        given, weighted: metrics, and metrics that weigh samples: names, functions, Metrics, in a list, a list for each output, or a dictionary.
    """

    def __init__(self, given=None, weighted=None, name="compile_metrics"):
        super().__init__(name=name)
        self.given = {"metrics": given, "weighted_metrics": weighted}
        for what, value in self.given.items():
            if value is not None and not isinstance(value, (list, tuple, Mapping)):
                raise ValueError(f"compile: {what} must be a list, or a dictionary by output; got {value!r}. Write {what}=[{value!r}].")
            for leaf in tree.flatten(value):
                if isinstance(leaf, str) and leaf not in _BY_SHAPE:
                    metrics.get(leaf)  # an unknown name is an error at once
                elif leaf is not None and not callable(leaf) and not isinstance(leaf, (str, Metric)) and not isinstance(value, Mapping):
                    raise ValueError(f"compile: {what} must be names, functions or Metrics; got {leaf!r}.")
        self.outputs, self.all = None, []  # (name in logs, metric, index of the output, whether samples are weighed)

    @property
    def built(self):
        return self.outputs is not None

    def build(self, y_true, y_pred, names=None):
        """Match with the outputs `y_pred` and their targets (tensors or Specs)."""
        outputs = Outputs(y_pred, names)
        targets, leaves, found = share_data(outputs, y_true, "y"), outputs.leaves(y_pred), []
        for what, given in self.given.items():
            for i, part in enumerate(self._per_output(outputs, given, what)):
                for one in tree.flatten(part) if not _is_thing(part) else [part]:
                    if one is not None:
                        metric = as_metric(one, targets[i], leaves[i])
                        found.append((metric, i, what != "metrics"))
        self.all, self.outputs = _named(found, outputs), outputs

    @staticmethod
    def _per_output(outputs, given, what):
        if given is None or not len(given):
            return [None] * len(outputs)
        if isinstance(given, Mapping):
            return outputs.share(given, what, _is_thing)
        if len(outputs) == 1:
            return [given]
        if len(given) == len(outputs):
            return outputs.share(given, what, _is_thing)
        if all(_is_thing(item) and not isinstance(item, Metric) for item in given):
            return [given] * len(outputs)
        return outputs.share(given, what, _is_thing)

    @property
    def metrics(self):
        return [metric for _, metric, _, _ in self.all]

    @property
    def variables(self):
        return [variable for metric in self.metrics for variable in metric.variables]

    def reset_state(self):
        for metric in self.metrics:
            metric.reset_state()

    def update_state(self, y_true, y_pred, sample_weight=None):
        """Add a batch: targets, outputs and weights in the form of the model's outputs."""
        if not self.built:
            self.build(y_true, y_pred)
        targets, leaves = share_data(self.outputs, y_true, "y"), self.outputs.leaves(y_pred)
        weights = share_data(self.outputs, sample_weight, "sample_weight")
        for _, metric, i, weighted in self.all:
            if targets[i] is None:
                continue
            if weighted and weights[i] is not None:
                metric.update_state(targets[i], leaves[i], sample_weight=weights[i])
            else:
                metric.update_state(targets[i], leaves[i])

    def result(self):
        """Dictionary of results by their names in logs."""
        results = {}
        for name, metric, _, _ in self.all:
            value = metric.result()
            results.update(value if isinstance(value, Mapping) else {name: value})
        return results

    def get_config(self):
        return {"name": self.name}


def _named(found, outputs):
    """The metrics with the names of logs, made distinct: a weighted metric beside one of the same name is `weighted_name`, others get a number."""
    taken, named = set(), []
    for metric, i, weighted in found:
        label = lambda thing, i=i: outputs.label(i, thing, short=True) if len(outputs) > 1 else thing
        name = label(metric.name)
        if weighted and name in taken:
            name = label(f"weighted_{metric.name}")
        number, first = 1, name
        while name in taken:
            name, number = f"{first}_{number}", number + 1
        taken.add(name)
        named.append((name, metric, i, weighted))
    return named


def as_metric(given, y_true, y_pred):
    """A Metric from a Metric, a function, a Loss, or a name; "accuracy" and "crossentropy" go by the shapes of targets and outputs."""
    if isinstance(given, Metric):
        return given
    if isinstance(given, Mapping):
        return metrics.get(given)
    if isinstance(given, str):
        found = _BY_SHAPE[given][_form(y_true, y_pred)] if given in _BY_SHAPE else metrics.get(given)
        if isinstance(found, type):
            return found(name=given)
        if isinstance(found, Metric):
            found.name = given
            return found
        return metrics.MeanMetricWrapper(found, name=given)
    if isinstance(given, type) and issubclass(given, Metric):
        return given()
    name = getattr(given, "name", None) or getattr(given, "__name__", type(given).__name__)
    return metrics.MeanMetricWrapper(given, name="lambda" if name == "<lambda>" else name)


_ACCURACIES = (metrics.BinaryAccuracy, metrics.SparseCategoricalAccuracy, metrics.CategoricalAccuracy)
_CROSSENTROPIES = (metrics.BinaryCrossentropy, metrics.SparseCategoricalCrossentropy, metrics.CategoricalCrossentropy)
_BY_SHAPE = {"accuracy": _ACCURACIES, "acc": _ACCURACIES, "crossentropy": _CROSSENTROPIES, "ce": _CROSSENTROPIES}


def _form(y_true, y_pred):
    """0 for yes-or-no answers, 1 for class numbers, 2 for one-hot rows."""
    pred = tuple(y_pred.shape)
    true = tuple(y_true.shape) if y_true is not None else pred
    if not pred or len(pred) == 1 or pred[-1] == 1:
        return 0
    return 1 if len(true) < len(pred) or (true and true[-1] == 1) else 2


def standard_form(x):
    """Targets as tensors or arrays with a shape, for `build`."""
    return tree.map_structure(lambda leaf: leaf if leaf is None or hasattr(leaf, "shape") else backends.array(leaf), x)
