"""Muon: moves of matrices made orthogonal."""

import re

from cornu import ops, ranges
from cornu.optimizers.adam import Adam
from cornu.optimizers.optimizer import Optimizer


class Muon(Optimizer):
    """Move each matrix by the orthogonal matrix nearest to its momentum; all other weights by Adam.

    Args:
        learning_rate: a number, a schedule, or what `Optimizer` takes.
        adam_beta_1, adam_beta_2, epsilon: of Adam, see there.
        adam_weight_decay: weight decay of the weights that Adam moves; None for none.
        weight_decay: weight decay of the matrices; None for none.
        exclude_layers: regular expressions; a weight goes to Adam when one is found in its path.
        exclude_embeddings: whether embeddings go to Adam.
        muon_a, muon_b, muon_c: coefficients of the Newton-Schulz iteration `a x + (b x xᵀ + c (x xᵀ)²) x`.
        adam_lr_ratio: Adam's learning rate as a multiple of this one's, above 0.
        momentum: fraction of the summed gradients that goes on, from 0 to 1.
        ns_steps: iterations, at least 1; the more, the nearer to orthogonal.
        nesterov: whether the gradient's part goes ahead of the momentum.
        rms_rate: the move is multiplied by this and by the root of the longer of the first two sizes, so that its root mean square is
            like Adam's; None leaves it.
        clipnorm, use_ema, ...: see `Optimizer`.

    Source: Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; Liu et al., "Muon is Scalable for LLM
    Training", 2025, section 2.2 (the root mean square).
    """

    learning_rate: object = 0.001
    adam_beta_1: float = 0.9
    adam_beta_2: float = 0.999
    adam_weight_decay: object = 0.004
    epsilon: float = 1e-7
    weight_decay: object = 0.004
    clipnorm: object = None
    clipvalue: object = None
    global_clipnorm: object = None
    use_ema: bool = False
    ema_momentum: float = 0.99
    ema_overwrite_frequency: object = None
    loss_scale_factor: object = None
    gradient_accumulation_steps: object = None
    name: object = None
    exclude_layers: object = None
    exclude_embeddings: bool = True
    muon_a: float = 3.4445
    muon_b: float = -4.775
    muon_c: float = 2.0315
    adam_lr_ratio: float = 1
    momentum: float = 0.95
    ns_steps: int = 5
    nesterov: bool = True
    rms_rate: object = 0.2
    slots = ("momentum", "velocity")
    beta_1 = property(lambda self: self.adam_beta_1)  # under which Adam's rule knows them
    beta_2 = property(lambda self: self.adam_beta_2)

    def setup(self):
        ranges.check(self, "adam_beta_1", "adam_beta_2", "momentum", least=0, most=1)
        ranges.check(self, "epsilon", least=0)
        ranges.check(self, "adam_weight_decay", least=0, optional=True)
        ranges.check(self, "adam_lr_ratio", above=0)
        ranges.check(self, "rms_rate", above=0, optional=True)
        ranges.check(self, "ns_steps", least=1, whole=True)
        self.exclude_layers = [] if self.exclude_layers is None else self.exclude_layers
        if not isinstance(self.exclude_layers, (list, tuple)) or not all(isinstance(pattern, str) for pattern in self.exclude_layers):
            raise TypeError(f"Muon: exclude_layers must be a list of regular expressions; got {self.exclude_layers!r}.")
        super().setup()

    def goes_to_adam(self, variable):
        """Whether Adam moves this weight: all but matrices, and those left out."""
        if len(variable.shape) != 2 or (self.exclude_embeddings and "embedding" in variable.path.lower()):
            return True
        return any(re.search(pattern, variable.path) for pattern in self.exclude_layers)

    def add_slot(self, variable, name):
        return super().add_slot(variable, name) if name == "momentum" or self.goes_to_adam(variable) else None

    def decay_of(self, variable):
        return self.adam_weight_decay if self.goes_to_adam(variable) else self.weight_decay

    def update(self, weight, gradient, momentum, *velocity, rate, step):
        if velocity:
            return Adam.update(self, weight, gradient, momentum, *velocity, rate=rate * self.adam_lr_ratio, step=step)
        momentum = momentum * self.momentum + gradient
        move = momentum * self.momentum + gradient if self.nesterov else momentum
        return weight - self.lr_adjust(self.zeropower_via_newtonschulz5(move, self.ns_steps)) * rate, momentum

    def lr_adjust(self, x):
        """A move brought to the root mean square of Adam's."""
        x = ops.convert_to_tensor(x)
        return x if self.rms_rate is None else x * (self.rms_rate * max(x.shape[0], x.shape[1]) ** 0.5)

    def transpose_last_axis(self, X):
        """The last two axes swapped."""
        return ops.swapaxes(X, -1, -2)

    def zeropower_via_newtonschulz5(self, x, steps):
        """Nearly the orthogonal matrix nearest to `x`: all singular values are drawn to 1.

        Args:
            x: a matrix, or several along its first axes.
            steps: iterations.
        """
        x = ops.convert_to_tensor(x)
        tall = x.shape[-2] > x.shape[-1]
        x = self.transpose_last_axis(x) if tall else x
        x = x / (ops.sqrt(ops.sum(ops.square(x), axis=(-2, -1), keepdims=True)) + 1e-7)
        for _ in range(steps):
            square = ops.matmul(x, self.transpose_last_axis(x))
            x = x * self.muon_a + ops.matmul(square * self.muon_b + ops.matmul(square, square) * self.muon_c, x)
        return self.transpose_last_axis(x) if tall else x
