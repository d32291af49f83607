"""AdamW without a schedule: averages of the weights do what a falling learning rate does."""

from cornu import ops, ranges
from cornu.optimizers.adam import check_averages, grown
from cornu.optimizers.optimizer import Optimizer


class ScheduleFreeAdamW(Optimizer):
    """Adam on a sequence z of weights, x the mean of that sequence; gradients are taken, and the model works, between the two.

    Args:
        learning_rate: a number, a schedule, or what `Optimizer` takes.
        beta_1: where between z (0) and x (1) the weights of the model stand, above 0 and at most 1.
        beta_2: weight of the past in the average of the gradient's square, from 0 to 1.
        epsilon: added to its root, against division by 0.
        warmup_steps: over how many updates the rate rises to its full size, at least 0.
        weight_decay, clipnorm, ...: see `Optimizer`; the decay is that of the model's weights.

    The slot `momentum` holds z.

    Source: Defazio et al., "The Road Less Scheduled", NeurIPS 2024; all of z counts alike, as in Keras (the paper weighs by the square of
    the rate, which differs during the warm-up).
    """

    learning_rate: object = 0.0025
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    warmup_steps: int = 0
    slots = ("momentum", "velocity")

    def setup(self):
        check_averages(self)
        ranges.check(self, "beta_1", above=0, most=1)
        ranges.check(self, "warmup_steps", least=0, whole=True)
        super().setup()

    def add_slot(self, variable, name):
        if name == "velocity":
            return super().add_slot(variable, name)
        return self.add_variable_from_reference(
            variable, name, lambda shape, dtype: ops.copy(ops.cast(variable.value, dtype))
        )  # some engines change weights in place

    elementwise = True

    def update(self, weight, gradient, momentum, velocity, rate, step):
        if self.warmup_steps:
            rate = rate * ops.minimum(step / self.warmup_steps, 1.0)
        mean = (weight - momentum * (1 - self.beta_1)) / self.beta_1
        velocity = velocity + (gradient * gradient - velocity) * (1 - self.beta_2)
        momentum = momentum - gradient * rate / (ops.sqrt(velocity / grown(self.beta_2, step)) + self.epsilon)
        mean = mean + (momentum - mean) / step
        return momentum * (1 - self.beta_1) + mean * self.beta_1, momentum, velocity
