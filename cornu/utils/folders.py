"""Data sets from folders: a class a subfolder, a sample a file; read batch by batch while the model trains."""

import os
import wave

import numpy as np

from cornu import settings
from cornu.utils import images
from cornu.utils.batches import Items

_IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".png")
_MODES = ("int", "categorical", "binary", None)
_READERS = min(8, os.cpu_count() or 1)  # threads; decoding leaves the interpreter's lock


class FolderDataset(Items):
    """Batches of samples that lie in files, as `image_dataset_from_directory` and its kin give.

    Attributes:
        class_names: names of the classes, in the order of their numbers; None without labels.
        file_paths: the files; labels: the class of each, or None.
    """

    def __init__(self, read, paths, labels, class_names, label_mode, batch_size, shuffle, seed, stack=None):
        self.file_paths, self.labels, self.class_names = paths, labels, class_names
        targets = _targets(labels, label_mode, len(class_names or ()))

        def sample(i):
            return read(paths[i]) if targets is None else (read(paths[i]), targets[i])

        super().__init__(len(paths), sample, batch_size, shuffle, seed, stack, _READERS)


def _targets(labels, mode, classes):
    if mode is None or labels is None:
        return None
    labels = np.asarray(labels)
    if mode == "categorical":
        return np.eye(classes, dtype="float32")[labels]
    return labels.astype("int32") if mode == "int" else labels.astype("float32")[:, None]


def image_dataset_from_directory(
    directory,
    labels="inferred",
    label_mode="int",
    class_names=None,
    color_mode="rgb",
    batch_size=32,
    image_size=(256, 256),
    shuffle=True,
    seed=None,
    validation_split=None,
    subset=None,
    interpolation="bilinear",
    follow_links=False,
    crop_to_aspect_ratio=False,
    pad_to_aspect_ratio=False,
    data_format=None,
    format="tf",
    verbose=True,
):
    """Pictures in folders as batches of arrays.

    Args:
        directory: folder with a subfolder for each class; .bmp, .gif (its first picture), .jpeg, .jpg and .png files are read.
        labels: "inferred" from the subfolders, None, or a list of whole numbers, one for each file in the order of their paths.
        label_mode: "int", "categorical" (rows with a single one), "binary" (0 or 1, of two classes), or None for pictures alone.
        class_names: the subfolders to read, in the order of the classes' numbers; None means all, sorted.
        color_mode: "grayscale" (1 channel), "rgb" (3) or "rgba" (4).
        batch_size: pictures a batch; None for single pictures.
        image_size: (height, width) that each is brought to.
        shuffle: whether each epoch takes the files in another order; else sorted by path.
        seed: whole number from which the orders follow; None draws one.
        validation_split: fraction of the files, above 0 and below 1, kept for validation: the last of the shuffled files.
        subset: "training", "validation" or "both" (a tuple of the two), with `validation_split`.
        interpolation: "bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian" or "mitchellcubic".
        follow_links: whether links to folders are followed.
        crop_to_aspect_ratio: whether what does not fit the proportions is cut off.
        pad_to_aspect_ratio: whether the proportions stay and black fills the rest.
        data_format: "channels_last" or "channels_first"; None means the one that is set.
        format: taken for compatibility: "tf" and "grain" give the same batches of NumPy arrays.
        verbose: whether to print how many files were found.

    Shapes:
        -> (batch, height, width, channels) of float32, and labels (batch,) of int32, (batch, classes) or (batch, 1) of float32

    Units:
        Pixel values from 0 to 255.

    Raises:
        ImportError: Pillow is not installed.
        ValueError: an argument out of range, or no files.

    >>> data = image_dataset_from_directory("flowers", validation_split=0.2, subset="both", seed=1)
    """
    who = "image_dataset_from_directory"
    channels = {"grayscale": 1, "rgb": 3, "rgba": 4}
    if color_mode not in channels:
        raise ValueError(f"{who}: color_mode must be one of {', '.join(channels)}; got {color_mode!r}.")
    if interpolation not in images.INTERPOLATIONS:
        raise ValueError(f"{who}: interpolation must be one of {', '.join(images.INTERPOLATIONS)}; got {interpolation!r}.")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError(f"{who}: crop_to_aspect_ratio and pad_to_aspect_ratio exclude each other.")
    images.check_size(who, "image_size", image_size)
    first = settings.standardize_data_format(data_format) == "channels_first"

    def read(path):
        try:
            picture = images.load_img(path, color_mode)
        except OSError as error:
            raise ValueError(f"{who}: {path} cannot be read as a picture: {error}") from error
        pixels = images.img_to_array(picture, "channels_last", "float32")
        pixels = images.resized(pixels, image_size, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio)
        return pixels.transpose(2, 0, 1) if first else pixels

    files = _Files(who, directory, labels, label_mode, class_names, _IMAGES, follow_links, format, verbose)
    return files.datasets(read, batch_size, shuffle, seed, validation_split, subset)


