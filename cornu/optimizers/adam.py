"""Adam and its kin: moving averages of the gradient and of its square."""

import math

from cornu import ops, ranges
from cornu.optimizers.optimizer import Optimizer


def check_averages(optimizer):
    """See that beta_1 and beta_2 are from 0 to 1 and epsilon is not negative."""
    ranges.check(optimizer, "beta_1", "beta_2", least=0, most=1)
    ranges.check(optimizer, "epsilon", least=0)


def grown(beta, step):
    """`1 - beta ** step`, what an average that began at 0 has grown to after `step` steps; to the last digit, where a difference loses half of float32's."""
    return -ops.expm1(step * (math.log(beta) if beta else -math.inf))


class Adam(Optimizer):
    """Move by the average gradient over the root of its average square, both corrected for their start at 0.

    Args:
        learning_rate: a number, a schedule, or what `Optimizer` takes.
        beta_1: weight of the past in the average of the gradient, from 0 to 1.
        beta_2: weight of the past in the average of its square, from 0 to 1.
        epsilon: added to the root, against division by 0.
        amsgrad: whether to divide by the largest average so far (Reddi et al., 2018).
        weight_decay, clipnorm, ...: see `Optimizer`.

    Source: Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2014; epsilon stands as in the text before section 2.1.
    """

    learning_rate: object = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    amsgrad: bool = False
    slots = ("momentum", "velocity")

    def setup(self):
        check_averages(self)
        super().setup()
        self.slots = ("momentum", "velocity", *(("velocity_hat",) if self.amsgrad else ()))

    def slot_blocks(self):
        return self.slots[:2], self.slots[2:]

    elementwise = True

    def update(self, weight, gradient, momentum, velocity, *largest, rate, step):
        momentum = momentum + (gradient - momentum) * (1 - self.beta_1)
        velocity = velocity + (gradient * gradient - velocity) * (1 - self.beta_2)
        largest = tuple(ops.maximum(past, velocity) for past in largest)
        rate = rate * ops.sqrt(grown(self.beta_2, step)) / grown(self.beta_1, step)
        root = ops.sqrt(largest[0] if largest else velocity)
        return weight - momentum * rate / (root + self.epsilon), momentum, velocity, *largest


class AdamW(Adam):
    """Adam with weight decay that is no part of the gradient.

    Args:
        weight_decay: fraction, times the rate, that weights lose at each update.
        learning_rate, beta_1, ...: see `Adam`.

    Source: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2017.
    """

    learning_rate: object = 0.001
    weight_decay: float = 0.004

    def setup(self):
        if self.weight_decay is None:
            raise ValueError("AdamW: weight_decay must be a number; got None. Without decay it is Adam.")
        super().setup()


class Adamax(Optimizer):
    """Adam with the largest recent gradient in place of the root of the average square.

    Args:
        learning_rate: a number, a schedule, or what `Optimizer` takes.
        beta_1: weight of the past in the average of the gradient, from 0 to 1.
        beta_2: how fast the largest gradient fades, from 0 to 1.
        epsilon: added to it, against division by 0.
        weight_decay, clipnorm, ...: see `Optimizer`.

    Source: Kingma and Ba, 2014, section 7.1.
    """

    learning_rate: object = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    slots = ("momentum", "norm")

    def setup(self):
        check_averages(self)
        super().setup()

    elementwise = True

    def update(self, weight, gradient, momentum, norm, rate, step):
        momentum = momentum + (gradient - momentum) * (1 - self.beta_1)
        norm = ops.maximum(norm * self.beta_2, ops.abs(gradient))
        rate = rate / grown(self.beta_1, step)
        return weight - momentum * rate / (norm + self.epsilon), momentum, norm


class Nadam(Optimizer):
    """Adam with Nesterov's momentum.

    Args:
        learning_rate: a number, a schedule, or what `Optimizer` takes.
        beta_1: weight of the past in the average of the gradient, from 0 to 1; it grows towards that.
        beta_2: weight of the past in the average of its square, from 0 to 1.
        epsilon: added to the root, against division by 0.
        weight_decay, clipnorm, ...: see `Optimizer`.

    Source: Dozat, "Incorporating Nesterov Momentum into Adam", 2016. The momentum's schedule is Keras 3's, beta_1 (1 - 0.96^t / 2).
    """

    learning_rate: object = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    slots = ("momentum", "velocity")
    scalars = {"u_product": 1.0}

    def setup(self):
        check_averages(self)
        super().setup()

    def _take(self, kwargs):
        return super()._take({name: value for name, value in kwargs.items() if name != "schedule_decay"})

    def _momentum(self, step):
        return (1 - 0.96**step * 0.5) * self.beta_1

    def advance(self, u_product, step):
        return (u_product * self._momentum(step),)

    elementwise = True

    def update(self, weight, gradient, momentum, velocity, rate, step, u_product):
        now, later = self._momentum(step), self._momentum(step + 1)
        momentum = momentum + (gradient - momentum) * (1 - self.beta_1)
        velocity = velocity + (gradient * gradient - velocity) * (1 - self.beta_2)
        ahead = momentum * later / (1 - u_product * later) + gradient * (1 - now) / (1 - u_product)
        size = velocity / grown(self.beta_2, step)
        return weight - ahead * rate / (ops.sqrt(size) + self.epsilon), momentum, velocity


class Lion(Optimizer):
    """Move by the sign of an average gradient: the same distance for every element.

    Args:
        learning_rate: a number, a schedule, or what `Optimizer` takes; a third to a tenth of Adam's.
        beta_1: weight of the past in the average whose sign is taken, above 0 to 1.
        beta_2: weight of the past in the average that is kept, from 0 to 1.
        weight_decay, clipnorm, ...: see `Optimizer`.

    Source: Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023.
    """

    learning_rate: object = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.99
    slots = ("momentum",)

    def setup(self):
        ranges.check(self, "beta_1", above=0, most=1)
        ranges.check(self, "beta_2", least=0, most=1)
        super().setup()

    elementwise = True

    def update(self, weight, gradient, momentum, rate, step):
        move = ops.sign(momentum * self.beta_1 + gradient * (1 - self.beta_1))
        return weight - move * rate, momentum * self.beta_2 + gradient * (1 - self.beta_2)


class Lamb(Optimizer):
    """Adam whose move is scaled, weight by weight, to the norm of the weight: for very large batches.

    Args:
        learning_rate: a number, a schedule, or what `Optimizer` takes.
        beta_1: weight of the past in the average of the gradient, from 0 to 1.
        beta_2: weight of the past in the average of its square, from 0 to 1.
        epsilon: added to the root, against division by 0.
        weight_decay, clipnorm, ...: see `Optimizer`.

    Source: You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 minutes", 2019.
    """

    learning_rate: object = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-7
    slots = ("momentum", "velocity")

    def setup(self):
        check_averages(self)
        super().setup()

    def update(self, weight, gradient, momentum, velocity, rate, step):
        momentum = momentum + (gradient - momentum) * (1 - self.beta_1)
        velocity = velocity + (gradient * gradient - velocity) * (1 - self.beta_2)
        move = momentum / grown(self.beta_1, step) / (ops.sqrt(velocity / grown(self.beta_2, step)) + self.epsilon)
        size, length = ops.sqrt(ops.sum(weight * weight)), ops.sqrt(ops.sum(move * move))
        both = ops.logical_and(size > 0, length > 0)
        ratio = ops.where(both, size / ops.where(both, length, 1.0), 1.0)
        return weight - move * rate * ratio, momentum, velocity
