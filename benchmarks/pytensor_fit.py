"""Training steps on PyTensor: ours beside the same model written by hand in PyTensor, as CPU time a step.

    python benchmarks/pytensor_fit.py [--rounds 5] [--json benchmarks/results/fit_pytensor.json] [mlp lstm cnn]

Both use the same first weights, Adam, and PyTensor's default mode (PYTENSOR_FLAGS or CORNU_PYTENSOR_MODE name another). The hand-written form holds
weights and Adam's slots in shared variables that its updates change; convolution by hand is nine shifted products, which is how one writes it there.
"""

import argparse
import json
import os
import time

import numpy as np
import pytensor
from pytensor import tensor as pt

import cornu as keras
from cornu import backends, layers

RATE, DECAY_1, DECAY_2, EPSILON = 1e-3, 0.9, 0.999, 1e-7


def model_of(name):
    """(model, inputs, classes, batch size)."""
    generator = np.random.default_rng(0)
    if name == "mlp":
        model = keras.Sequential([keras.Input((784,)), layers.Dense(128, activation="relu"), layers.Dense(10)])
        return model, generator.random((4096, 784), "float32"), 128
    if name == "lstm":
        model = keras.Sequential([keras.Input((28, 28)), layers.LSTM(64), layers.Dense(10)])
        return model, generator.random((1024, 28, 28), "float32"), 64
    model = keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D(2), layers.Flatten(), layers.Dense(10)])
    return model, generator.random((1024, 28, 28, 1), "float32"), 64


def by_hand(name, x, weights):
    """The logits."""
    if name == "mlp":
        return pt.maximum(x @ weights[0] + weights[1], 0) @ weights[2] + weights[3]
    if name == "lstm":
        units = weights[1].get_value().shape[0]
        ahead = (x.reshape((-1, 28)) @ weights[0] + weights[2]).reshape((x.shape[0], 28, 4 * units)).transpose(1, 0, 2)

        def step(seen, h, c, recurrent):
            z = seen + h @ recurrent
            i, f, o = (pt.sigmoid(z[:, k * units : (k + 1) * units]) for k in (0, 1, 3))
            c = f * c + i * pt.tanh(z[:, 2 * units : 3 * units])
            return o * pt.tanh(c), c

        zeros = pt.zeros((x.shape[0], units), "float32")
        h, _ = pytensor.scan(step, sequences=[ahead], outputs_info=[zeros, zeros], non_sequences=[weights[1]], return_updates=False)
        return h[-1] @ weights[3] + weights[4]
    shifts = [(i, j) for i in range(3) for j in range(3)]
    y = sum(pt.tensordot(x[:, i : i + 26, j : j + 26], weights[0][i, j], 1) for i, j in shifts) + weights[1]
    y = pt.maximum(y, 0)
    y = pt.maximum(pt.maximum(y[:, ::2, ::2], y[:, 1::2, ::2]), pt.maximum(y[:, ::2, 1::2], y[:, 1::2, 1::2]))
    return y.reshape((x.shape[0], -1)) @ weights[2] + weights[3]


def step_by_hand(name, first, shape):
    """A compiled function of a batch that gives the loss and changes the weights."""
    weights = [pytensor.shared(w.copy()) for w in first]
    x, y = pt.tensor("x", shape=(None, *shape), dtype="float32"), pt.vector("y", dtype="int64")
    logits = by_hand(name, x, weights)
    shifted = logits - pt.max(logits, 1, keepdims=True)
    logged = shifted - pt.log(pt.sum(pt.exp(shifted), 1, keepdims=True))
    loss = -pt.mean(logged[pt.arange(y.shape[0]), y])
    count = pytensor.shared(np.float32(0))
    at = count + np.float32(1)
    rate = np.float32(RATE) * pt.sqrt(1 - np.float32(DECAY_2) ** at) / (1 - np.float32(DECAY_1) ** at)
    updates = [(count, at)]
    for weight, gradient in zip(weights, pytensor.grad(loss, weights), strict=True):
        m, v = (pytensor.shared(np.zeros_like(weight.get_value())) for _ in range(2))
        next_m, next_v = m + (gradient - m) * np.float32(1 - DECAY_1), v + (pt.sqr(gradient) - v) * np.float32(1 - DECAY_2)
        updates += [(m, next_m), (v, next_v), (weight, weight - rate * next_m / (pt.sqrt(next_v) + np.float32(EPSILON)))]
    return pytensor.function([x, y], loss, updates=updates, trust_input=True)


def measure(name, rounds):
    keras.utils.set_random_seed(0)
    model, x, size = model_of(name)
    y = np.random.default_rng(1).integers(0, 10, len(x))
    step = step_by_hand(name, [np.array(w) for w in model.get_weights()], x.shape[1:])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))

    def ours(epochs):
        return model.fit(x, y, batch_size=size, epochs=epochs, shuffle=False, verbose=0).history["loss"][0]

    def hand(epochs):
        losses = [float(step(x[i : i + size], y[i : i + size])) for _ in range(epochs) for i in range(0, len(x), size)]
        return np.mean(losses[: len(x) // size])

    found = {}
    for which, run in (("ours", ours), ("by hand", hand)):
        start = time.process_time()
        found[which] = {"first epoch's loss": float(run(1)), "first epoch, s": round(time.process_time() - start, 2), "ms a step": []}
    epochs = max(1, 3072 // len(x))
    for _ in range(rounds):
        for which, run in (("ours", ours), ("by hand", hand)):
            start = time.process_time()
            run(epochs)
            found[which]["ms a step"].append((time.process_time() - start) / (epochs * len(x) // size) * 1e3)
    for which in found.values():
        which["ms a step"] = round(min(which["ms a step"]), 3)
    found["ratio"] = round(found["ours"]["ms a step"] / found["by hand"]["ms a step"], 2)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=["mlp", "lstm", "cnn"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json")
    arguments = parser.parse_args()
    backends.load("pytensor")
    results = {"pytensor": pytensor.__version__, "load": round(os.getloadavg()[0], 1)}
    for name in arguments.names:
        results[name] = measure(name, arguments.rounds)
        print(name, results[name], flush=True)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)
