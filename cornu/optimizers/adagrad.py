"""Adagrad and Adadelta: rates that shrink where gradients were large."""

from cornu import initializers, ops, ranges
from cornu.optimizers.optimizer import Optimizer


class Adagrad(Optimizer):
    """Divide the gradient by the root of the sum of its squares so far.

    Args:
        learning_rate: a number, a schedule, or what `Optimizer` takes.
        initial_accumulator_value: what the sum starts from, at least 0.
        epsilon: added to the sum, against division by 0.
        weight_decay, clipnorm, ...: see `Optimizer`.

    Source: Duchi et al., "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization", 2011.
    """

    learning_rate: object = 0.001
    initial_accumulator_value: float = 0.1
    epsilon: float = 1e-7
    slots = ("accumulator",)

    def setup(self):
        ranges.check(self, "initial_accumulator_value", "epsilon", least=0)
        super().setup()

    def add_slot(self, variable, name):
        return self.add_variable_from_reference(variable, name, initializers.Constant(self.initial_accumulator_value))

    elementwise = True

    def update(self, weight, gradient, accumulator, rate, step):
        accumulator = accumulator + gradient * gradient
        return weight - gradient * rate / ops.sqrt(accumulator + self.epsilon), accumulator


class Adadelta(Optimizer):
    """Divide the gradient by the root mean square of the past gradients, times that of the past moves.

    Args:
        learning_rate: a number, a schedule, or what `Optimizer` takes; 1.0 is the paper's.
        rho: weight of the past in the averages, from 0 to 1.
        epsilon: added to the averages.
        weight_decay, clipnorm, ...: see `Optimizer`.

    Source: Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012.
    """

    learning_rate: object = 0.001
    rho: float = 0.95
    epsilon: float = 1e-7
    slots = ("accumulated_grad", "accumulated_delta_var")

    def setup(self):
        ranges.check(self, "rho", least=0, most=1)
        ranges.check(self, "epsilon", least=0)
        super().setup()

    elementwise = True

    def update(self, weight, gradient, gradients, moves, rate, step):
        gradients = gradients * self.rho + gradient * gradient * (1 - self.rho)
        move = gradient * ops.sqrt(moves + self.epsilon) / ops.sqrt(gradients + self.epsilon)
        moves = moves * self.rho + move * move * (1 - self.rho)
        return weight - move * rate, gradients, moves
