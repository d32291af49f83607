"""The examples of training learn what they are for."""

import importlib.util

import numpy as np
import pytest

from cornu.config import set_backend
from examples import autoencoder, custom_loop, gan, siamese, tree_rnn


def test_a_gan_draws_near_the_ring():
    _, points = gan.train(epochs=40, verbose=0)
    radii, angles = np.linalg.norm(points, axis=1), np.arctan2(points[:, 1], points[:, 0])
    assert abs(np.median(radii) - 2) < 0.4
    assert len(np.unique((angles // (np.pi / 3)).astype(int))) >= 4  # not one place alone


def test_a_siamese_network_tells_pairs():
    accuracy, encoder = siamese.train(epochs=6, verbose=0)
    assert accuracy > 0.9 and encoder.output_shape == (None, 8)


def test_a_loop_by_hand():
    assert custom_loop.train(epochs=6, verbose=0) > 0.94


def test_a_variational_autoencoder():
    x, new = autoencoder.pictures()
    mean = np.clip(x.mean(0), 1e-3, 1 - 1e-3)
    blind = -np.mean(np.sum(new * np.log(mean) + (1 - new) * np.log(1 - mean), 1))  # the best without a code
    assert autoencoder.train(epochs=12, verbose=0)[0] < 0.9 * blind


@pytest.mark.slow
def test_a_tree_network_evaluates_larger_expressions():
    set_backend("numpy")
    losses, accuracy = tree_rnn.train(verbose=0)
    assert accuracy > 0.93 and losses[-1] < 0.1 * losses[0]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["jax", "torch"])
def test_a_tree_network_learns_alike_on(engine):
    """Eagerly, as the data go: the losses are NumPy's."""
    if importlib.util.find_spec(engine) is None:
        pytest.skip(f"{engine} is not installed")
    found = []
    for name in (engine, "numpy"):
        set_backend(name)
        found.append(tree_rnn.train(epochs=5, verbose=0, count=160, depths=(1, 2), new_depths=(2,)))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-3)
    assert abs(found[0][1] - found[1][1]) < 0.02 and found[0][1] > 0.8


def test_the_trees_are_what_they_say():
    def value(symbols):
        symbol = next(symbols)
        if symbol in (tree_rnn.FALSE, tree_rnn.TRUE):
            return symbol == tree_rnn.TRUE
        a, b = value(symbols), value(symbols)
        return {tree_rnn.AND: a and b, tree_rnn.OR: a or b, tree_rnn.XOR: a ^ b}[symbol]

    trees, values = tree_rnn.expressions(60, (1, 2, 3, 4), seed=3)
    assert [value(iter(tree)) for tree in trees.tolist()] == values.tolist() and 2 * sum(values) == 60
