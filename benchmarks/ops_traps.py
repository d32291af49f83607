"""The forms of the JAX backend on a CPU against JAX's plain ones and against the floor, alone and inside a compiled loop.

    taskset -c 0 python benchmarks/ops_traps.py [part of a row's name ...]

Processor milliseconds (all threads), the least of some runs. The floor is the larger of operations over the rate of a large matrix product
and bytes (inputs and outputs once) over the rate of a large copy, both measured first.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from measuring import milliseconds, rates, save

from cornu import backends
from cornu.backends import jax_convolution

ours = backends.load("jax")
LOOPS = 3
NONE = ((0, 0), (0, 0))
DRAWN = np.random.default_rng(0)


def array(*shape):
    return jnp.asarray(DRAWN.random(shape, "float32"))


def window(x, size, strides, padding, start, combine):
    return lax.reduce_window(x, np.array(start, x.dtype), combine, (1, *size, 1), (1, *strides, 1), ((0, 0), *padding, (0, 0)))


def conv(shape, kernel, stride=1, edge=None, dilation=1, groups=1):
    """(ours, plain, x, kernel, operations) of one convolution; `edge` places of padding, by default as many as keep the size."""
    rank = len(shape) - 2
    padding = tuple((((k - 1) * dilation) // 2 if edge is None else edge,) * 2 for k in kernel[:rank])
    arguments = ((stride,) * rank, padding, (dilation,) * rank, groups)

    def plain(x, kernel):
        return jax_convolution.plain_conv(x, kernel, *arguments)

    output = jax.eval_shape(plain, array(*shape), array(*kernel))
    return lambda x, kernel: ours.conv(x, kernel, *arguments), plain, (array(*shape), array(*kernel)), 2 * output.size * np.prod(kernel[:-1])


def max_pool(shape, size, stride):
    arguments = ((size, size), (stride, stride), NONE)
    return lambda x: ours.max_pool(x, *arguments), lambda x: window(x, *arguments, -np.inf, lax.max), (array(*shape),), 0


def sum_pool(shape, size, stride):
    arguments = ((size, size), (stride, stride), NONE)
    return lambda x: ours.sum_pool(x, *arguments), lambda x: window(x, *arguments, 0, lax.add), (array(*shape),), 0


def einsum(equation, x, y, operations):
    return lambda x, y: ours.einsum(equation, (x, y)), lambda x, y: jnp.einsum(equation, x, y), (array(*x), array(*y)), operations


def dense(x, y):
    return ours.matmul, jnp.matmul, (array(*x), array(*y)), 2 * np.prod(x) * y[-1]


ROWS = {
    "max pool 2/2 (64,28,28,32)": lambda: max_pool((64, 28, 28, 32), 2, 2),
    "max pool 3/2 (32,33,33,64)": lambda: max_pool((32, 33, 33, 64), 3, 2),
    "mean pool 2/2 (64,28,28,32)": lambda: sum_pool((64, 28, 28, 32), 2, 2),
    "mean pool 3/1 (32,33,33,64)": lambda: sum_pool((32, 33, 33, 64), 3, 1),
    "conv 5x5 (64,28,28,1) 32": lambda: conv((64, 28, 28, 1), (5, 5, 1, 32)),
    "conv 5x5 (64,14,14,32) 64": lambda: conv((64, 14, 14, 32), (5, 5, 32, 64)),
    "conv 3x3 (64,7,7,64) 128": lambda: conv((64, 7, 7, 64), (3, 3, 64, 128)),
    "conv 3x3 (64,3,3,128) 128": lambda: conv((64, 3, 3, 128), (3, 3, 128, 128)),
    "conv 3x3 (32,16,16,64) 64": lambda: conv((32, 16, 16, 64), (3, 3, 64, 64)),
    "conv 3x3/2 (32,16,16,64) 64": lambda: conv((32, 16, 16, 64), (3, 3, 64, 64), 2),
    "conv 3x3 dilated 2 (32,16,16,64) 64": lambda: conv((32, 16, 16, 64), (3, 3, 64, 64), dilation=2),
    "conv 7x7/2 (32,64,64,3) 64": lambda: conv((32, 64, 64, 3), (7, 7, 3, 64), 2),
    "conv 3x3 (32,2,2,512) 512": lambda: conv((32, 2, 2, 512), (3, 3, 512, 512)),
    "conv 1x1 (32,16,16,256) 64": lambda: conv((32, 16, 16, 256), (1, 1, 256, 64)),
    "conv 1x1/2 (32,16,16,256) 512": lambda: conv((32, 16, 16, 256), (1, 1, 256, 512), 2),
    "depthwise 3x3 (32,16,16,64)": lambda: conv((32, 16, 16, 64), (3, 3, 1, 64), groups=64),
    "depthwise 3x3/2 (32,32,32,32)": lambda: conv((32, 32, 32, 32), (3, 3, 1, 32), 2, groups=32),
    "conv 3x3, 4 groups (32,16,16,128) 128": lambda: conv((32, 16, 16, 128), (3, 3, 32, 128), groups=4),
    "conv 5, one axis (32,128,64) 64": lambda: conv((32, 128, 64), (5, 64, 64)),
    "conv 3x3x3 (4,16,16,16,32) 32": lambda: conv((4, 16, 16, 16, 32), (3, 3, 3, 32, 32)),
    "dense (32,128,128) 512": lambda: dense((32, 128, 128), (128, 512)),
    "dense (32,128,512) 128": lambda: dense((32, 128, 512), (512, 128)),
    "heads abc,cde->abde (32,128,128)(128,4,32)": lambda: einsum("abc,cde->abde", (32, 128, 128), (128, 4, 32), 2 * 32 * 128**3),
    "heads abcd,cde->abe (32,128,4,32)(4,32,128)": lambda: einsum("abcd,cde->abe", (32, 128, 4, 32), (4, 32, 128), 2 * 32 * 128**3),
}


def pulled(function):
    """All gradients of `function`, for a cotangent that is the last argument."""
    return lambda *arguments: jax.vjp(function, *arguments[:-1])[1](arguments[-1])


def looped(function):
    """`function` some times inside one compiled loop: each turn's results are kept whole, and the next turn needs one of their numbers."""

    def run(*arguments):
        def turn(_, before):
            number = jax.tree.leaves(before)[0].ravel()[0] * 1e-9
            return function(*(x + number for x in arguments))

        return lax.fori_loop(0, LOOPS, turn, jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(function, *arguments)))

    return run


