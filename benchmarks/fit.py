"""A step of `fit`, ours against Keras on the same engine and against PyTorch by hand.

    taskset -c 0 python benchmarks/fit.py [mlp cnn lstm transformer resnet50 mobilenet tiny] [--engine jax] [--peers keras torch] [--mnist mnist.npz] [--repeats 3] [--rounds 2]

Each library trains in a process of its own, with its default settings: `fit` for Keras and ours (the same lines of code), a plain loop with fused
Adam for PyTorch. The peers run in the interpreter that `CORNU_ORACLE` or `--oracle` names (an environment or its python), by default `.venv-oracle`
of the repository. `--engine torch` has ours and Keras run on PyTorch, eagerly as is the default there. A first `fit` compiles and is not counted; of the further ones the least counts. Processor time is that of all threads.

mlp: 784-128-10 with dropout, 60,000 rows, batch 32. cnn: four blocks of convolution and pooling 32/64/128/128, dense 1024, 512, 10, batch 64.
lstm: embedding 20,000 x 128, LSTM 128, one sigmoid, 80 words, batch 32. transformer: embedding 8,000 x 128, two encoder blocks (4 heads, 512 hidden),
mean, two softmax, 128 words, batch 32 (not by hand). resnet50, mobilenet: `applications.ResNet50` and `MobileNetV2` on pictures of 64 and 96 pixels,
10 classes, batch 32 (not by hand). tiny: 8-16-1 regression, 1,000 rows, batch 32, 20 epochs.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time

import numpy as np
from measuring import oracle, save

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BATCH = {"mlp": 32, "cnn": 64, "lstm": 32, "transformer": 32, "resnet50": 32, "mobilenet": 32, "tiny": 32}
EPOCHS = {"mlp": 1, "cnn": 1, "lstm": 1, "transformer": 1, "resnet50": 1, "mobilenet": 1, "tiny": 20}
CNN_ROWS = 64 * 24  # a step takes tens of milliseconds: 24 are enough
LSTM_ROWS = 32 * 40
TRANSFORMER_ROWS = 32 * 16
PIXELS = {"resnet50": 64, "mobilenet": 96}
PICTURES = 32 * 4
ENGINES = {"jax": "JAX", "torch": "PyTorch", "tensorflow": "TensorFlow", "pytensor": "PyTensor"}
BY_HAND = ("mlp", "cnn", "lstm", "tiny")
NAMES = {"ours": "cornu", "keras": "Keras", "torch": "PyTorch by hand"}


def data(workload, mnist):
    drawn = np.random.default_rng(0)
    if workload == "tiny":
        x = drawn.random((1000, 8), "float32")
        return x, x.sum(1, keepdims=True)
    if workload == "lstm":
        return drawn.integers(0, 20000, (LSTM_ROWS, 80), "int32"), drawn.integers(0, 2, (LSTM_ROWS, 1)).astype("float32")
    if workload == "transformer":
        return drawn.integers(0, 8000, (TRANSFORMER_ROWS, 128), "int32"), drawn.integers(0, 2, TRANSFORMER_ROWS, "int32")
    if workload in PIXELS:
        return drawn.random((PICTURES, PIXELS[workload], PIXELS[workload], 3), "float32"), drawn.integers(0, 10, PICTURES, "int32")
    if mnist:
        with np.load(mnist) as file:
            x, y = file["x_train"].astype("float32") / 255, file["y_train"].astype("int32")
    else:
        x, y = drawn.random((60000, 28, 28), "float32"), drawn.integers(0, 10, 60000, "int32")
    return (x.reshape(-1, 784), y) if workload == "mlp" else (x[:CNN_ROWS, ..., None], y[:CNN_ROWS])


def compiled(keras, workload):
    """The model of a workload, compiled: written against Keras's public interface, for Keras and for ours."""
    layers = keras.layers
    if workload == "mlp":
        model = keras.Sequential([keras.Input((784,)), layers.Dense(128, activation="relu"), layers.Dropout(0.2), layers.Dense(10, activation="softmax")])
    elif workload == "cnn":
        model = keras.Sequential([keras.Input((28, 28, 1))])
        for filters, window in (32, 5), (64, 5), (128, 3), (128, 3):
            model.add(layers.Conv2D(filters, window, activation="relu", padding="same"))
            model.add(layers.MaxPooling2D(2))
        model.add(layers.Flatten())
        for units in 1024, 512:
            model.add(layers.Dense(units, activation="relu"))
        model.add(layers.Dense(10, activation="softmax"))
    elif workload == "lstm":
        model = keras.Sequential([keras.Input((80,)), layers.Embedding(20000, 128), layers.LSTM(128), layers.Dense(1, activation="sigmoid")])
    elif workload == "transformer":
        inputs = keras.Input((128,), dtype="int32")
        words = layers.Embedding(8000, 128)(inputs)
        for _ in range(2):
            attended = layers.MultiHeadAttention(4, 32)(words, words)
            words = layers.LayerNormalization()(layers.Add()([words, attended]))
            hidden = layers.Dense(128)(layers.Dense(512, activation="relu")(words))
            words = layers.LayerNormalization()(layers.Add()([words, hidden]))
        model = keras.Model(inputs, layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling1D()(words)))
    elif workload in PIXELS:
        make = keras.applications.ResNet50 if workload == "resnet50" else keras.applications.MobileNetV2
        model = make(weights=None, input_shape=(PIXELS[workload], PIXELS[workload], 3), classes=10)
    else:
        model = keras.Sequential([keras.Input((8,)), layers.Dense(16, activation="relu"), layers.Dense(1)])
    if workload == "tiny":
        model.compile("adam", "mse")
    elif workload == "lstm":
        model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    else:
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def trained_by_fit(keras, workload, x, y):
    """`run()` trains some epochs."""
    model = compiled(keras, workload)
    return lambda: model.fit(x, y, batch_size=BATCH[workload], epochs=EPOCHS[workload], verbose=0)


