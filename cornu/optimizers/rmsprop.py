"""Gradients divided by their recent size."""

from cornu import ops, ranges
from cornu.optimizers.optimizer import Optimizer


class RMSprop(Optimizer):
    """Divide the gradient by the root of a moving average of its square.

    Args:
        learning_rate: a number, a schedule, or what `Optimizer` takes.
        rho: weight of the past in the average, from 0 to 1.
        momentum: fraction of the last move that goes on.
        epsilon: added to the average, against division by 0.
        centered: whether the square of the average gradient is taken off, which leaves the variance.
        weight_decay, clipnorm, ...: see `Optimizer`.

    Source: Tieleman and Hinton, lecture 6.5 of "Neural Networks for Machine Learning", 2012.
    """

    learning_rate: object = 0.001
    rho: float = 0.9
    momentum: float = 0.0
    epsilon: float = 1e-7
    centered: bool = False

    def setup(self):
        ranges.check(self, "rho", "momentum", least=0, most=1)
        ranges.check(self, "epsilon", least=0)
        super().setup()
        self.slots = ("velocity", *(("momentum",) if self.momentum > 0 else ()), *(("average_gradient",) if self.centered else ()))

    def slot_blocks(self):
        return tuple((name,) for name in self.slots)

    elementwise = True

    def update(self, weight, gradient, velocity, *slots, rate, step):
        slots = dict(zip(self.slots[1:], slots))
        variance = velocity = velocity * self.rho + gradient * gradient * (1 - self.rho)
        if self.centered:
            slots["average_gradient"] = slots["average_gradient"] * self.rho + gradient * (1 - self.rho)
            variance = velocity - slots["average_gradient"] ** 2
        move = gradient * rate / ops.sqrt(variance + self.epsilon)
        if self.momentum > 0:
            move = slots["momentum"] = slots["momentum"] * self.momentum + move
        return weight - move, velocity, *slots.values()
