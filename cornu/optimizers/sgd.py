"""Gradient descent, plain and with momentum."""

from cornu import ranges
from cornu.optimizers.optimizer import Optimizer


class SGD(Optimizer):
    """Go down the gradient, with momentum where asked.

    Args:
        learning_rate: a number, a schedule, or what `Optimizer` takes.
        momentum: fraction of the last move that goes on, from 0 to 1.
        nesterov: whether the gradient's part goes ahead of the momentum.
        weight_decay, clipnorm, ...: see `Optimizer`.

    Source: Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; Sutskever et al., "On the importance of
    initialization and momentum in deep learning", 2013.
    """

    learning_rate: object = 0.01
    momentum: float = 0.0
    nesterov: bool = False

    def setup(self):
        ranges.check(self, "momentum", least=0, most=1)
        super().setup()
        self.slots = ("momentum",) if self.momentum else ()

    elementwise = True

    def update(self, weight, gradient, *slots, rate, step):
        move = gradient * -rate
        if not slots:
            return weight + move
        velocity = slots[0] * self.momentum + move
        return weight + (velocity * self.momentum + move if self.nesterov else velocity), velocity