def size(tree):
    return sum(4 * leaf.size for leaf in jax.tree.leaves(tree))


def main(wanted):
    by_product, by_copy = rates()
    print(f"large product {by_product / 1e6:.0f} GFLOP/s, large copy {by_copy / 1e6:.1f} GB/s")
    print(f"{'':58s}{'ours':>9s}{'in loop':>9s}{'plain':>9s}{'in loop':>9s}{'floor':>8s}{'plain/ours':>11s}{'in loop':>8s}")
    table = {}
    for name, make in ROWS.items():
        if wanted and not any(part in name for part in wanted):
            continue
        mine, plain, arguments, operations = make()
        cotangent = jnp.ones_like(jax.eval_shape(plain, *arguments))
        for kind in "forward", "gradients":
            forms = [mine, plain] if kind == "forward" else [pulled(mine), pulled(plain)]
            given = arguments if kind == "forward" else (*arguments, cotangent)
            moved = size(given) + size(jax.eval_shape(forms[1], *given))
            floor = max(operations * (1 if kind == "forward" else 2) / by_product, moved / by_copy)
            cells = [milliseconds(jax.jit(forms[0]), *given), milliseconds(jax.jit(looped(forms[0])), *given) / LOOPS]
            cells += [milliseconds(jax.jit(forms[1]), *given), milliseconds(jax.jit(looped(forms[1])), *given, runs=2, seconds=0.2) / LOOPS]
            table[f"{name}, {kind}"] = dict(zip(("ours", "ours_in_loop", "plain", "plain_in_loop"), cells, strict=True), floor=floor)
            shown = "".join(f"{cell:9.2f}" for cell in cells)
            print(f"{name + ', ' + kind:58s}{shown}{floor:8.2f}{cells[2] / cells[0]:11.1f}{cells[3] / cells[1]:8.1f}", flush=True)
    if not wanted:
        save("ops_traps", {"gflops": by_product / 1e6, "copy_gb_per_s": by_copy / 1e6, "cpu_ms": table})


if __name__ == "__main__":
    main(sys.argv[1:])