def trained_by_torch(workload, x, y):
    import torch
    from torch import nn

    if workload == "mlp":
        model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10))
    elif workload == "cnn":
        blocks, channels = [], 1
        for filters, window in (32, 5), (64, 5), (128, 3), (128, 3):
            blocks += [nn.Conv2d(channels, filters, window, padding=window // 2), nn.ReLU(), nn.MaxPool2d(2)]
            channels = filters
        model = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(128, 1024), nn.ReLU(), nn.Linear(1024, 512), nn.ReLU(), nn.Linear(512, 10))
        x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    elif workload == "lstm":

        class Words(nn.Module):
            def __init__(self):
                super().__init__()
                self.embedding, self.lstm, self.dense = nn.Embedding(20000, 128), nn.LSTM(128, 128, batch_first=True), nn.Linear(128, 1)

            def forward(self, x):
                return self.dense(self.lstm(self.embedding(x))[0][:, -1])

        model = Words()
    else:
        model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    loss_of = {"tiny": nn.functional.mse_loss, "lstm": nn.functional.binary_cross_entropy_with_logits}.get(workload, nn.functional.cross_entropy)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    x, y, size = torch.from_numpy(x), torch.from_numpy(y if workload in ("tiny", "lstm") else y.astype("int64")), BATCH[workload]

    def run():
        for _ in range(EPOCHS[workload]):
            total, right, order = 0.0, 0.0, torch.randperm(len(x))
            for start in range(0, len(x), size):
                rows = order[start : start + size]
                output, truth = model(x[rows]), y[rows]
                loss = loss_of(output, truth)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                total += loss.item()
                if workload == "lstm":
                    right += ((output > 0) == (truth > 0.5)).sum().item()
                elif workload != "tiny":
                    right += (output.argmax(1) == truth).sum().item()

    return run


def measure(library, workload, mnist, repeats, engine):
    """Milliseconds a step of one library, in this process."""
    x, y = data(workload, mnist)
    if library == "torch":
        run = trained_by_torch(workload, x, y)
    else:
        os.environ["KERAS_BACKEND"] = engine
        if library == "ours":
            import cornu as keras
        else:
            import keras
        run = trained_by_fit(keras, workload, x, y)
    steps = EPOCHS[workload] * -(-len(x) // BATCH[workload])
    begun = time.perf_counter(), time.process_time()
    run()
    first = time.perf_counter() - begun[0], time.process_time() - begun[1]
    times = []
    for _ in range(repeats):
        begun = time.perf_counter(), time.process_time()
        run()
        times.append((time.perf_counter() - begun[0], time.process_time() - begun[1]))
    wall, cpu = (1e3 * min(column) / steps for column in zip(*times, strict=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu_ms": cpu, "wall_ms": wall, "first_fit_s": first[0], "first_fit_cpu_s": first[1], "peak_mb": peak}


def named(library, engine):
    return NAMES[library] if library == "torch" else f"{NAMES[library]} on {ENGINES[engine]}"


def in_its_own_process(library, workload, python, given):
    """What `measure` finds in a new process of the interpreter `python`."""
    environment = os.environ | {"PYTHONPATH": ROOT if library == "ours" else "", "PYTHONWARNINGS": "ignore"}
    command = [python, os.path.abspath(__file__), workload, "--measure", library, "--repeats", str(given.repeats), "--engine", given.engine]
    command += ["--mnist", os.path.abspath(given.mnist)] if given.mnist else []
    ran = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    if ran.returncode:
        sys.exit(f"{workload} by {named(library, given.engine)} failed:\n{ran.stderr}")
    return json.loads(ran.stdout.strip().splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("workloads", nargs="*", default=[], help="mlp, cnn, lstm, tiny; by default all")
    parser.add_argument("--engine", default="jax", choices=list(ENGINES), help="what ours and Keras run on")
    parser.add_argument("--peers", nargs="*", default=["keras", "torch"], choices=["keras", "torch"])
    parser.add_argument("--oracle")
    parser.add_argument("--mnist", help="mnist.npz, for real data in place of random numbers")
    parser.add_argument("--repeats", type=int, default=3, help="fits measured in a process")
    parser.add_argument("--rounds", type=int, default=2, help="processes of each library, by turns")
    parser.add_argument("--measure", choices=list(NAMES), help="measure one library in this process and print JSON")
    given = parser.parse_args()
    workloads = given.workloads or list(BATCH)
    if given.measure:
        print(json.dumps(measure(given.measure, workloads[0], given.mnist, given.repeats, given.engine)))
        return
    peer = oracle(given.oracle)
    if given.peers and not peer:
        parser.error(
            f"--oracle: no python in {given.oracle or '.venv-oracle'}. Give an environment that has keras, jax and torch, or --peers with nothing after it."
        )
    found = {}
    print(f"{'':30s}{'CPU ms/step':>12s}{'wall':>9s}{'CPU ratio':>11s}{'wall':>7s}{'first fit s':>13s}{'peak MB':>9s}")
    for workload in workloads:
        libraries, rounds = ["ours", *(peer for peer in given.peers if peer != "torch" or workload in BY_HAND)], {}
        for _ in range(given.rounds):  # by turns, since the machine may be busier at one time than at another
            for library in libraries:
                row = in_its_own_process(library, workload, sys.executable if library == "ours" else peer, given)
                rounds.setdefault(library, []).append(row)
        rows = {library: {key: min(row[key] for row in rows) for key in rows[0]} for library, rows in rounds.items()}
        for library, row in rows.items():
            row |= {ratio: row[key] / rows["ours"][key] for ratio, key in (("cpu_ratio", "cpu_ms"), ("wall_ratio", "wall_ms"))}
            times = f"{row['cpu_ms']:12.4f}{row['wall_ms']:9.4f}{row['cpu_ratio']:11.2f}{row['wall_ratio']:7.2f}"
            print(f"{workload:12s}{named(library, given.engine):18s}{times}{row['first_fit_s']:13.2f}{row['peak_mb']:9.0f}", flush=True)
        found[workload] = rows
    save("fit" if given.engine == "jax" else f"fit_{given.engine}", {"workloads": found, "data": "mnist" if given.mnist else "random"})


if __name__ == "__main__":
    main()
