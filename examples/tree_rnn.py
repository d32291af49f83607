"""A recursive network: its shape is that of the tree it is given, and another one for the next.

Each tree is an expression of truth values, such as `xor(and(true, false), true)`; the network learns `and`, `or` and `xor` from expressions and
what they come to, and then evaluates larger ones. It runs eagerly, with `if` and recursion on the values of the data, on any backend that computes
op by op: PyTorch, JAX, NumPy.

    CORNU_BACKEND=torch python examples/tree_rnn.py [EPOCHS]     default: 8
"""

import sys

import numpy as np

import cornu as keras
from cornu import layers, ops

FALSE, TRUE, AND, OR, XOR = 1, 2, 3, 4, 5  # 0 fills up


def expression(chance, depth):
    """The symbols of a random tree, an operator before its two operands, and what it comes to."""
    if depth == 0:
        value = bool(chance.integers(2))
        return [TRUE if value else FALSE], value
    operator = int(chance.integers(AND, XOR + 1))
    (left, a), (right, b) = expression(chance, depth - 1), expression(chance, chance.integers(depth))
    if chance.integers(2):
        left, right = right, left
    return [operator, *left, *right], {AND: a and b, OR: a or b, XOR: a != b}[operator]


def expressions(count, depths, seed):
    """Trees as rows of symbols, filled up with zeros; as many that are true as false."""
    chance, found = np.random.default_rng(seed), {False: [], True: []}
    while min(map(len, found.values())) < count // 2:
        symbols, value = expression(chance, int(chance.choice(depths)))
        found[value].append(symbols)
    rows = [symbols for pair in zip(found[False], found[True]) for symbols in pair][:count]
    trees = np.zeros((count, max(map(len, rows))), "int32")
    for tree, symbols in zip(trees, rows):
        tree[: len(symbols)] = symbols
    return trees, np.arange(count) % 2 == 1


class TreeNetwork(keras.Model):
    """A vector for each leaf; a layer for each operator, which makes one vector of two; the root's vector says true or false."""

    def __init__(self, size=16):
        super().__init__()
        self.leaf = layers.Embedding(3, size)
        self.operators = [layers.Dense(size, "tanh") for _ in (AND, OR, XOR)]
        for operator in self.operators:  # the first trees may not have all of them, and the optimizer wants to know all weights
            operator.build((None, 2 * size))
        self.answer = layers.Dense(1, "sigmoid")

    def call(self, trees):
        roots = [self.vector(iter(tree)) for tree in ops.convert_to_numpy(trees).tolist()]  # eagerly, the data have values
        return self.answer(ops.concatenate(roots, axis=0))

    def vector(self, symbols):
        symbol = next(symbols)
        if symbol <= TRUE:
            return self.leaf(np.array([symbol]))
        left, right = self.vector(symbols), self.vector(symbols)
        return self.operators[symbol - AND](ops.concatenate([left, right], axis=1))


def train(epochs=8, verbose=2, count=400, depths=(1, 2, 3), new_depths=(4,)):
    """The losses of the epochs, and the accuracy on new trees, which are deeper than those of the training."""
    keras.utils.set_random_seed(0)
    model = TreeNetwork()
    model.compile(keras.optimizers.Adam(0.03), "binary_crossentropy", metrics=["accuracy"], run_eagerly=True)
    history = model.fit(*expressions(count, depths, seed=1), batch_size=8, epochs=epochs, verbose=verbose).history
    return history["loss"], model.evaluate(*expressions(200, new_depths, seed=2), verbose=0)[1]


if __name__ == "__main__":
    print(f"{train(*map(int, sys.argv[1:2]))[1]:.1%} of the larger expressions are right")
