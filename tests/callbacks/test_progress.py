"""The progress bar in a terminal (a real pseudo-terminal), in a pipe, in a notebook."""

import os
import pty
import re
import subprocess
import sys
import time
import types

import pytest

from cornu.training.callbacks import CallbackList, Progbar, ProgbarLogger, progress, screens
from tests.callbacks.fake import Model, fit

SCRIPT = """
from tests.callbacks.fake import fit
fit([], [{"loss": 0.5, "accuracy": 0.25, "val_loss": 1e-5}] * 2, batches=[{"loss": 1 / (i + 1)} for i in range(30)], verbose=VERBOSE)
"""


def run_in_terminal(code, columns=200, **environment):
    """What the script writes to a pseudo-terminal of that width."""
    master, slave = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns), "PYTHONIOENCODING": "utf-8", **environment}
    process = subprocess.Popen([sys.executable, "-c", code], stdout=slave, stderr=slave, env={**env, "PYTHONPATH": os.getcwd()})
    os.close(slave)
    out = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        out += part
    os.close(master)
    assert process.wait() == 0, out.decode()
    return out.decode().replace("\r\n", "\n")


def final_screen(text):
    """The lines that a terminal shows in the end, without colours."""
    lines = []
    for line in re.sub(r"\x1b\[\d+m", "", text).split("\n"):
        shown = ""
        for part in line.split("\r"):
            ends = part.endswith("\x1b[K")
            part = part.removesuffix("\x1b[K")
            shown = part if ends else part + shown[len(part) :]
        lines.append(shown)
    return lines


def test_terminal():
    text = run_in_terminal(SCRIPT.replace("VERBOSE", "1"))
    lines = final_screen(text)
    assert lines[0] == "Epoch 1/2" and lines[2] == "Epoch 2/2" and lines[4:] == [""]
    assert re.fullmatch(r"30/30 ━{20} 0s \d+[um]s/step - loss: 0\.5000 - accuracy: 0\.2500 - val_loss: 1\.0000e-05", lines[1])
    assert "\x1b[32m" in text and "\b" not in text
    assert "\x1b[32m" not in run_in_terminal(SCRIPT.replace("VERBOSE", "1"), NO_COLOR="1")
    assert "\x1b" not in run_in_terminal(SCRIPT.replace("VERBOSE", "1"), TERM="dumb")


def test_narrow_terminal_is_not_broken():
    text = run_in_terminal("from tests.callbacks.test_progress import long_lines; long_lines()", columns=40)
    unfinished = [re.sub(r"\x1b\[\d*[mK]", "", part) for part in text.split("\r")[1:-1]]
    assert unfinished and all(len(part) <= 39 for part in unfinished)


def long_lines():
    bar = Progbar(3, interval=0)
    for i in range(3):
        bar.update(i + 1, [("a_rather_long_name", i), ("another_long_name", i)])


@pytest.mark.parametrize("verbose", [1, 2, "auto"])
def test_pipe(verbose, capsys):
    fit([], [{"loss": 0.5, "val_loss": 2}] * 2, batches=[{"loss": 1.0}] * 3, verbose=verbose)
    assert re.fullmatch(r"(Epoch \d/2\n3/3 - 0s - \d+us/step - loss: 0\.5000 - val_loss: 2\.0000\n){2}", capsys.readouterr().out)


def test_silence(capsys):
    fit([], [{"loss": 0.5}] * 2, batches=[{"loss": 1.0}] * 3, verbose=0)
    Progbar(2, verbose=0).update(2, [("a", 1)])
    assert capsys.readouterr().out == ""


def test_evaluate_predict_and_validation(capsys):
    together = CallbackList([], add_progbar=True, model=Model(), verbose="auto", steps=2)
    together.on_test_begin()
    together.on_test_steps(2, 2, {"loss": 9.0})
    together.on_test_end({"loss": 1.0})
    together.on_predict_begin()
    together.on_predict_batch_end(0, {"outputs": [1.0]})
    together.on_predict_batch_end(1, {"outputs": [1.0]})
    together.on_predict_end()
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"2/2 - 0s - \d+us/step - loss: 1\.0000", lines[0]) and re.fullmatch(r"2/2 - 0s - \d+us/step", lines[1])
    together.on_train_begin()
    together.on_epoch_begin(0)
    together.on_test_begin()
    together.on_test_batch_end(0, {"loss": 1.0})
    together.on_test_end({"loss": 1.0})
    assert capsys.readouterr().out == ""


def test_unknown_number_of_steps(capsys):
    together = CallbackList([], add_progbar=True, model=Model(), verbose=1, steps=None)
    together.on_train_begin()
    together.on_epoch_begin(0)
    for i in range(4):
        together.on_train_batch_end(i, {"loss": 1.0})
    together.on_epoch_end(0, {"loss": 0.5})
    assert capsys.readouterr().out.startswith("4/4 - 0s")


