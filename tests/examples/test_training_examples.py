"""The examples of training learn what they are for."""

import numpy as np

from examples import autoencoder, custom_loop, gan, siamese


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
