"""Wrong arguments of compile, fit, evaluate and predict are told where they come in, with what to do."""

import numpy as np
import pytest

from cornu import backends, callbacks, layers
from cornu.layers import Input
from cornu.models import Model, Sequential

X = np.random.default_rng(0).random((12, 4)).astype("float32")
Y, CLASSES = X[:, :1], np.arange(12) % 3


def one(**compiled):
    model = Sequential([Input((4,)), layers.Dense(1)])
    model.compile(**{"optimizer": "sgd", "loss": "mse", **compiled})
    return model


def classes(loss="sparse_categorical_crossentropy"):
    model = Sequential([Input((4,)), layers.Dense(3, "softmax")])
    model.compile("sgd", loss)
    return model


def two():
    a, b = Input((4,), name="a"), Input((2,), name="b")
    model = Model([a, b], layers.Dense(1)(layers.concatenate([a, b])))
    model.compile("sgd", "mse")
    return model


class Own(Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)
        self.compile("sgd", "mse")

    def call(self, x):
        return self.dense(x)


class NumberForLogs(Own):
    def train_step(self, data):
        return 3


class LogsAlone(Own):
    def train_step(self, state, data):
        return {"loss": 0.0}


def fit(model=one, x=X, y=Y, **options):
    return lambda: model().fit(x, y, **{"verbose": 0, **options})


MISTAKES = {
    "loss_weights of text": (lambda: one(loss_weights="x"), "loss_weights must be numbers"),
    "loss_weights too many": (fit(lambda: one(loss_weights=[1, 2])), "the model has 1 output"),
    "loss_weights by a wrong name": (fit(lambda: one(loss_weights={"zz": 1})), "has no output 'zz'"),
    "a number as a metric": (lambda: one(metrics=[3]), "names, functions or Metrics; got 3"),
    "metrics without a list": (lambda: one(metrics="mae"), r"Write metrics=\['mae'\]"),
    "run_eagerly": (lambda: one(run_eagerly="x"), "run_eagerly must be True or False"),
    "jit_compile": (lambda: one(jit_compile="yes"), 'True, False or "auto"'),
    "steps_per_execution": (lambda: one(steps_per_execution=0), "at least 1"),
    "epochs of a fraction": (fit(epochs=1.5), "epochs must be an integer"),
    "epochs below 0": (fit(epochs=-1), "epochs must be an integer of at least 0"),
    "epochs of text": (fit(epochs="3"), "epochs must be an integer"),
    "initial_epoch": (fit(initial_epoch=-1), "initial_epoch must be an integer"),
    "batch_size": (fit(batch_size=0), "batch_size"),
    "verbose of text": (fit(verbose="loud"), "verbose must be 0"),
    "verbose of 7": (fit(verbose=7), "verbose must be 0"),
    "a number as a callback": (fit(callbacks=[3]), "got 3"),
    "a class as a callback": (fit(callbacks=[callbacks.EarlyStopping]), "is a class; pass an object"),
    "split above 1": (fit(validation_split=2), "validation_split must be a fraction"),
    "split of text": (fit(validation_split="a"), "validation_split must be a fraction"),
    "a number as validation": (fit(validation_data=3), "validation_data must be"),
    "four parts of validation": (fit(validation_data=(X, Y, Y, Y)), "a tuple of 4"),
    "lengths of validation": (fit(validation_data=(X, Y[:3])), "x has 12, y has 3"),
    "shapes of validation": (fit(validation_data=(X[:, :2], Y)), r"wants the shape \(None, 4\)"),
    "validation_freq of 0": (fit(validation_data=(X, Y), validation_freq=0), "validation_freq must be an integer"),
    "validation_freq of text": (fit(validation_data=(X, Y), validation_freq="a"), "validation_freq must be an integer"),
    "validation_steps": (fit(validation_data=(X, Y), validation_steps=0), "at least 1"),
    "shuffle": (fit(shuffle="yes"), "shuffle: wanted"),
    "class_weight as a list": (fit(classes, y=CLASSES, class_weight=[1, 2, 3]), r"Write \{0: 1, 1: 2, 2: 3\}"),
    "class_weight by names": (fit(classes, y=CLASSES, class_weight={"a": 1}), "the classes as integers"),
    "class_weight of text": (fit(classes, y=CLASSES, class_weight={0: "a"}), "must be a number"),
    "sample_weight too short": (fit(sample_weight=np.ones(3)), "sample_weight has 3"),
    "sample_weight of text": (fit(sample_weight="balanced"), "sample_weight: data of type str"),
    "steps_per_epoch": (fit(steps_per_epoch=0), "at least 1"),
    "no data": (lambda: one().fit(verbose=0), "x is None"),
    "no samples": (fit(x=X[:0], y=Y[:0]), "no samples"),
    "lengths": (fit(y=Y[:5]), "x has 12, y has 5"),
    "shape of inputs": (fit(x=X[:, :3]), r"wants the shape \(None, 4\).*got \(12, 3\)"),
    "two inputs for one": (fit(x=[X, X]), r"wanted 1 input\(s\)"),
    "one input for two": (fit(two), r"wanted 2 input\(s\) \(a, b\)"),
    "a wrong name of an input": (fit(two, x={"a": X, "c": X}), "has no 'b'"),
    "inputs exchanged": (fit(two, x=[X[:, :2], X]), "the input 'a' wants"),
    "labels for two outputs": (fit(y=[Y, Y]), "the model has 1 output"),
    "labels by a wrong name": (fit(y={"zz": Y}), "has no output 'zz'"),
    "labels out of range": (fit(classes, y=CLASSES + 5), "from 0 to 2"),
    "one-hot labels for class numbers": (fit(classes, y=np.eye(3)[CLASSES]), "Use categorical_crossentropy"),
    "class numbers for one-hot": (fit(lambda: classes("categorical_crossentropy"), y=CLASSES), "use sparse_categorical_crossentropy"),
    "labels beside a generator": (fit(x=(i for i in [(X, Y)])), "must come with its batches"),
    "evaluate by a wrong name": (lambda: one().evaluate(X, Y, foo=3), "no argument 'foo'"),
    "evaluate with verbose": (lambda: one().evaluate(X, Y, verbose=9), "verbose must be 0"),
    "labels to predict": (lambda: one().predict(X, Y), "predict takes x alone"),
    "batch_size of predict": (lambda: one().predict(X, batch_size=0, verbose=0), "batch_size must be an integer"),
    "one sample": (lambda: one().predict(X[0], verbose=0), "needs a batch axis"),
    "batch without labels": (lambda: one().train_on_batch(X), "got no targets"),
    "both weights": (lambda: one().train_on_batch(X, Y, sample_weight=np.ones(12), class_weight={0: 1.0}), "cannot both be given"),
    "a step without logs": (fit(NumberForLogs), "must return its logs, a dictionary; it returned 3"),
    "a step without state": (fit(LogsAlone), "must return `logs, state`; it returned dict"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake):
    backends.load("numpy")
    run, said = MISTAKES[mistake]
    with pytest.raises((ValueError, TypeError), match=said):
        run()