def text_dataset_from_directory(
    directory,
    labels="inferred",
    label_mode="int",
    class_names=None,
    batch_size=32,
    max_length=None,
    shuffle=True,
    seed=None,
    validation_split=None,
    subset=None,
    follow_links=False,
    format="tf",
    verbose=True,
):
    """Text files in folders as batches of texts.

    Args:
        directory: folder with a subfolder for each class; .txt files, in UTF-8, are read.
        max_length: characters of a text that are kept; None keeps all.
        labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset, follow_links, format, verbose: see
            `image_dataset_from_directory`.

    Shapes:
        -> texts (batch,), and labels as there

    Raises:
        ValueError: an argument out of range, or no files.
    """
    who = "text_dataset_from_directory"
    if max_length is not None and (not hasattr(max_length, "__index__") or max_length < 1):
        raise ValueError(f"{who}: max_length must be a number of characters of at least 1, or None; got {max_length!r}.")

    def read(path):
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            return np.array(file.read() if max_length is None else file.read(max_length), dtype=object)

    files = _Files(who, directory, labels, label_mode, class_names, (".txt",), follow_links, format, verbose)
    return files.datasets(read, batch_size, shuffle, seed, validation_split, subset)


def audio_dataset_from_directory(
    directory,
    labels="inferred",
    label_mode="int",
    class_names=None,
    batch_size=32,
    sampling_rate=None,
    output_sequence_length=None,
    ragged=False,
    shuffle=True,
    seed=None,
    validation_split=None,
    subset=None,
    follow_links=False,
    verbose=True,
):
    """WAV files in folders as batches of waves.

    Args:
        directory: folder with a subfolder for each class; .wav files (PCM of 8, 16, 24 or 32 bits) are read.
        sampling_rate: samples a second that all are brought to (by their Fourier transform); None keeps that of each file.
        output_sequence_length: samples that each is cut or filled up to, with zeros; None fills up to the longest of the batch.
        ragged: whether each keeps its own length: the batch is then an array of arrays, for loops and not for `fit`.
        labels, label_mode, class_names, batch_size, shuffle, seed, validation_split, subset, follow_links, verbose: see
            `image_dataset_from_directory`.

    Shapes:
        -> (batch, samples, channels) of float32, and labels as there

    Units:
        From -1 to 1.

    Raises:
        ValueError: an argument out of range, no files, or a file that cannot be read.
    """
    who = "audio_dataset_from_directory"
    for name, value in (("sampling_rate", sampling_rate), ("output_sequence_length", output_sequence_length)):
        if value is not None and (isinstance(value, bool) or not hasattr(value, "__index__") or value < 1):
            raise ValueError(f"{who}: {name} must be an integer of at least 1, or None; got {value!r}.")
    if ragged and output_sequence_length is not None:
        raise ValueError(f"{who}: with ragged=True each wave keeps its length; leave output_sequence_length out.")

    def read(path):
        try:
            samples, rate = read_wav(path)
        except (wave.Error, EOFError, OSError, RuntimeError) as error:
            raise ValueError(f"{who}: {path} cannot be read as PCM WAV: {error}") from error
        if sampling_rate is not None and rate != sampling_rate:
            samples = _at_rate(samples, max(round(len(samples) * sampling_rate / rate), 1))
        return samples if output_sequence_length is None else _of_length(samples, output_sequence_length)

    def stack(samples):
        waves = [sample[0] if isinstance(sample, tuple) else sample for sample in samples]
        if ragged:
            batch = np.empty(len(waves), object)
            batch[:] = waves
        else:
            longest = max(map(len, waves))
            batch = np.stack([_of_length(one, longest) for one in waves])
        return (batch, np.stack([sample[1] for sample in samples])) if isinstance(samples[0], tuple) else batch

    files = _Files(who, directory, labels, label_mode, class_names, (".wav",), follow_links, "tf", verbose)
    return files.datasets(read, batch_size, shuffle, seed, validation_split, subset, stack)


