"""Train a convolutional classifier on real handwritten digits; save the model, its curves and a grid of predicted pictures.

The 1,797 digits of 8 x 8 pixels come with cornu, so this needs no network.

    python examples/demo.py [FOLDER]     default: demo
"""

import pathlib
import sys
import time

import matplotlib
import numpy as np

import cornu as keras
from cornu import layers

matplotlib.use("Agg")
from matplotlib import pyplot as plt

EPOCHS = 25


def load_digits():
    """Pictures (rows, 8, 8, 1) from 0 to 1, and the digits they show."""
    (x_train, y_train), (x_test, y_test) = keras.datasets.digits.load_data()
    return (x_train[..., None] / 16.0, y_train), (x_test[..., None] / 16.0, y_test)


def classifier():
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ],
        name="digits",
    )


def draw_curves(history, path):
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    epochs = range(1, len(history["loss"]) + 1)
    for axes, quantity in ((left, "loss"), (right, "accuracy")):
        axes.plot(epochs, history[quantity], label="training")
        axes.plot(epochs, history[f"val_{quantity}"], label="test")
        axes.set(xlabel="epoch", ylabel=quantity)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def draw_predictions(x, y, probabilities, path):
    """The first pictures with what the model saw in them; what it got wrong comes first, in red."""
    seen = probabilities.argmax(axis=1)
    order = np.argsort(seen == y, kind="stable")[:40]
    figure, grid = plt.subplots(5, 8, figsize=(10, 7.5), layout="constrained")
    for axes, row in zip(grid.flat, order, strict=True):
        right = seen[row] == y[row]
        axes.imshow(x[row, ..., 0], cmap="gray_r")
        axes.set_title(f"{seen[row]} ({probabilities[row].max():.0%})" + ("" if right else f", is {y[row]}"), color="black" if right else "red", fontsize=9)
        axes.set_axis_off()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main(folder="demo"):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(0)
    (x_train, y_train), (x_test, y_test) = load_digits()

    model = classifier()
    model.summary()
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    start = time.perf_counter()
    history = model.fit(x_train, y_train, batch_size=32, epochs=EPOCHS, validation_data=(x_test, y_test), verbose=2)
    seconds = time.perf_counter() - start
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)

    model.save(folder / "model.keras")
    probabilities = keras.saving.load_model(folder / "model.keras").predict(x_test, verbose=0)
    draw_curves(history.history, folder / "curves.png")
    draw_predictions(x_test, y_test, probabilities, folder / "predictions.png")

    print(f"\nTest accuracy: {accuracy:.2%} of {len(x_test)} digits, after {seconds:.0f} s of training.")
    for name, what in (
        ("model.keras", "the model, loaded again for the predictions"),
        ("curves.png", "loss and accuracy by epoch"),
        ("predictions.png", "predicted pictures"),
    ):
        print(f"  {folder / name}: {what}")
    if accuracy < 0.98:
        sys.exit(f"The accuracy is below 98 %: {accuracy:.2%}.")


if __name__ == "__main__":
    main(*sys.argv[1:])
