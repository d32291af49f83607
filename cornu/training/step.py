"""One step of training, testing or predicting: from the values of all variables and a batch to new values and logs.

The step is written for variables (`train`, `test`, `predict`); `Step` makes a pure function of it, which backends compile and repeat.
"""

from cornu import backends, masks, tree
from cornu.backends import protocol
from cornu.scopes import StepScope
from cornu.training.data import pack_x_y_sample_weight, unpack_x_y_sample_weight


def batch_size(*structures):
    """How many samples a batch has: the size of the first axis of its first tensor that has one; 1 without any."""
    for leaf in tree.flatten(structures):
        if getattr(leaf, "shape", ()):
            return leaf.shape[0]
    return 1


def loss_and_updates(model, weights, values, x, y, sample_weight, training, mapping=()):
    """The loss for given values of `weights`.

    Returns:
        The loss to differentiate; and the loss, the outputs, their masks, the variables that changed (a list of Variables), their new values.
    """
    with StepScope([*mapping, *zip(weights, values, strict=True)]) as scope:
        y_pred = model(x, training=training)
        loss = model._loss_of(x, y, y_pred, sample_weight, training)
        model._track_loss(loss, batch_size(x, y, sample_weight))
        scaled = model.optimizer.scale_loss(loss) if training and getattr(model, "optimizer", None) is not None else loss
    changed = list(scope.changed.values())
    found = [masks.get_mask(leaf) for leaf in tree.flatten(y_pred)]
    return scaled, (loss, y_pred, found, changed, scope.values(changed))


def differentiate(model, data):
    """Forward and backward; variables that the forward pass changes are changed.

    Returns:
        The gradients of the weights that are trained, and what metrics measure: x, y, outputs, sample weights.
    """
    x, y, sample_weight = unpack_x_y_sample_weight(data)
    weights, static = model._trained(), []

    def loss_of(values):
        scaled, (_, y_pred, found, changed, news) = loss_and_updates(model, weights, values, x, y, sample_weight, True)
        static[:] = [changed, found and [mask is not None for mask in found], y_pred]
        return scaled, (tree.flatten(y_pred), [mask for mask in found if mask is not None], news)

    (_, (leaves, found, news)), gradients = backends.current().value_and_grad(loss_of, [weight._raw() for weight in weights])
    changed, masked, y_pred = static
    y_pred = tree.pack_sequence_as(y_pred, leaves)
    static.clear()  # of what differentiation was recorded for
    for variable, value in zip(changed, news, strict=True):
        variable.assign(value)
    found = iter(found)
    for leaf, has in zip(tree.flatten(y_pred), masked, strict=True):  # differentiation gave new tensors
        if has:
            masks.set_mask(leaf, next(found))
    return gradients, (x, y, y_pred, sample_weight)


def train(model, data, result=True):
    """Forward, backward, update; the variables are changed.

    Args:
        model: a compiled model.
        data: x, (x, y) or (x, y, sample_weight).
        result: whether to compute the metrics' results.

    Returns:
        The logs, empty without `result`.
    """
    gradients, measured = differentiate(model, data)
    if gradients:
        model.optimizer.apply(gradients, model._trained())
    return _measure(model, *measured, result)


def test(model, data, result=True):
    """Forward and measure; the metrics are changed. As `train`."""
    x, y, sample_weight = unpack_x_y_sample_weight(data)
    y_pred = model(x, training=False)
    if model._has_loss():
        model._track_loss(model._loss_of(x, y, y_pred, sample_weight, False), batch_size(x, y, sample_weight))
    return _measure(model, x, y, y_pred, sample_weight, result)


def predict(model, data):
    """The outputs for a batch."""
    x, _, _ = unpack_x_y_sample_weight(data)
    return model(x, training=False)


def _measure(model, x, y, y_pred, sample_weight, result):
    if result or model._measures_itself():
        return model.compute_metrics(x, y, y_pred, sample_weight)
    model._update_metrics(x, y, y_pred, sample_weight)
    return {}


class Unforeseen(Exception):
    """A step changed variables that are not in its state."""

    def __init__(self, variables):
        super().__init__(f"A step changed {', '.join(v.path for v in variables)}.")
        self.variables = variables


_DEFAULT = {"train": train, "test": test, "predict": predict}
_STATE = {"train": (0, 1, 2, 3), "test": (0, 1, 3), "predict": (0, 1)}  # the groups of variables that Keras's steps take and give


