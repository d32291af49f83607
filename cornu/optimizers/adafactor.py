"""Adam's idea with little memory."""

from cornu import ops, ranges
from cornu.optimizers.optimizer import Optimizer


class Adafactor(Optimizer):
    """Divide the gradient by a root mean square that is kept as one number for each row and each column.

    Args:
        learning_rate: a number, a schedule, or what `Optimizer` takes.
        beta_2_decay: at step t the past weighs 1 - t ** beta_2_decay in the averages; below 0.
        epsilon_1: added to squares of gradients.
        epsilon_2: least scale of a weight.
        clip_threshold: largest root mean square of a move.
        relative_step: whether the rate is at most 1 / sqrt(t).
        weight_decay, clipnorm, ...: see `Optimizer`.

    Source: Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", 2018.
    """

    learning_rate: object = 0.001
    beta_2_decay: float = -0.8
    epsilon_1: float = 1e-30
    epsilon_2: float = 1e-3
    clip_threshold: float = 1.0
    relative_step: bool = True
    slots = ("rows", "columns", "velocity")

    def setup(self):
        ranges.check(self, "beta_2_decay", most=0)
        ranges.check(self, "epsilon_1", "epsilon_2", least=0)
        ranges.check(self, "clip_threshold", above=0)
        super().setup()

    def add_slot(self, variable, name):
        if name == "velocity":
            return self.add_variable_from_reference(variable, name)
        shape = variable.shape
        if len(shape) < 2:  # files have an unused number in its place
            return self.add_variable((), dtype="int32", name=variable.name)
        return self.add_variable(shape[:-1] if name == "rows" else (*shape[:-2], shape[-1]), dtype=variable.dtype, name=variable.name)

    def update(self, weight, gradient, rows, columns, velocity, rate, step):
        if self.relative_step:
            rate = ops.minimum(rate, 1 / ops.sqrt(step))
        rate = ops.maximum(_root_mean_square(weight), self.epsilon_2) * rate
        past, squares = 1 - step**self.beta_2_decay, gradient * gradient + self.epsilon_1
        if weight.ndim < 2:
            velocity = velocity * past + squares * (1 - past)
        else:
            rows = rows * past + ops.mean(squares, axis=-1) * (1 - past)
            columns = columns * past + ops.mean(squares, axis=-2) * (1 - past)
            velocity = ops.expand_dims(rows / ops.mean(rows, axis=-1, keepdims=True), -1) * ops.expand_dims(columns, -2)
        move = gradient / ops.sqrt(velocity)
        move = move / ops.maximum(_root_mean_square(move) / self.clip_threshold, 1.0)
        return weight - move * rate, rows, columns, velocity


def _root_mean_square(x):
    return ops.sqrt(ops.mean(ops.square(x)))
