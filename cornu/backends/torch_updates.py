"""The rules of optimizers for all weights at once, by PyTorch's fused and multi-tensor kernels, written into the memory of the weights and slots.

Each is the rule of the optimizer of that name (cornu/optimizers) and keeps the same slots.
"""

import math

import torch


def _holders(x):
    """How many tensors and arrays lie in the memory of `x`, and a constant."""
    return torch._C._storage_Use_Count(x.untyped_storage()._cdata)


_SOLE = _holders(torch.zeros(1))


def owned(values):
    """The tensors, row after row in memory, those whose memory others hold too as copies; a Parameter stays the same object."""
    found = []
    for value in values:
        if _holders(value) > _SOLE or not value.is_contiguous():
            mine = value.detach().clone(memory_format=torch.contiguous_format)
            if type(value) is torch.nn.Parameter:
                value.data = mine
            else:
                value = mine
        found.append(value)
    return found


def refusal(rule, dtypes):
    """Why there is no kernel for that rule and weights of those types; None where there is one."""
    if rule not in RULES:
        return f"PyTorch has no kernel for the rule of {rule}"
    if not set(dtypes) <= {"float32", "float64"} or len(set(dtypes)) > 1:
        return f"its weights are of {', '.join(sorted(set(dtypes)))} (a kernel takes all float32 or all float64)"
    return None


def update(rule, options, weights, gradients, slots, rate, done, decays):
    """See `protocol.OPTIONAL`."""
    gradients = [gradient.contiguous() for gradient in gradients]  # fused kernels go by the order in memory, whatever the strides say
    with torch.no_grad():
        if weights[0].device.type == "cpu":  # numbers are at hand there
            rate, done = (x.item() if isinstance(x, torch.Tensor) else x for x in (rate, done))
        for decay in set(decays) - {None}:
            torch._foreach_mul_([w for w, d in zip(weights, decays, strict=True) if d == decay], 1 - rate * decay)
        RULES[rule](options, weights, gradients, [list(column) for column in zip(*slots, strict=True)], rate, done + 1)


def _subtract(weights, moves, rate):
    """`weights -= moves * rate`; the moves are used up where the rate is a tensor."""
    if isinstance(rate, torch.Tensor):
        torch._foreach_mul_(moves, rate)
        torch._foreach_sub_(weights, moves)
    else:
        torch._foreach_add_(weights, moves, alpha=-rate)


def _adam(options, weights, gradients, slots, rate, step):
    momentum, velocity, *largest = slots
    first, second, epsilon = options.beta_1, options.beta_2, options.epsilon
    if not isinstance(rate, torch.Tensor):
        root = math.sqrt(1 - second**step)  # PyTorch adds epsilon to a root that was divided by this
        steps = [torch.tensor(step, dtype=torch.float32)] * len(weights)
        torch._fused_adam_(
            weights, gradients, momentum, velocity, largest[0] if largest else [], steps, lr=rate, beta1=first, beta2=second, weight_decay=0.0,
            eps=epsilon / root, amsgrad=bool(largest), maximize=False,
        )  # fmt: skip
        return
    torch._foreach_lerp_(momentum, gradients, 1 - first)
    torch._foreach_mul_(velocity, second)
    torch._foreach_addcmul_(velocity, gradients, gradients, 1 - second)
    if largest:
        torch._foreach_maximum_(largest[0], velocity)
    below = torch._foreach_sqrt(largest[0] if largest else velocity)
    torch._foreach_add_(below, epsilon)
    _subtract(weights, torch._foreach_div(momentum, below), rate * torch.sqrt(1 - second**step) / (1 - first**step))


def _sgd(options, weights, gradients, slots, rate, step):
    if not slots:
        _subtract(
            weights, torch._foreach_mul(gradients, rate) if isinstance(rate, torch.Tensor) else gradients, 1.0 if isinstance(rate, torch.Tensor) else rate
        )
        return
    (velocity,) = slots
    moves = torch._foreach_mul(gradients, -rate)
    torch._foreach_mul_(velocity, options.momentum)
    torch._foreach_add_(velocity, moves)
    if options.nesterov:
        torch._foreach_add_(weights, velocity, alpha=options.momentum)
        torch._foreach_add_(weights, moves)
    else:
        torch._foreach_add_(weights, velocity)


def _rmsprop(options, weights, gradients, slots, rate, step):
    slots = dict(zip(options.slots, slots, strict=True))
    velocity = slots["velocity"]
    torch._foreach_mul_(velocity, options.rho)
    torch._foreach_addcmul_(velocity, gradients, gradients, 1 - options.rho)
    below = torch._foreach_add(velocity, options.epsilon)
    if options.centered:
        average = slots["average_gradient"]
        torch._foreach_lerp_(average, gradients, 1 - options.rho)
        torch._foreach_addcmul_(below, average, average, -1)
    torch._foreach_sqrt_(below)
    moves = torch._foreach_div(gradients, below)
    torch._foreach_mul_(moves, rate)
    if options.momentum > 0:
        torch._foreach_mul_(slots["momentum"], options.momentum)
        torch._foreach_add_(slots["momentum"], moves)
        moves = slots["momentum"]
    torch._foreach_sub_(weights, moves)


RULES = {"Adam": _adam, "SGD": _sgd, "RMSprop": _rmsprop}