class Live(screens.Plain):
    """A screen that keeps what it is given."""

    live = True

    def __init__(self):
        self.shown, self.ended = [], []

    def show(self, line):
        self.shown.append(screens._STYLE.sub("", line))

    def end(self, line):
        self.ended.append(screens._STYLE.sub("", line))


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is told otherwise."""
    now = types.SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now.seconds)
    return now


def bar_of(target, **arguments):
    bar = Progbar(target, **arguments)
    bar.screen = Live()
    return bar


def test_lines_as_keras_writes_them(clock):
    """Count, bar, time left, time a step, values: each checked against what Keras prints."""
    for seconds, left, step in ((5.6, "50s", "56ms"), (11.2, "1:40", "112ms"), (445, "1:06:45", "4s"), (11111.1, "27:46:39", "111s")):
        bar = bar_of(1001)
        bar.update(1, [("loss", 0.5)])
        clock.seconds += seconds
        bar.update(101, [("loss", 0.25)])
        assert bar.screen.shown[-1] == f" 101/1001 {'━' * 20} {left} {step}/step - loss: 0.2525"
    bar = bar_of(None)
    clock.seconds += 1
    bar.update(3, [("acc", 1000.0)])
    assert bar.screen.shown[-1] == "      3/Unknown 1s 333ms/step - acc: 1000.0000"
    bar = bar_of(4, width=8, unit_name="sample")
    bar.update(1)
    clock.seconds += 3
    bar.add(3, [("a", float("nan")), ("b", 1e-3), ("c", -1e-5), ("d", "x"), ("e", None), ("f", 1.1e-3)])
    assert bar.screen.ended == [f"4/4 {'━' * 8} 3s 1s/sample - a: nan - b: 1.0000e-03 - c: -1.0000e-05 - d: x - e: None - f: 0.0011"]


def test_averages_as_keras(clock):
    for arguments, shown in (
        ({}, "a: 3.6667 - b: 3.6667"),
        ({"stateful_metrics": ["a"]}, "a: 5.0000 - b: 3.6667"),
        ({"stateless_metrics": ["a"]}, "a: 3.6667 - b: 5.0000"),
    ):
        bar = bar_of(5, **arguments)
        for step, value in ((1, 1.0), (3, 5.0), (5, 7.0)):
            clock.seconds += 1
            bar.update(step, [("a", value), ("b", value)])
        assert bar.screen.shown[-1].endswith(shown)
        assert bar.screen.ended[-1].endswith("a: 7.0000 - b: 7.0000")


def test_twenty_updates_a_second_at_most(clock):
    bar = bar_of(10_000)
    for i in range(10_000):
        clock.seconds += 1e-3
        bar.update(i + 1)
    assert 190 <= len(bar.screen.shown) <= 200


def test_compiling_and_validation_are_not_in_the_time_a_step(clock):
    bar = bar_of(11)
    clock.seconds += 60  # the first step compiles
    bar.update(1)
    clock.seconds += 1
    bar.update(11, finalize=False)
    clock.seconds += 30  # validation
    bar.update(11, finalize=True)
    assert bar.screen.ended == [f"11/11 {'━' * 20} 91s 100ms/step"]


def test_values_are_fetched_only_to_be_shown(clock, monkeypatch):
    monkeypatch.setattr(progress, "screen", Live)
    logger, fetched = ProgbarLogger(), []
    logger.set_params({"verbose": 1, "epochs": 1, "steps": 1000})
    logger.on_train_begin()
    logger.on_epoch_begin(0)
    for i in range(1000):
        clock.seconds += 0.001
        logger.on_train_steps(i + 1, 1000, lambda: fetched.append(1) or {"loss": 1.0})
    assert len(fetched) <= 22


def test_cost_of_a_step():
    logger = ProgbarLogger()
    logger.set_params({"verbose": 1, "epochs": 1, "steps": 10_000})
    logger.on_train_begin()
    logger.on_epoch_begin(0)
    start = time.process_time()
    for i in range(10_000):
        logger.on_train_batch_end(i, {"loss": 1.0})
    assert time.process_time() - start < 0.2  # 20 microseconds a step; about 1 is measured


def test_notebook_updates_one_display(monkeypatch):
    displays = []

    class Handle:
        def update(self, data, raw):
            displays[-1].append(data["text/plain"])

    def display(data, raw, display_id):
        displays.append([data["text/plain"]])
        return Handle()

    shell = types.SimpleNamespace(kernel=object())
    fake = types.SimpleNamespace(get_ipython=lambda: shell, display=types.SimpleNamespace(display=display))
    monkeypatch.setitem(sys.modules, "IPython", fake)
    fit([], [{"loss": 0.5}] * 2, batches=[{"loss": 1.0}] * 3, verbose="auto")
    assert len(displays) == 1
    assert re.fullmatch(r"Epoch 1/2\n3/3 ━{20} 0s \S+/step - loss: 0\.5000\nEpoch 2/2\n3/3 ━{20} 0s \S+/step - loss: 0\.5000", displays[0][-1])
    del shell.kernel
    assert not screens.in_notebook()


@pytest.mark.parametrize("arguments", [{"target": -1}, {"target": "10"}, {"width": 0}, {"width": 2.5}, {"interval": -1}, {"verbose": 3}, {"verbose": "loud"}])
def test_wrong_arguments(arguments):
    with pytest.raises((ValueError, TypeError), match=f"Progbar: {next(iter(arguments))} must be"):
        Progbar(**{"target": 10, **arguments})
