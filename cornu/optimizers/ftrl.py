"""Follow the regularized leader."""

from cornu import initializers, ops, ranges
from cornu.optimizers.optimizer import Optimizer


class Ftrl(Optimizer):
    """The weight that all past gradients, taken as linear losses, and two penalties would choose; sparse where `l1` is large.

    Args:
        learning_rate: a number, a schedule, or what `Optimizer` takes.
        learning_rate_power: at most 0; how rates shrink with the sum of squares, 0 for not at all.
        initial_accumulator_value: what the sum of squares starts from, at least 0.
        l1_regularization_strength: at least 0.
        l2_regularization_strength: at least 0.
        l2_shrinkage_regularization_strength: at least 0; a penalty on the size of the gradient.
        beta: at least 0; the paper's.
        weight_decay, clipnorm, ...: see `Optimizer`.

    Raises:
        ValueError: an argument out of range.

    Source: McMahan et al., "Ad Click Prediction: a View from the Trenches", 2013, algorithm 1.
    """

    learning_rate: object = 0.001
    learning_rate_power: float = -0.5
    initial_accumulator_value: float = 0.1
    l1_regularization_strength: float = 0.0
    l2_regularization_strength: float = 0.0
    l2_shrinkage_regularization_strength: float = 0.0
    beta: float = 0.0
    slots = ("accumulator", "linear")

    def setup(self):
        ranges.check(self, "learning_rate_power", most=0)
        ranges.check(self, "initial_accumulator_value", "l1_regularization_strength", "l2_regularization_strength", least=0)
        ranges.check(self, "l2_shrinkage_regularization_strength", "beta", least=0)
        super().setup()

    def add_slot(self, variable, name):
        first = self.initial_accumulator_value if name == "accumulator" else 0.0
        return self.add_variable_from_reference(variable, name, initializers.Constant(first))

    elementwise = True

    def update(self, weight, gradient, accumulator, linear, rate, step):
        total, power = accumulator + gradient * gradient, -self.learning_rate_power
        shrunk = gradient + weight * (2 * self.l2_shrinkage_regularization_strength)
        linear = linear + shrunk - weight * (total**power - accumulator**power) / rate
        quadratic = total**power / rate + 2 * (self.l2_regularization_strength + self.beta / (2 * rate))
        kept = ops.clip(linear, -self.l1_regularization_strength, self.l1_regularization_strength)
        return (kept - linear) / quadratic, total, linear