def read_wav(path):
    """(samples, samples a second) of a PCM WAV file: float32 of (samples, channels), from -1 to 1."""
    with wave.open(os.fspath(path), "rb") as file:
        width, channels, rate = file.getsampwidth(), file.getnchannels(), file.getframerate()
        data = file.readframes(file.getnframes())
    data = data[: len(data) - len(data) % (width * channels)]
    if width == 1:
        samples = np.frombuffer(data, "uint8").astype("float32") - 128
    elif width == 3:
        parts = np.frombuffer(data, "uint8").reshape(-1, 3)
        wide = np.zeros((len(parts), 4), "uint8")
        wide[:, 1:] = parts
        samples = (wide.view("<i4")[:, 0] >> 8).astype("float32")
    else:
        samples = np.frombuffer(data, f"<i{width}").astype("float32")
    return (samples / 2 ** (8 * width - 1)).astype("float32").reshape(-1, channels), rate


def _of_length(samples, length):
    return np.pad(samples[:length], ((0, max(length - len(samples), 0)), (0, 0)))


def _at_rate(samples, length):
    """`length` samples over the same time, by cutting or filling up the spectrum."""
    count = len(samples)
    spectrum, least = np.fft.rfft(samples.astype("float64"), axis=0), min(count, length)
    kept = np.zeros((length // 2 + 1, samples.shape[1]), complex)
    kept[: least // 2 + 1] = spectrum[: least // 2 + 1]
    if least % 2 == 0:  # the highest frequency stands for itself and its mirror image
        kept[least // 2] *= 2 if length < count else 0.5 if length > count else 1
    return (np.fft.irfft(kept, length, axis=0) * (length / count)).astype("float32")


class _Files:
    """The files of a folder with their classes, checked."""

    def __init__(self, who, directory, labels, label_mode, class_names, endings, follow_links, format, verbose):
        self.who, self.mode, self.verbose = who, label_mode, verbose
        if not isinstance(directory, (str, os.PathLike)) or not os.path.isdir(directory):
            raise ValueError(f"{who}: directory must be a folder; there is none at {directory!r}.")
        if format not in ("tf", "grain"):
            raise ValueError(f'{who}: format must be "tf" or "grain"; got {format!r}.')
        if label_mode not in _MODES:
            raise ValueError(f'{who}: label_mode must be "int", "categorical", "binary" or None; got {label_mode!r}.')
        if not (labels in ("inferred", None) if labels is None or isinstance(labels, str) else isinstance(labels, (list, tuple))):
            raise ValueError(f'{who}: labels must be "inferred", None, or a list of whole numbers, one for each file; got {labels!r}.')
        if class_names is not None and (labels != "inferred" or not isinstance(class_names, (list, tuple))):
            raise ValueError(f'{who}: class_names is a list of subfolders, for labels="inferred"; got {class_names!r} with labels={labels!r}.')
        directory = os.path.expanduser(os.fspath(directory))
        if labels is None or label_mode is None:
            self.mode = None
        if labels == "inferred":
            folders = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
            missing = [name for name in class_names or () if name not in folders]
            if missing:
                raise ValueError(f"{who}: class_names has {missing!r}, but the subfolders of {directory} are {folders}.")
            self.class_names = list(class_names if class_names is not None else folders)
            found = [(path, number) for number, name in enumerate(self.class_names) for path in _walk(os.path.join(directory, name), endings, follow_links)]
            self.paths, self.labels = [path for path, _ in found], [number for _, number in found]
        else:
            self.paths, self.class_names, self.labels = list(_walk(directory, endings, follow_links)), None, None
            if labels is not None:
                self._given(labels, directory)
        if not self.paths:
            raise ValueError(f"{who}: no files that end in {', '.join(endings)} in {'the subfolders of ' if labels == 'inferred' else ''}{directory}.")
        if self.mode is None:
            self.labels = self.class_names = None
        if self.mode == "binary" and len(self.class_names) != 2:
            raise ValueError(f'{who}: label_mode="binary" is for two classes; there are {len(self.class_names)}: {", ".join(self.class_names[:10])}.')
        if verbose:
            print(f"Found {len(self.paths)} files{f' belonging to {len(self.class_names)} classes' if self.class_names is not None else ''}.")

    def _given(self, labels, directory):
        if len(labels) != len(self.paths):
            raise ValueError(f"{self.who}: labels has {len(labels)} entries, and there are {len(self.paths)} files in {directory}.")
        names = sorted(set(labels))
        if any(isinstance(label, (str, bytes)) or label != int(label) or label < 0 for label in names):
            raise ValueError(f"{self.who}: labels must be whole numbers from 0 up; got {names[:5]!r}.")
        if int(names[-1]) >= len(names):
            raise ValueError(f"{self.who}: labels number the classes 0, 1, 2 ...; got {names[:10]}, {len(names)} of them up to {names[-1]}.")
        self.class_names, self.labels = [str(name) for name in names], [int(label) for label in labels]

    def datasets(self, read, batch_size, shuffle, seed, validation_split, subset, stack=None):
        """The data set that was asked for, or two."""
        who = self.who
        if batch_size is not None and (isinstance(batch_size, bool) or not hasattr(batch_size, "__index__") or batch_size < 1):
            raise ValueError(f"{who}: batch_size must be an integer of at least 1, or None for single samples; got {batch_size!r}.")
        if seed is not None and (isinstance(seed, bool) or not hasattr(seed, "__index__") or not 0 <= seed < 2**32):
            raise ValueError(f"{who}: seed must be a whole number from 0 to 2**32 - 1, or None; got {seed!r}.")
        if (validation_split is None) != (subset is None):
            raise ValueError(f"{who}: validation_split and subset go together; got {validation_split!r} and {subset!r}.")
        if validation_split is not None:
            if not isinstance(validation_split, (int, float)) or not 0 < validation_split < 1:
                raise ValueError(f"{who}: validation_split must be a fraction above 0 and below 1; got {validation_split!r}.")
            if subset not in ("training", "validation", "both"):
                raise ValueError(f'{who}: subset must be "training", "validation" or "both"; got {subset!r}.')
            if shuffle and seed is None:
                raise ValueError(f"{who}: with validation_split and shuffle=True give a seed, so that training and validation have no file in common.")
        paths, labels = self._shuffled(shuffle, seed)
        count = len(paths)
        parts = {None: slice(count)}
        if subset is not None:
            held = int(validation_split * count)
            parts = {"training": slice(count - held), "validation": slice(count - held, count)}
            if not 0 < held < count:
                raise ValueError(f"{who}: validation_split={validation_split} of {count} files leaves {count - held} for training and {held} for validation.")
        wanted = ("training", "validation") if subset == "both" else (subset,)
        made = []
        for name in wanted:
            rows = parts[name]
            if name is not None and self.verbose:
                print(f"Using {len(paths[rows])} files for {name}.")
            made.append(
                FolderDataset(
                    read,
                    paths[rows],
                    None if labels is None else labels[rows],
                    self.class_names,
                    self.mode,
                    batch_size,
                    shuffle and (subset != "both" or name != "validation"),
                    seed,
                    stack,
                )
            )
        return tuple(made) if subset == "both" else made[0]

    def _shuffled(self, shuffle, seed):
        """Files and labels in the order from which a part is kept for validation: that of Keras for the same seed."""
        if not shuffle:
            return self.paths, self.labels
        order = np.arange(len(self.paths))
        np.random.RandomState(np.random.randint(10**6) if seed is None else seed).shuffle(order)
        return [self.paths[i] for i in order], None if self.labels is None else [self.labels[i] for i in order]


def _walk(folder, endings, follow_links):
    """Paths of the files below `folder` with one of `endings`, sorted, those of a folder before those of its subfolders."""
    for place, folders, names in os.walk(folder, followlinks=follow_links):
        folders.sort()
        for name in sorted(names):
            if name.lower().endswith(endings):
                yield os.path.join(place, name)
