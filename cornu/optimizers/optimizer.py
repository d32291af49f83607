"""What all optimizers share: variables, the learning rate, clipping, weight decay, averages, accumulation, constraints.

A rule is a class with the names of its slots and one pure function, `update`; see sgd.py for the smallest.
"""

import re
import warnings

from cornu import backends, initializers, ops, ranges, scopes, serialization, settings
from cornu.fields import Configured
from cornu.optimizers.schedules import LearningRateSchedule
from cornu.scopes import StatelessScope, name_scope
from cornu.variable import Variable

RENAMED = {"lr": "learning_rate"}  # arguments of older Kerases -> today's
DROPPED = ("jit_compile", "is_legacy_optimizer", "adaptive_epsilon")  # arguments of older Kerases that change no result here


class _LearningRate:
    """The property, apart from `Optimizer`, where the argument of the same name is declared."""

    @property
    def learning_rate(self):
        """The rate: a Variable, or what the schedule or function gives now. A number can be assigned."""
        rate = self._learning_rate
        if isinstance(rate, Variable):
            return rate
        return rate(self._iterations.value) if isinstance(rate, LearningRateSchedule) else rate()

    @learning_rate.setter
    def learning_rate(self, value):
        if "_iterations" not in self.__dict__:  # while the arguments are being set
            self._learning_rate = value
            return
        name, value = f"{type(self).__name__} {self.name!r}", self._checked_rate(value)
        if isinstance(self._learning_rate, Variable):
            if isinstance(value, float):
                self._learning_rate.assign(value)
                return
            self._variables = [v for v in self._variables if v is not self._learning_rate]
        elif not callable(value):
            raise TypeError(f"{name} was made with a schedule or a function as its learning rate, so a number cannot be assigned. Make it with a number.")
        self._learning_rate = value

    lr = learning_rate


