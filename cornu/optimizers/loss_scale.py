"""Loss scaling that finds its factor while training, for float16."""

from cornu import ops, ranges, serialization
from cornu.optimizers.optimizer import Optimizer


class LossScaleOptimizer(Optimizer):
    """Another optimizer, with the loss scaled up so that small gradients survive float16.

    An update with a gradient that is not finite is left out and halves the scale; enough finite ones in a row double it.

    Args:
        inner_optimizer: makes the updates.
        initial_scale: the first scale, above 0.
        dynamic_growth_steps: after how many finite updates in a row the scale doubles, at least 1.
        name: first part of its variables' paths.

    Source: Micikevicius et al., "Mixed Precision Training", 2017, section 3.2.
    """

    def __init__(self, inner_optimizer, initial_scale=2.0**15, dynamic_growth_steps=2000, name=None, **kwargs):
        if not isinstance(inner_optimizer, Optimizer):
            raise TypeError(f"LossScaleOptimizer: inner_optimizer must be an Optimizer; got {inner_optimizer!r} ({type(inner_optimizer).__name__}).")
        super().__init__(learning_rate=0.0, name=name, **kwargs)
        self.inner_optimizer = inner_optimizer
        self.initial_scale, self.dynamic_growth_steps = initial_scale, dynamic_growth_steps
        ranges.check(self, "initial_scale", above=0)
        ranges.check(self, "dynamic_growth_steps", least=1, whole=True)

    @property
    def learning_rate(self):
        """The inner optimizer's rate."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value):
        if "inner_optimizer" in self.__dict__:
            self.inner_optimizer.learning_rate = value
        else:
            self._learning_rate = value

    @property
    def iterations(self):
        """The inner optimizer's count of updates."""
        return self.inner_optimizer.iterations

    @property
    def variables(self):
        """Its own variables and the inner optimizer's."""
        return [*self._variables, *self.inner_optimizer.variables]

    def build(self, variables):
        """Make the state for the weights `variables`."""
        if self.built:
            return
        self.step_counter = self.add_variable((), dtype="int32", name="step_counter")
        self.dynamic_scale = self.add_variable((), float(self.initial_scale), "float32", name="dynamic_scale")
        self.inner_optimizer.build(variables)
        self._trainable_variables = list(variables)
        self.built = True

    def apply(self, grads, trainable_variables=None):
        """Update weights by gradients of the scaled loss, unless one of them is not finite."""
        grads = list(grads)
        weights = self._trainable_variables if trainable_variables is None else list(trainable_variables)
        if not self.built:
            self.build(weights)
        changed = [*weights, *self.variables]
        before = [variable.value for variable in changed]
        scale = self.dynamic_scale.value

        def update():
            self.inner_optimizer.apply([None if gradient is None else gradient / scale for gradient in grads], weights)
            count = self.step_counter.value + 1
            grow = ops.equal(count, self.dynamic_growth_steps)
            self.step_counter.assign(ops.where(grow, 0, count))
            self.dynamic_scale.assign(ops.where(grow, scale * 2, scale))

        def leave_out():
            self.step_counter.assign(0)
            self.dynamic_scale.assign(scale / 2)

        after = ops.cond(
            self.check_finite(grads),
            lambda: self._purely(update, changed, before, (), ())[0],
            lambda: self._purely(leave_out, changed, before, (), ())[0],
        )
        for variable, value in zip(changed, after):
            variable.assign(value)

    def check_finite(self, grads):
        """Whether every element of every gradient is finite."""
        return ops.all(ops.stack([ops.all(ops.isfinite(gradient)) for gradient in grads if gradient is not None]))

    def scale_loss(self, loss):
        """The loss times the scale of now."""
        return loss * (self.dynamic_scale.value if self.built else self.initial_scale)

    def finalize_variable_values(self, var_list):
        """See `Optimizer.finalize_variable_values`."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self):
        return {
            "name": self.name,
            "inner_optimizer": serialization.serialize_keras_object(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """An optimizer from what `get_config` gave."""
        inner = serialization.deserialize_keras_object(config["inner_optimizer"], custom_objects, kind="optimizers")
        return cls(**{**config, "inner_optimizer": inner})