class Step:
    """A model's step as a pure function: `step(values, batch) -> (values, output)`; `values` are those of `variables`, in order.

    Args:
        model: the model.
        mode: "train", "test" or "predict".
    """

    def __init__(self, model, mode):
        self.model, self.mode = model, mode
        self.touched = self.cleared = ()  # places of the variables that the step changes, that resetting the metrics changes
        self.others = []  # variables that the step changes though neither the model nor the optimizer has them, such as the global seed
        method = getattr(model, f"{mode}_step")
        self.own = _overridden(model, f"{mode}_step")  # None, or how many arguments the user's step takes
        self.method = method
        self.logs_each_step = mode != "predict" and (self.own is not None or model._measures_itself())
        self.collect()

    def collect(self):
        """Take the variables anew, and what tells this set of them from others. Returns whether it is another than before."""
        model, before = self.model, getattr(self, "form", None)
        training = self.mode == "train"
        optimizer = model.optimizer.variables if training and getattr(model, "optimizer", None) is not None else []
        measured = model.metrics_variables if self.mode != "predict" else []
        self.groups = [model.trainable_variables, model.non_trainable_variables, optimizer, measured, self.others]
        variables = {}
        for group in self.groups:
            for variable in group:
                variables.setdefault(id(variable), variable)
        self.variables = list(variables.values())
        self.form = (len(self.groups[0]) if training else None, *variables)  # by their ids: as long as somebody holds them they are no other's
        return self.form != before

    def adopt(self, variables):
        """Have `variables`, which the step changes too, in the state."""
        self.collect()
        known = {id(variable) for variable in self.variables}
        self.others.extend(variable for variable in variables if id(variable) not in known)
        self.collect()

    def __call__(self, values, batch, result=True):
        """The step on one batch.

        Raises:
            Unforeseen: a variable changes that is not among `variables`.
        """
        return self._pure(values, lambda: self._run(batch, result))

    def without_update(self, values, batch):
        """The step of training on one batch but for the update of the weights. Gives the values and the gradients."""

        def run():
            gradients, measured = differentiate(self.model, batch)
            _measure(self.model, *measured, False)
            return gradients

        return self._pure(values, run)

    def _pure(self, values, run):
        """New values of the variables, and what `run()` gives for the values given."""
        scope = StepScope(zip(self.variables, values, strict=True))
        with scope:
            output = run()
        known = {id(variable) for variable in self.variables}
        unforeseen = [variable for key, variable in scope.changed.items() if key not in known]
        if unforeseen:
            raise Unforeseen(unforeseen)
        self.touched = [i for i, variable in enumerate(self.variables) if id(variable) in scope.changed]
        return scope.values(self.variables), output

    def directly(self, batch, fresh, result=True):
        """The step on one batch, with the variables themselves changed. Gives its output."""
        if fresh:
            self.model.reset_metrics()
        return self._run(batch, result)

    def reset(self, values):
        """The values when the metrics begin anew."""
        scope = StepScope(zip(self.variables, values, strict=True))
        with scope:
            self.model.reset_metrics()
        self.cleared = [i for i, variable in enumerate(self.variables) if id(variable) in scope.changed]
        return scope.values(self.variables)

    def result(self, values):
        """The metrics' results for given values of the variables."""
        with StepScope(zip(self.variables, values, strict=True)):
            return self.model.get_metrics_result()

    def _run(self, batch, result):
        if self.own is None:
            return predict(self.model, batch) if self.mode == "predict" else _DEFAULT[self.mode](self.model, batch, result)
        data = pack_x_y_sample_weight(*batch)
        if self.own == 1:
            output = self.method(data)
            if self.mode != "predict" and not isinstance(output, dict):
                raise TypeError(f"{type(self.model).__name__}.{self.mode}_step(self, data) must return its logs, a dictionary; it returned {output!r}.")
            return output
        groups = [self.groups[i] for i in _STATE[self.mode]]
        before = [[variable._raw() for variable in group] for group in groups]
        output = self.method(tuple(map(list, before)), data)
        if not isinstance(output, tuple) or len(output) != 2:
            gives = "outputs, non-trainable variables" if self.mode == "predict" else "logs, state"
            raise TypeError(f"{type(self.model).__name__}.{self.mode}_step(self, state, data) must return `{gives}`; it returned {type(output).__name__}.")
        output, state = output
        if self.mode == "predict":
            groups, before, state = [self.groups[1]], before[1:], [state]
        for group, old, values in zip(groups, before, state, strict=True):
            for variable, held, value in zip(group, old, values, strict=True):
                if value is not held:
                    variable.assign(value)
        return output


def _overridden(model, name):
    """None for the library's own method, else how many positional arguments the user's takes."""
    method = getattr(model, name)
    function = getattr(method, "__func__", method)
    if getattr(function, "__module__", "").startswith("cornu.training."):
        return None
    code = function.__code__
    count = code.co_argcount - (1 if hasattr(method, "__func__") else 0)
    return 2 if count >= 2 or code.co_flags & 0x04 else 1


def flat_logs(logs):
    """Names and values, those of the metrics that a user's step gives as one dictionary among them."""
    for name, value in logs.items():
        yield from flat_logs(value) if isinstance(value, dict) else [(name, value)]


def scalars(logs):
    """Logs as one vector of the numbers and a dictionary of the rest, with the names of the numbers: one thing to fetch instead of many."""
    names, numbers, rest = [], [], {}
    for name, value in flat_logs(logs):
        value = backends.array(value)
        if value.shape == ():
            names.append(name)
            numbers.append(protocol.reshape(backends.array(value, "float32"), (1,)))
        else:
            rest[name] = value
    return names, (protocol.concatenate(numbers, 0) if numbers else None, rest)
