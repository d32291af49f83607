"""`TensorBoard`: metrics, weights and the model in files that TensorBoard shows."""

import contextlib
import os
import time

import numpy as np

from cornu import backends
from cornu.layers import Embedding
from cornu.training.callbacks.callback import Callback
from cornu.training.callbacks.events import EventWriter
from cornu.training.data.faults import warn


class TensorBoard(Callback):
    """Write what TensorBoard shows; it needs neither TensorBoard nor TensorFlow. See it by `tensorboard --logdir logs`.

    Training goes to the folder `train`, validation to `validation`: `epoch_loss` and so on by epoch, `batch_loss` by batch,
    `evaluation_loss_vs_iterations` by the updates made.

    Args:
        log_dir: folder for the files; one for each run, so that runs can be compared.
        histogram_freq: after every so many epochs the distribution of each weight is written; 0 for never.
        write_graph: whether the layers of the model are written.
        write_images: whether weights are written as pictures too, when `histogram_freq` calls for it.
        write_steps_per_second: whether the speed is written.
        update_freq: "epoch", "batch", or a number of batches after which metrics are written.
        profile_batch: number of a batch, or (first, last), counted from 1, that the backend's profiler follows; 0 for none.
        embeddings_freq: after every so many epochs the vectors of `Embedding` layers are written for the projector; 0 for never.
        embeddings_metadata: file with a name for each row of the embedding, in `log_dir`; or a dictionary from layer names to files.

    Raises:
        ValueError: an argument out of range.

    Source of the formats: TensorFlow's `event.proto`, `summary.proto` and TFRecord.

    >>> model.fit(x, y, epochs=5, callbacks=[TensorBoard("logs/first")])
    """

    kept = ("_batches",)

    def __init__(
        self,
        log_dir="logs",
        histogram_freq=0,
        write_graph=True,
        write_images=False,
        write_steps_per_second=False,
        update_freq="epoch",
        profile_batch=0,
        embeddings_freq=0,
        embeddings_metadata=None,
    ):
        super().__init__()
        if not isinstance(log_dir, (str, os.PathLike)):
            raise ValueError(f"TensorBoard: log_dir must be the path of a folder; got {log_dir!r}.")
        for name, value in (("histogram_freq", histogram_freq), ("embeddings_freq", embeddings_freq)):
            if not hasattr(value, "__index__") or value < 0:
                raise ValueError(f"TensorBoard: {name} must be a number of epochs, 0 for never; got {value!r}.")
        if update_freq not in ("epoch", "batch") and (not hasattr(update_freq, "__index__") or update_freq < 1):
            raise ValueError(f'TensorBoard: update_freq must be "epoch", "batch" or a number of batches of at least 1; got {update_freq!r}.')
        if embeddings_metadata is not None and not isinstance(embeddings_metadata, (str, os.PathLike, dict)):
            raise ValueError(f"TensorBoard: embeddings_metadata must be a file, or a dictionary from layer names to files; got {embeddings_metadata!r}.")
        self.log_dir = os.fspath(log_dir)
        self.histogram_freq, self.write_graph, self.write_images = histogram_freq, write_graph, write_images
        self.write_steps_per_second, self.update_freq = write_steps_per_second, 1 if update_freq == "batch" else update_freq
        self.embeddings_freq, self.embeddings_metadata = embeddings_freq, embeddings_metadata
        self._profiled = _range_of(profile_batch)
        self._profile = contextlib.ExitStack()
        self._writers, self._batches, self._training = {}, 0, False

    def listens_to_batches(self, mode="train"):
        return mode == "train" and (self.update_freq != "epoch" or self._profiled is not None)

    @property
    def summary(self):
        """What writes into the folder of training: `scalar`, `histogram`, `image`, `text`, each of (tag, value, step)."""
        return self._writer("train")

    def _writer(self, part):
        if part not in self._writers:
            self._writers[part] = EventWriter(os.path.join(self.log_dir, part))
        return self._writers[part]

    def set_model(self, model):
        super().set_model(model)
        if self.embeddings_freq:
            self._embedded()

    def on_train_begin(self, logs=None):
        self._training, self._batches = True, 0
        if self.write_graph and hasattr(self.model, "get_config") and getattr(self.model, "_function", None) is not None:
            try:
                self._writer("train").text("keras", self.model.to_json(), 0, "graph_keras_model", b"1")
            except (TypeError, ValueError) as error:  # a lambda, a class without a config
                warn(f"TensorBoard: the model's graph is not written: {error}")

    def on_train_end(self, logs=None):
        self._training = False
        self._profile.close()
        for writer in self._writers.values():
            writer.close()
        self._writers = {}

    def on_epoch_begin(self, epoch, logs=None):
        self._begun, self._before = time.perf_counter(), self._batches
        self._done = 0

    def on_train_steps(self, done, total, logs=None):
        self._batches, self._done = self._batches + done - self._done, done

    def on_train_batch_begin(self, batch, logs=None):
        self._step_begun = time.perf_counter()
        if self._profiled is not None and self._batches + 1 == self._profiled[0]:
            profile = getattr(backends.current(), "profile", None)
            if profile is None:
                warn(f"TensorBoard: the backend {backends.name()} has no profiler; profile_batch is passed over.")
                self._profiled = None
            else:
                self._profile.enter_context(profile(self.log_dir))

    def on_train_batch_end(self, batch, logs=None):
        self._batches += 1
        if self._profiled is not None and self._batches == self._profiled[1]:
            self._profile.close()
        if self.update_freq == "epoch" or self._batches % self.update_freq:
            return
        writer = self._writer("train")
        for name, value in _numbers(logs):
            writer.scalar(f"batch_{name}", value, self._batches - 1)
        if self.write_steps_per_second:
            writer.scalar("batch_steps_per_second", 1 / max(time.perf_counter() - self._step_begun, 1e-9), self._batches - 1)

    def on_test_end(self, logs=None):
        iterations = getattr(getattr(self.model, "optimizer", None), "iterations", None)
        if iterations is None:
            return
        step = int(backends.numpy(iterations))
        for name, value in _numbers(logs):
            self._writer("validation").scalar(f"evaluation_{name}_vs_iterations", value, step)
        self._writer("validation").flush()
        if not self._training:
            self.on_train_end()

    def on_epoch_end(self, epoch, logs=None):
        for name, value in _numbers(logs):
            part, name = ("validation", name.removeprefix("val_")) if name.startswith("val_") else ("train", name)
            self._writer(part).scalar(f"epoch_{name}", value, epoch)
        if "learning_rate" not in (logs or {}) and hasattr(getattr(self.model, "optimizer", None), "learning_rate"):
            self._writer("train").scalar("epoch_learning_rate", float(backends.numpy(self.model.optimizer.learning_rate)), epoch)
        if self.write_steps_per_second:
            self._writer("train").scalar("epoch_steps_per_second", (self._batches - self._before) / max(time.perf_counter() - self._begun, 1e-9), epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)
        if self.embeddings_freq and epoch % self.embeddings_freq == 0:
            self._write_embeddings()
        for writer in self._writers.values():
            writer.flush()

    def _write_weights(self, epoch):
        writer = self._writer("train")
        for weight in self.model.weights:
            value = weight.numpy()
            writer.histogram(f"{weight.path}/histogram", value, epoch)
            if self.write_images:
                for i, picture in enumerate(_pictures(np.asarray(value, "float32"))):
                    writer.image(f"{weight.path}/image{f'_{i}' if i else ''}", picture, epoch)

    # embeddings

    def _embedded(self):
        """(layer, its file of names or None) for each embedding."""
        given = self.embeddings_metadata
        found = [layer for layer in getattr(self.model, "_flatten_layers", lambda: self.model.layers)() if isinstance(layer, Embedding)]
        names = {layer.name for layer in found}
        if isinstance(given, dict) and set(given) - names:
            raise ValueError(f"TensorBoard: embeddings_metadata names {sorted(set(given) - names)}, but the model's Embedding layers are {sorted(names)}.")
        return [(layer, given.get(layer.name) if isinstance(given, dict) else given) for layer in found]

    def _write_embeddings(self):
        """Vectors as tables, and the file that tells the projector where they are."""
        folder = os.path.join(self.log_dir, "train")
        os.makedirs(folder, exist_ok=True)
        lines = []
        for layer, metadata in self._embedded():
            name = f"{layer.name}.tsv"
            np.savetxt(os.path.join(folder, name), np.asarray(layer.embeddings.numpy(), "float32"), delimiter="\t", fmt="%.9g")
            lines += ["embeddings {", f'  tensor_name: "{layer.name}"', f'  tensor_path: "{name}"']
            lines += [f'  metadata_path: "{os.fspath(metadata)}"'] if metadata is not None else []
            lines += ["}"]
        with open(os.path.join(folder, "projector_config.pbtxt"), "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")


def _numbers(logs):
    return [(name, float(value)) for name, value in (logs or {}).items() if np.ndim(value) == 0]


def _range_of(profile_batch):
    first, last = profile_batch if isinstance(profile_batch, (tuple, list)) and len(profile_batch) == 2 else (profile_batch, profile_batch)
    if not all(hasattr(n, "__index__") and n >= 0 for n in (first, last)) or first > last or (last and not first):
        raise ValueError(f"TensorBoard: profile_batch must be the number of a batch, or (first, last), counted from 1; 0 for none; got {profile_batch!r}.")
    return (first, last) if last else None


def _pictures(value):
    """An array of weights as pictures of bytes, (height, width, 1): a matrix as one, the kernel of a convolution as one a filter (of the first input)."""
    if value.ndim not in (1, 2, 4) or not value.size:
        return
    low, high = float(value.min()), float(value.max())
    scaled = ((value - low) / (high - low or 1.0) * 255).astype("uint8")
    planes = [scaled[None]] if value.ndim == 1 else [scaled] if value.ndim == 2 else [scaled[:, :, 0, i] for i in range(min(value.shape[3], 16))]
    for plane in planes:
        yield plane[:, :, None]