class Optimizer(_LearningRate, Configured):
    """Base of all optimizers.

    Args:
        learning_rate: a number, a schedule, a Variable, or a function without arguments.
        weight_decay: fraction, times the rate, that weights lose at each update; None for none.
        clipnorm: each gradient with a larger norm is scaled down to it.
        clipvalue: elements of gradients are cut to -clipvalue and clipvalue.
        global_clipnorm: all gradients together are scaled down to this norm.
        use_ema: keep moving averages of the weights, and make them the weights when training ends.
        ema_momentum: weight of the past in them, from 0 to 1.
        ema_overwrite_frequency: after how many updates the averages become the weights; None for only at the end.
        loss_scale_factor: the loss is multiplied by it and gradients are divided by it, so that small ones survive float16.
        gradient_accumulation_steps: after how many calls the mean gradient is applied, at least 2; None for each.
        name: first part of its variables' paths.

    Raises:
        ValueError: an argument out of range, or more than one kind of clipping.
    """

    learning_rate: object
    weight_decay: object = None
    clipnorm: object = None
    clipvalue: object = None
    global_clipnorm: object = None
    use_ema: bool = False
    ema_momentum: float = 0.99
    ema_overwrite_frequency: object = None
    loss_scale_factor: object = None
    gradient_accumulation_steps: object = None
    name: object = None

    decay: float = 0.0  # of Keras 1 and 2: the rate is divided by 1 + decay * iterations

    _keyword_only = frozenset({"decay"})

    elementwise = False  # whether `update`, where it is defined, treats every number by itself
    slots = ()  # names of the arrays that `update` keeps for each weight
    scalars = {}  # names of numbers that it keeps for all of them -> their first values

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if not isinstance(cls.__dict__.get("learning_rate", property()), property):
            del cls.learning_rate  # the default is known; the property stays

    def _take(self, kwargs):
        renamed = {RENAMED.get(name, name): value for name, value in kwargs.items() if name not in DROPPED}
        return {name: value for name, value in renamed.items() if value is not None or name != "epsilon"}

    def setup(self):
        self._check_arguments()
        self.name = self.name or scopes.auto_name(type(self).__name__)
        self._variables, self._trainable_variables, self._indices = [], [], {}
        self._slots, self._scalars, self._averages, self._accumulators = [], [], [], []
        self._excluded, self._excluded_names = [], ()
        self.built = False
        rate = self._checked_rate(self._learning_rate)
        self._iterations = self.add_variable((), dtype="int32", name="iteration")
        self._learning_rate = self.add_variable((), rate, settings.floatx(), name="learning_rate") if isinstance(rate, float) else rate

    def _check_arguments(self):
        who = type(self).__name__
        clips = {name: getattr(self, name) for name in ("clipnorm", "clipvalue", "global_clipnorm") if getattr(self, name) is not None}
        if len(clips) > 1:
            raise ValueError(f"{who}: only one of clipnorm, clipvalue and global_clipnorm can be set; got {clips}.")
        if self.name is not None and (not isinstance(self.name, str) or "/" in self.name):
            raise ValueError(f"{who}: name must be text without '/', or None; got {self.name!r}.")
        ranges.check(self, *clips, above=0)
        ranges.check(self, "weight_decay", least=0, optional=True)
        ranges.check(self, "ema_momentum", least=0, most=1)
        ranges.check(self, "ema_overwrite_frequency", least=1, whole=True, optional=True)
        ranges.check(self, "gradient_accumulation_steps", least=2, whole=True, optional=True)
        ranges.check(self, "loss_scale_factor", above=0, optional=True)
        ranges.check(self, "decay", least=0)

    def _checked_rate(self, rate):
        if isinstance(rate, dict):
            rate = serialization.deserialize_keras_object(rate, kind="optimizers.schedules")
        if isinstance(rate, Variable) or callable(rate):
            return rate
        if isinstance(rate, (str, bytes)) or not hasattr(rate, "__float__"):
            raise ValueError(f"{type(self).__name__}: learning_rate must be a number, a schedule, a Variable or a function without arguments; got {rate!r}.")
        return float(rate)

    # variables

    @property
    def variables(self):
        """All variables: iterations, learning rate, averages, accumulators, slots."""
        return list(self._variables)

    @property
    def iterations(self):
        """How many updates have been made: a Variable, or a tensor where gradients are accumulated."""
        steps = self.gradient_accumulation_steps
        return ops.floor_divide(self._iterations.value, steps) if steps else self._iterations

    def __setattr__(self, name, value):
        if isinstance(value, Variable) and "_variables" in self.__dict__ and all(value is not v for v in self._variables):
            self._variables.append(value)
        super().__setattr__(name, value)

    def add_variable(self, shape, initializer="zeros", dtype=None, aggregation="none", layout=None, name=None):
        """A new variable of the optimizer's state."""
        if not isinstance(initializer, (float, int)) or isinstance(initializer, bool):
            initializer = initializers.get(initializer)
        with name_scope(self.name, caller=self):
            variable = Variable(initializer, shape, dtype, trainable=False, aggregation=aggregation, name=name)
        self._variables.append(variable)
        return variable

    def add_variable_from_reference(self, reference_variable, name=None, initializer="zeros"):
        """A new variable with the shape and type of another, named after it."""
        path = reference_variable.path.replace("/", "_")
        return self.add_variable(reference_variable.shape, initializer, reference_variable.dtype, name=f"{path}_{name or 'var'}")

    def add_optimizer_variables(self, trainable_variables, name, initializer="zeros"):
        """For each name (or the one), a list of new variables, one for each of `trainable_variables`."""
        names, kinds = ([name], [initializer]) if isinstance(name, str) else (name, initializer)
        kinds = [kinds] * len(names) if isinstance(kinds, str) or callable(kinds) else kinds
        made = tuple([] for _ in names)
        for variable in trainable_variables:
            for column, slot, kind in zip(made, names, kinds):
                column.append(self.add_variable_from_reference(variable, slot, kind))
        return made[0] if isinstance(name, str) else made

    def build(self, variables):
        """Make the state for the weights `variables`."""
        if self.built:
            return
        self._trainable_variables = list(variables)
        self._index()
        if self.use_ema:
            self._averages = self.add_optimizer_variables(variables, "average")
        if self.gradient_accumulation_steps:
            self._accumulators = self.add_optimizer_variables(variables, "gradient_accumulator")
        slots = [{} for _ in variables]
        for block in self.slot_blocks():
            for variable, made in zip(variables, slots):
                made.update({name: self.add_slot(variable, name) for name in block})
        self._slots = [[made[name] for name in self.slots if made[name] is not None] for made in slots]
        self._scalars = [self.add_variable((), value, "float32", name=name) for name, value in self.scalars.items()]
        self.built = True

    def slot_blocks(self):
        """The slots in the order in which files hold them: within a block, all slots of a weight before the next weight."""
        return (self.slots,)

    def add_slot(self, variable, name):
        """The slot `name` of a weight; zeros unless a rule says otherwise, None for a weight that has no such slot."""
        return self.add_variable_from_reference(variable, name)

    def _index(self):
        """Know the place of each weight."""
        self._indices = {id(variable): index for index, variable in enumerate(self._trainable_variables)}

    def __setstate__(self, state):  # of a copy, whose weights are other objects
        self.__dict__.update(state)
        self._index()

    def _get_variable_index(self, variable):
        return self._indices[id(variable)]

    def assign(self, variable, value):
        """Make `value` the variable's."""
        variable.assign(value)

    def assign_add(self, variable, value):
        """Add `value` to the variable."""
        variable.assign_add(value)

    def assign_sub(self, variable, value):
        """Subtract `value` from the variable."""
        variable.assign_sub(value)

    # one step

    def apply_gradients(self, grads_and_vars):
        """Update weights by pairs (gradient, variable). Returns the count of iterations."""
        pairs = list(grads_and_vars)
        self.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])
        return self._iterations

    def apply(self, grads, trainable_variables=None):
        """Update weights by their gradients.

        Args:
            grads: a gradient for each weight; None leaves a weight as it is, with a warning.
            trainable_variables: the weights, by default those that the optimizer was built for.

        Raises:
            ValueError: a weight that the optimizer was not built for, or no gradient at all.
        """
        grads = list(grads)
        if not grads:
            return
        if trainable_variables is None:
            if not self.built:
                raise ValueError(f"{self._shown()} has not been built: pass the weights too, or call build(weights) first.")
            trainable_variables = self._trainable_variables
        variables = list(trainable_variables)
        if len(grads) != len(variables):
            raise ValueError(f"{self._shown()}: wanted a gradient for each of {len(variables)} weights; got {len(grads)} gradients.")
        grads, variables = self._overwrite(grads, variables)
        if not variables:
            return
        if not self.built:
            self.build(variables)
        for variable in variables:
            if id(variable) not in self._indices:
                raise ValueError(
                    f"{self._shown()} was built for other weights and does not know {variable.path!r} of shape {variable.shape}. "
                    "Make a new optimizer for new weights, or call build() with all of them at first."
                )
        grads, variables = self._with_gradient(grads, variables)
        self.apply_checked([self._checked_gradient(gradient, variable) for gradient, variable in zip(grads, variables)], variables)

    def apply_checked(self, grads, variables):
        """`apply` for weights that the optimizer was built for, with a gradient of its shape and type for each."""
        grads = self._unscaled(grads)
        if self.gradient_accumulation_steps:
            self._accumulate(grads, variables)
        else:
            self._update(grads, variables)
        if self.use_ema:
            self._average(variables)
        self._iterations.assign_add(1)
        for variable in variables:
            if variable.constraint is not None:
                variable.assign(variable.constraint(variable.value))

    def stateless_apply(self, optimizer_variables, grads, trainable_variables):
        """As `apply`, with values in and values out.

        Args:
            optimizer_variables: values of `variables`.
            grads: a gradient for each weight.
            trainable_variables: values of the weights that the optimizer was built for.

        Returns:
            New values of the weights, and of `variables`.
        """
        if not self.built:
            raise ValueError(f"{self._shown()} has not been built: call build(weights) first.")
        own = self.variables
        for what, values, wanted in (
            ("optimizer_variables", optimizer_variables, own),
            ("trainable_variables", trainable_variables, self._trainable_variables),
        ):
            if len(values) != len(wanted):
                raise ValueError(f"{self._shown()}: {what} must hold {len(wanted)} values; got {len(values)}.")
        return self._purely(lambda: self.apply(grads), self._trainable_variables, trainable_variables, own, optimizer_variables)

    def _purely(self, change, weights, weight_values, own, own_values):
        """The values of `weights` and `own` after `change()`, begun from the values given; the variables stay as they are."""
        with StatelessScope(state_mapping=[*zip(weights, weight_values), *zip(own, own_values)]) as scope:
            change()
        return [scope.get_current_value(v) for v in weights], [scope.get_current_value(v) for v in own]

    def _overwrite(self, grads, variables):
        """The pairs left when weights whose gradient is their new value (scales of float8) have got it."""
        left = []
        for gradient, variable in zip(grads, variables):
            if variable.overwrite_with_gradient and gradient is not None:
                variable.assign(gradient)
            else:
                left.append((gradient, variable))
        return [gradient for gradient, _ in left], [variable for _, variable in left]

    def _checked_gradient(self, gradient, variable):
        gradient = backends.array(gradient, variable.dtype)
        if tuple(gradient.shape) != variable.shape:
            raise ValueError(f"{self._shown()}: the gradient of {variable.path!r} must have the shape {variable.shape}; got {tuple(gradient.shape)}.")
        return gradient

    def _with_gradient(self, grads, variables):
        missing = [variable.path for gradient, variable in zip(grads, variables) if gradient is None]
        if not missing:
            return grads, variables
        if len(missing) == len(variables):
            raise ValueError(f"{self._shown()}: no weight has a gradient. Does the loss depend on the weights?")
        warnings.warn(
            f"{self._shown()}: no gradient came for {', '.join(missing)}: these weights stay as they are. Does the loss depend on them?", stacklevel=3
        )
        pairs = [pair for pair in zip(grads, variables) if pair[0] is not None]
        return [gradient for gradient, _ in pairs], [variable for _, variable in pairs]

    def _accumulate(self, grads, variables):
        """Add up gradients; at every `gradient_accumulation_steps`-th call update by their mean."""
        count = self.gradient_accumulation_steps
        accumulators = [self._accumulators[self._indices[id(variable)]] for variable in variables]
        sums = [accumulator.value + gradient for accumulator, gradient in zip(accumulators, grads)]
        changed = [*variables, *self._variables]
        held = {id(accumulator): total for accumulator, total in zip(accumulators, sums)}
        before = [variable.value for variable in changed]

        def update():
            self._update([total / count for total in sums], variables)
            for accumulator, total in zip(accumulators, sums):
                accumulator.assign(ops.zeros_like(total))

        after = ops.cond(
            ops.equal(ops.mod(self._iterations.value + 1, count), 0),
            lambda: self._purely(update, changed, before, (), ())[0],
            lambda: [held.get(id(variable), value) for variable, value in zip(changed, before)],
        )
        for variable, value in zip(changed, after):
            variable.assign(value)

    def _update(self, grads, variables):
        """Clip, decay and apply the rule."""
        grads, rate = self._clipped(grads), self._current_rate()
        if not scopes.in_stateless_scope() and self.form()[1] is None:
            self._update_by_kernel(grads, variables, rate)
            return
        for variable in variables:
            decay = self.decay_of(variable)
            if decay is not None and self._decays(variable):
                value = variable.value
                variable.assign(value - value * decay * rate)
        if type(self).update_step is not Optimizer.update_step:  # a user's own, in Keras's way
            for gradient, variable in zip(grads, variables):
                self.update_step(gradient, variable, rate)
            return
        step, rule = self._step(), self._rule()
        scalars = self._advance(step)
        for gradient, variable in zip(grads, variables):
            self._apply_rule(gradient, variable, rate, step, scalars, rule)

    def form(self):
        """How the backend in use makes an update: ("kernel", None) by its own for all weights at once, else ("rule", why not by that)."""
        backend = backends.current()
        known = self.__dict__.get("_form")
        if known is None or known[0] != backend.NAME:
            known = self._form = (backend.NAME, self._why_rule(backend))
        return ("kernel", None) if known[1] is None else ("rule", known[1])

    def _why_rule(self, backend):
        if not hasattr(backend, "update"):
            return f"the {backend.NAME} backend has no kernels for updates" + ("; its compiler joins the rule with the step" if backend.COMPILES else "")
        owner = next(kind for kind in type(self).__mro__ if "update" in kind.__dict__)
        if type(self).update_step is not Optimizer.update_step or not owner.__module__.startswith("cornu.optimizers."):
            return "the rule is the user's own"
        if self.gradient_accumulation_steps:
            return "gradient_accumulation_steps"
        return backend.update_refusal(owner.__name__, [variable.dtype for variable in self._trainable_variables])

    def _update_by_kernel(self, grads, variables, rate):
        backend = backends.current()
        flat = [held for variable in variables for held in (variable, *self._slots[self._indices[id(variable)]])]
        values = backend.owned([variable._value if isinstance(variable._value, backend.ARRAY) else variable._raw() for variable in flat])
        for variable, value in zip(flat, values):
            variable._value = value
        decays = [self.decay_of(variable) if self.weight_decay and self._decays(variable) else None for variable in variables]
        rule = next(kind.__name__ for kind in type(self).__mro__ if "update" in kind.__dict__)
        each = len(flat) // len(variables)
        slots = [values[i + 1 : i + each] for i in range(0, len(flat), each)]
        backend.update(rule, self, values[::each], grads, slots, rate, self._iterations.value, decays)

    def _step(self):
        iterations = self.iterations
        return ops.cast(iterations.value if isinstance(iterations, Variable) else iterations, "float32") + 1

    def _advance(self, step):
        values = [scalar.value for scalar in self._scalars]
        if values:
            values = self.advance(*values, step=step)
            for scalar, value in zip(self._scalars, values):
                scalar.assign(value)
        return values

    def _rule(self):
        """`update` in the form in which the backend calls it for many weights."""
        joined = getattr(backends.current(), "joined", None)
        owner = next(kind for kind in type(self).__mro__ if "update" in kind.__dict__)
        return self.update if joined is None else joined(self.update, owner.__dict__.get("elementwise", False))

    def _apply_rule(self, gradient, variable, rate, step, scalars, rule):
        slots = self._slots[self._indices[id(variable)]]
        changed = rule(variable.value, gradient, *(slot.value for slot in slots), rate=rate, step=step, **dict(zip(self.scalars, scalars)))
        weight, *values = changed if isinstance(changed, tuple) else (changed,)
        variable.assign(weight)
        for slot, value in zip(slots, values):
            slot.assign(value)

    def update_step(self, gradient, variable, learning_rate):
        """Update one weight. A subclass in Keras's way overrides it; one of ours defines `update`."""
        step = self._step()
        self._apply_rule(gradient, variable, learning_rate, step, [scalar.value for scalar in self._scalars], self._rule())

    def update(self, weight, gradient, *slots, rate, step):
        """The rule: new values of the weight and its slots, from tensors to tensors.

        Args:
            weight, gradient: of one shape.
            slots: one for each of `self.slots`.
            rate: the learning rate.
            step: number of this update as a float, 1 at first.
        """
        raise TypeError(f"{type(self).__name__}: an optimizer defines `update(self, weight, gradient, *slots, rate, step)` or `update_step`.")

    def advance(self, *scalars, step):
        """New values of `scalars`, once an update, before the weights."""
        return scalars

    def _current_rate(self):
        rate = self.learning_rate
        rate = rate.value if isinstance(rate, Variable) else rate
        return rate / (1 + self.decay * ops.cast(self._iterations.value, "float32")) if self.decay else rate

    # clipping, decay, averages

    def _clipped(self, grads):
        if self.clipnorm is not None:
            return [_scaled_down(gradient, self.clipnorm, _norm([gradient])) for gradient in grads]
        if self.global_clipnorm is not None:
            norm = _norm(grads)
            return [_scaled_down(gradient, self.global_clipnorm, norm) for gradient in grads]
        if self.clipvalue is not None:
            return [ops.clip(gradient, -self.clipvalue, self.clipvalue) for gradient in grads]
        return grads

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """Let weights keep what decay would take.

        Args:
            var_list: variables.
            var_names: regular expressions; a weight is left out when one is found in its name.
        """
        self._excluded += var_list or ()
        self._excluded_names += tuple(var_names or ())

    def decay_of(self, variable):
        """The weight decay of a weight that is not left out; None for none."""
        return self.weight_decay

    def _decays(self, variable):
        return not any(variable is excluded for excluded in self._excluded) and not any(re.search(pattern, variable.name) for pattern in self._excluded_names)

    def _average(self, variables):
        iterations = self.iterations
        iterations = iterations.value if isinstance(iterations, Variable) else iterations
        momentum = ops.where(ops.equal(iterations, 0), 0.0, self.ema_momentum)  # the first average is the weight itself
        for variable in variables:
            average = self._averages[self._indices[id(variable)]]
            average.assign(average.value * momentum + variable.value * (1 - momentum))
        if self.ema_overwrite_frequency:
            now = ops.equal(ops.mod(iterations + 1, self.ema_overwrite_frequency), 0)
            for variable in variables:
                variable.assign(ops.where(now, self._averages[self._indices[id(variable)]].value, variable.value))

    def finalize_variable_values(self, var_list):
        """Make the moving averages the values of the weights, where `use_ema` is set: what `fit` does at its end."""
        if self.use_ema:
            for variable in var_list:
                if id(variable) in self._indices:
                    variable.assign(self._averages[self._indices[id(variable)]].value)

    def scale_loss(self, loss):
        """The loss times `loss_scale_factor`, where that is set."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def _unscaled(self, grads):
        return grads if self.loss_scale_factor is None else [gradient / self.loss_scale_factor for gradient in grads]

    # configuration and files

    def set_weights(self, weights):
        """Set the values of `variables`, in their order."""
        weights = list(weights)
        if len(weights) != len(self.variables):
            raise ValueError(f"{self._shown()} has {len(self.variables)} variables; got {len(weights)} values.")
        for variable, value in zip(self.variables, weights):
            variable.assign(value)

    def save_own_variables(self, store):
        """Put the values of `variables` into a dict-like, under "0", "1", ..."""
        for index, variable in enumerate(self.variables):
            store[str(index)] = variable.numpy()

    def load_own_variables(self, store):
        """Take the values of `variables` from what `save_own_variables` filled; other numbers of variables are left with a warning."""
        if len(store) != len(self.variables):
            warnings.warn(f"{self._shown()} has {len(self.variables)} variables, the file has {len(store)}: its state is not loaded.", stacklevel=2)
            return
        for index, variable in enumerate(self.variables):
            variable.assign(store[str(index)])

    def get_config(self):
        fields = [name for name in type(self)._fields if name not in ("learning_rate", "decay")]
        config = {"name": self.name, "learning_rate": self._rate_config(), **{name: getattr(self, name) for name in fields}}
        return {**config, "decay": self.decay} if self.decay else config

    def _rate_config(self):
        return float(self._learning_rate.numpy()) if isinstance(self._learning_rate, Variable) else serialization.serialize_keras_object(self._learning_rate)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """An optimizer from what `get_config` gave."""
        with serialization.CustomObjectScope(custom_objects):
            return cls(**config)

    def _shown(self):
        return f"{type(self).__name__} {self.name!r}"

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}>"


def _norm(tensors):
    return ops.sqrt(sum(ops.sum(ops.square(ops.cast(tensor, "float32"))) for tensor in tensors))


def _scaled_down(tensor, largest, norm):
    return tensor * ops.cast(largest / ops.maximum(norm, largest), backends.kind(tensor))
