"""Learning rates that change with the count of steps; `step` may be a number or a tensor of a compiled program."""

import math

from cornu import ops, registry
from cornu.fields import Configured


class LearningRateSchedule(Configured):
    """Gives the rate at a step, from 0. A subclass defines `__call__(step)`."""

    def __call__(self, step):
        raise TypeError(f"{type(self).__name__}: a schedule defines `__call__(self, step)`.")

    def _positive(self, *names):
        for name in names:
            if not getattr(self, name) > 0:
                raise ValueError(f"{type(self).__name__}: {name} must be above 0; got {getattr(self, name)!r}.")


def _float(step):
    return ops.cast(ops.convert_to_tensor(step), "float32")


class ExponentialDecay(LearningRateSchedule):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: after how many steps the rate is `decay_rate` times as large, above 0.
        decay_rate: factor.
        staircase: whether the exponent is cut to whole numbers.
        name: shown in configs.

    >>> round(float(ExponentialDecay(0.1, decay_steps=10, decay_rate=0.5)(20)), 6)
    0.025
    """

    initial_learning_rate: float
    decay_steps: float
    decay_rate: float
    staircase: bool = False
    name: str = "ExponentialDecay"

    def setup(self):
        self._positive("decay_steps")

    def __call__(self, step):
        periods = _float(step) / self.decay_steps
        return self._decayed(ops.floor(periods) if self.staircase else periods)

    def _decayed(self, periods):
        return self.initial_learning_rate * self.decay_rate**periods


class InverseTimeDecay(ExponentialDecay):
    """`initial_learning_rate / (1 + decay_rate * step / decay_steps)`.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: unit of steps, above 0.
        decay_rate: how much each unit adds to the divisor.
        staircase: whether units are cut to whole numbers.
        name: shown in configs.
    """

    name = "InverseTimeDecay"

    def _decayed(self, periods):
        return self.initial_learning_rate / (1 + self.decay_rate * periods)


class PiecewiseConstantDecay(LearningRateSchedule):
    """`values[i]` up to and at the step `boundaries[i]`, the last value after all.

    Args:
        boundaries: steps, increasing.
        values: rates, one more than boundaries.
        name: shown in configs.

    Raises:
        ValueError: the numbers of boundaries and values do not fit.
    """

    boundaries: object
    values: object
    name: str = "PiecewiseConstant"

    def setup(self):
        for name, kind in (("boundaries", "increasing numbers"), ("values", "numbers")):
            found = getattr(self, name)
            numbers = isinstance(found, (list, tuple)) and all(hasattr(x, "__float__") for x in found)
            if not numbers or (name == "boundaries" and any(b <= a for a, b in zip(found, found[1:]))):
                raise ValueError(f"PiecewiseConstantDecay: {name} must be a list of {kind}; got {found!r}.")
        if len(self.boundaries) != len(self.values) - 1:
            raise ValueError(
                f"PiecewiseConstantDecay: wanted one value more than boundaries; got {len(self.values)} values and {len(self.boundaries)} boundaries."
            )

    def __call__(self, step):
        step = _float(step)
        rate = ops.cast(self.values[-1], "float32")
        for boundary, value in zip(reversed(self.boundaries), reversed(self.values[:-1])):
            rate = ops.where(ops.less_equal(step, boundary), value, rate)
        return rate


class PolynomialDecay(LearningRateSchedule):
    """From `initial_learning_rate` to `end_learning_rate` along `(1 - step / decay_steps) ** power`.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: when the end is reached, above 0.
        end_learning_rate: the rate from then on.
        power: 1 for a straight line.
        cycle: whether to start again from above after each end, over twice, three times ... `decay_steps`.
        name: shown in configs.
    """

    initial_learning_rate: float
    decay_steps: float
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False
    name: str = "PolynomialDecay"

    def setup(self):
        self._positive("decay_steps")

    def __call__(self, step):
        step = _float(step)
        if self.cycle:
            length = ops.maximum(ops.ceil(step / self.decay_steps), 1.0) * self.decay_steps
        else:
            length = self.decay_steps
            step = ops.minimum(step, float(length))
        return (1 - step / length) ** self.power * (self.initial_learning_rate - self.end_learning_rate) + self.end_learning_rate


class CosineDecay(LearningRateSchedule):
    """Half a cosine down from the first rate to `alpha` of it, after a straight warm-up where asked.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: how many steps the cosine takes, above 0.
        alpha: the last rate as a fraction of the rate at the cosine's start.
        name: shown in configs.
        warmup_target: the rate that the warm-up reaches; None for no warm-up.
        warmup_steps: how many steps it takes.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2016.
    """

    initial_learning_rate: float
    decay_steps: float
    alpha: float = 0.0
    name: str = "CosineDecay"
    warmup_target: object = None
    warmup_steps: int = 0

    def setup(self):
        self._positive("decay_steps")

    def __call__(self, step):
        step = _float(step)
        if self.warmup_target is None:
            return self._cosine(step, self.initial_learning_rate)
        share = step / max(self.warmup_steps, 1)
        warming = share * (self.warmup_target - self.initial_learning_rate) + self.initial_learning_rate
        return ops.where(step < self.warmup_steps, warming, self._cosine(step - self.warmup_steps, self.warmup_target))

    def _cosine(self, step, start):
        share = ops.minimum(step, float(self.decay_steps)) / self.decay_steps
        return ((1 - self.alpha) * 0.5 * (1 + ops.cos(share * math.pi)) + self.alpha) * start


class CosineDecayRestarts(LearningRateSchedule):
    """Half cosines one after another, each `t_mul` times as long and starting `m_mul` times as high as the one before.

    Args:
        initial_learning_rate: the rate at step 0.
        first_decay_steps: length of the first cosine in steps, above 0.
        t_mul: factor of lengths, at least 1.
        m_mul: factor of heights.
        alpha: the lowest rate as a fraction of the first.
        name: shown in configs.

    Source: Loshchilov and Hutter, 2016.
    """

    initial_learning_rate: float
    first_decay_steps: float
    t_mul: float = 2.0
    m_mul: float = 1.0
    alpha: float = 0.0
    name: str = "SGDRDecay"

    def setup(self):
        self._positive("first_decay_steps", "t_mul")

    def __call__(self, step):
        share = _float(step) / self.first_decay_steps
        if self.t_mul == 1.0:
            restarts = ops.floor(share)
            share = share - restarts
        else:
            restarts = ops.floor(ops.log(1 - share * (1 - self.t_mul)) / math.log(self.t_mul))
            past = (1 - self.t_mul**restarts) / (1 - self.t_mul)
            share = (share - past) / self.t_mul**restarts
        cosine = self.m_mul**restarts * 0.5 * (1 + ops.cos(share * math.pi))
        return ((1 - self.alpha) * cosine + self.alpha) * self.initial_learning_rate


_, _serialize, deserialize = registry.namespace(
    "optimizers.schedules",
    [ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay, CosineDecay, CosineDecayRestarts],
)


def serialize(learning_rate_schedule):
    """The config of a schedule, as files hold it."""
    return _serialize(learning_rate_schedule)
