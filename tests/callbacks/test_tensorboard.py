"""Event files, read back by TensorBoard's own reader; metrics sent to a server; states kept by Orbax."""

import builtins
import http.server
import io
import json
import threading
import urllib.parse
import warnings

import numpy as np
import pytest

from cornu import backends, callbacks, layers, models
from cornu.training.callbacks import events

X = np.random.default_rng(0).integers(0, 7, (40, 3))
Y = np.ones((40, 1), "float32")


@pytest.fixture(params=["numpy", "jax"])
def model(request):
    backends.load(request.param)
    made = models.Sequential([layers.Input((3,)), layers.Embedding(7, 4, name="words"), layers.Flatten(), layers.Dense(1, name="last")])
    made.compile("sgd", "mse", metrics=["mae"])
    return made


def read(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorBoard's own
        accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
        found = accumulator.EventAccumulator(str(folder), {"histograms": 0, "images": 0, "tensors": 0, "scalars": 0})
        found.Reload()
    return found


def scalars(found, tag):
    return [(event.step, event.value) for event in found.Scalars(tag)]


def test_metrics(model, tmp_path):
    board = callbacks.TensorBoard(tmp_path, update_freq=2, write_steps_per_second=True)
    history = model.fit(X, Y, batch_size=10, epochs=2, verbose=0, validation_data=(X, Y), callbacks=[board]).history
    train, validation = read(tmp_path / "train"), read(tmp_path / "validation")
    assert set(train.Tags()["scalars"]) == {
        "batch_loss", "batch_mae", "batch_steps_per_second", "epoch_loss", "epoch_mae", "epoch_learning_rate", "epoch_steps_per_second",
    }  # fmt: skip
    for tag in ("loss", "mae"):
        np.testing.assert_allclose(scalars(train, f"epoch_{tag}"), list(enumerate(history[tag])), rtol=1e-6)
        np.testing.assert_allclose(scalars(validation, f"epoch_{tag}"), list(enumerate(history[f"val_{tag}"])), rtol=1e-6)
    np.testing.assert_allclose(scalars(validation, "evaluation_loss_vs_iterations"), list(zip([4, 8], history["val_loss"])), rtol=1e-6)
    assert [step for step, _ in scalars(train, "batch_loss")] == [1, 3, 5, 7]
    np.testing.assert_allclose(scalars(train, "batch_loss")[-1][1], history["loss"][-1], rtol=1e-6)
    assert scalars(train, "epoch_steps_per_second")[0][1] > 0
    text = train.Tensors("keras")[0].tensor_proto.string_val[0]
    assert [layer["class_name"] for layer in json.loads(text)["config"]["layers"]] == ["InputLayer", "Embedding", "Flatten", "Dense"]
    assert train.SummaryMetadata("keras").plugin_data.plugin_name == "graph_keras_model"
    with pytest.raises(KeyError):
        read(tmp_path / "validation").Tensors("keras")


def test_weights_and_embeddings(model, tmp_path):
    from PIL import Image

    board = callbacks.TensorBoard(
        tmp_path, histogram_freq=2, write_images=True, write_graph=False, embeddings_freq=1, embeddings_metadata={"words": "words.tsv"}
    )
    weights = []
    model.fit(X, Y, epochs=3, verbose=0, callbacks=[board, callbacks.LambdaCallback(on_epoch_end=lambda *_: weights.append(model.get_weights()))])
    train = read(tmp_path / "train")
    for number, weight in enumerate(model.weights):
        for event, values in zip(train.Histograms(f"{weight.path}/histogram"), (weights[0][number], weights[2][number]), strict=True):
            found = event.histogram_value
            np.testing.assert_allclose(
                [found.min, found.max, found.num, found.sum], [values.min(), values.max(), values.size, values.sum()], rtol=1e-5, atol=1e-6
            )
            assert sum(found.bucket) == values.size and found.bucket_limit[-1] >= found.max
    picture = train.Images(f"{model.weights[0].path}/image")[0]
    pixels = np.asarray(Image.open(io.BytesIO(picture.encoded_image_string)))
    first = weights[0][0]
    np.testing.assert_allclose(pixels, (first - first.min()) / np.ptp(first) * 255, atol=1.01)
    np.testing.assert_allclose(np.loadtxt(tmp_path / "train" / "words.tsv"), weights[-1][0], rtol=1e-6)
    config = (tmp_path / "train" / "projector_config.pbtxt").read_text()
    assert 'tensor_path: "words.tsv"' in config and 'metadata_path: "words.tsv"' in config
    assert "keras" not in train.Tags()["tensors"] and scalars(train, "epoch_loss")
    with pytest.raises(ValueError, match=r"embeddings_metadata names \['word'\], but the model's Embedding layers are \['words'\]"):
        model.fit(X, Y, verbose=0, callbacks=[callbacks.TensorBoard(tmp_path, embeddings_freq=1, embeddings_metadata={"word": "a"})])


def test_a_profile(tmp_path):
    for name in ("jax", "numpy"):
        backends.load(name)
        model = models.Sequential([layers.Input((3,)), layers.Dense(1)])
        model.compile("sgd", "mse")
        board = callbacks.TensorBoard(tmp_path / name, profile_batch=(2, 3))
        if name == "jax":
            model.fit(X, Y, batch_size=10, verbose=0, callbacks=[board])
            assert list((tmp_path / name).rglob("*.xplane.pb"))
        else:
            with pytest.warns(UserWarning, match="the backend numpy has no profiler"):
                model.fit(X, Y, batch_size=10, verbose=0, callbacks=[board])


def test_checksum():
    """The values of RFC 3720, B.4."""
    assert [events.crc32c(data) for data in (bytes(32), b"\xff" * 32, bytes(range(32)))] == [0x8A9136AA, 0x62A8AB43, 0x46DD794E]


def test_own_events(tmp_path):
    board = callbacks.TensorBoard(tmp_path)
    board.summary.scalar("mine", 2.5, 7)
    board.summary.text("note", "hello", 1)
    board.summary.histogram("empty", [np.nan], 0)
    board.summary.flush()
    found = read(tmp_path / "train")
    assert scalars(found, "mine") == [(7, 2.5)] and found.Tensors("note")[0].tensor_proto.string_val == [b"hello"] and not found.Tags()["histograms"]
    board.on_train_end()


# -- RemoteMonitor ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def server():
    """(URL, what was posted to it)."""
    posts = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            posts.append((self.path, dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500 if "fail" in self.path else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    serving = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{serving.server_address[1]}", posts
    serving.shutdown()
    thread.join()
    serving.server_close()


def test_remote_monitor(server):
    root, posts = server
    backends.load("numpy")
    model = models.Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    sent = callbacks.RemoteMonitor(root, headers={"X-Who": "me"})
    as_json = callbacks.RemoteMonitor(root, "/json", send_as_json=True)
    history = model.fit(X, Y, epochs=2, verbose=0, callbacks=[sent, as_json, callbacks.LearningRateScheduler(lambda epoch: 0.5)])
    (path, headers, body), (json_path, json_headers, json_body) = posts[2:]
    assert path == "/publish/epoch/end/" and headers["X-Who"] == "me" and json_path == "/json" and json_headers["Content-Type"] == "application/json"
    found = json.loads(urllib.parse.parse_qs(body.decode())["data"][0])
    assert found == json.loads(json_body) == {"epoch": 1, "loss": history.history["loss"][1]}
    with pytest.warns(UserWarning, match="did not take the metrics of epoch 3"):
        callbacks.RemoteMonitor(root, "/fail").on_epoch_end(2, {"loss": np.float32(1)})
    with pytest.warns(UserWarning, match="did not take the metrics of epoch 1"):
        callbacks.RemoteMonitor("http://127.0.0.1:9").on_epoch_end(0, {})


# -- Orbax ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
def test_orbax(tmp_path, capsys):
    pytest.importorskip("orbax.checkpoint")
    backends.load("jax")
    model = models.Sequential([layers.Input((3,)), layers.Dense(1)])
    model.compile("adam", "mse")
    saver = callbacks.OrbaxCheckpoint(tmp_path / "all", max_to_keep=2, verbose=1)
    best = callbacks.OrbaxCheckpoint(tmp_path / "best", monitor="loss", save_best_only=True, save_weights_only=True, save_on_background=False)
    batches = callbacks.OrbaxCheckpoint(tmp_path / "batches", save_freq=3, max_to_keep=None)
    weights = []
    remember = callbacks.LambdaCallback(on_epoch_end=lambda *_: weights.append(model.get_weights()))
    model.fit(X, Y, batch_size=10, epochs=3, verbose=0, callbacks=[saver, best, batches, remember])
    slots = [v.numpy() for v in model.optimizer.variables]
    assert sorted(path.name for path in (tmp_path / "all").iterdir() if path.is_dir()) == ["1", "2"]
    assert sorted(int(path.name) for path in (tmp_path / "batches").iterdir() if path.is_dir()) == [2, 5, 8, 11]
    assert capsys.readouterr().out.count("saved the state to") == 3
    assert saver.is_primary_host() and not saver.is_multihost_enabled()
    model.fit(X, Y, verbose=0)
    saver.restore()
    for found, wanted in zip([*model.get_weights(), *(v.numpy() for v in model.optimizer.variables)], [*weights[2], *slots], strict=True):
        np.testing.assert_array_equal(found, wanted)
    saver.restore(1)
    np.testing.assert_array_equal(model.get_weights()[0], weights[1][0])
    best.restore()
    np.testing.assert_array_equal(model.get_weights()[0], weights[2][0])
    with pytest.raises(FileNotFoundError, match="has no checkpoint 7"):
        saver.restore(7)


def test_orbax_that_is_not_there(monkeypatch, tmp_path):
    real = builtins.__import__

    def missing(name, *arguments, **others):
        if name.startswith("orbax"):
            raise ImportError(name)
        return real(name, *arguments, **others)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match="pip install orbax-checkpoint"):
        callbacks.OrbaxCheckpoint(tmp_path)
