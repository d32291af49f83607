"""Pictures: files to arrays and back, by Pillow; arrays in another size."""

import io
import os
import warnings

import numpy as np

from cornu import backends, ops, settings

_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}
_FILTERS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")


def _pillow(what):
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(f"{what} needs Pillow, which is not installed. Install it: pip install pillow") from error
    return Image


def load_img(path, color_mode="rgb", target_size=None, interpolation="nearest", keep_aspect_ratio=False):
    """A picture from a file, as a Pillow image.

    Args:
        path: the file, or an open binary file such as `io.BytesIO`.
        color_mode: "grayscale", "rgb" or "rgba".
        target_size: (height, width) that it is brought to; None keeps its own.
        interpolation: "nearest", "bilinear", "bicubic", "hamming", "box" or "lanczos".
        keep_aspect_ratio: whether what does not fit the proportions of `target_size` is cut off, equally on both sides, rather than squeezed in.

    Raises:
        ImportError: Pillow is not installed.
        TypeError: `path` is no path.
        ValueError: another colour mode or interpolation, or a size that is none.
    """
    image_module = _pillow("load_img")
    if color_mode not in _MODES:
        raise ValueError(f"load_img: color_mode must be one of {', '.join(_MODES)}; got {color_mode!r}.")
    if target_size is not None:
        check_size("load_img", "target_size", target_size)
        if interpolation not in _FILTERS:
            raise ValueError(f"load_img: interpolation must be one of {', '.join(_FILTERS)}; got {interpolation!r}.")
    if not isinstance(path, (str, os.PathLike, io.IOBase)):
        raise TypeError(f"load_img: path must be the path of a picture, or an open binary file; got {type(path).__name__}.")
    with image_module.open(path) as opened:
        deep_gray = color_mode == "grayscale" and opened.mode in ("L", "I;16", "I")
        image = opened.copy() if deep_gray or opened.mode == _MODES[color_mode] else opened.convert(_MODES[color_mode])
    if target_size is None:
        return image
    height, width = target_size
    if image.size == (width, height):
        return image
    box = None
    if keep_aspect_ratio:
        top, left, high, wide = _middle(image.height, image.width, height, width)
        box = (left, top, left + wide, top + high)
    return image.resize((width, height), getattr(image_module.Resampling, interpolation.upper()), box=box)


def check_size(who, name, size):
    """Check that `size` is (height, width)."""
    if not isinstance(size, (tuple, list)) or len(size) != 2 or not all(hasattr(n, "__index__") and n > 0 for n in size):
        raise ValueError(f"{who}: {name} must be (height, width), two integers of at least 1; got {size!r}.")


def _middle(height, width, new_height, new_width):
    """(top, left, height, width) of the largest part in the middle that has the proportions of the new size."""
    high = min(height, int(float(width * new_height) / new_width) or 1)
    wide = min(width, int(float(height * new_width) / new_height) or 1)
    return (height - high) // 2, (width - wide) // 2, high, wide


def _type(dtype):
    return settings.floatx() if dtype is None else backends.canonical(np.dtype(dtype).name)


def img_to_array(img, data_format=None, dtype=None):
    """The pixels of a Pillow image as an array.

    Args:
        img: Pillow image, or an array of 2 or 3 axes.
        data_format: "channels_last" or "channels_first"; None means the one that is set.
        dtype: of the result; None means `floatx`.

    Shapes:
        -> (height, width, channels), or (channels, height, width)

    Units:
        Pixel values as they are, most often 0 to 255.

    Raises:
        ValueError: another number of axes.
    """
    first = settings.standardize_data_format(data_format) == "channels_first"
    pixels = np.asarray(img, dtype=_type(dtype))
    if pixels.ndim not in (2, 3):
        raise ValueError(f"img_to_array: wanted a picture of 2 or 3 axes; got the shape {pixels.shape}.")
    if pixels.ndim == 2:
        return pixels[None] if first else pixels[..., None]
    return pixels.transpose(2, 0, 1) if first else pixels


def array_to_img(x, data_format=None, scale=True, dtype=None):
    """An array as a Pillow image.

    Args:
        x: (height, width, channels) with 1, 3 or 4 channels, or channels first where `data_format` says so.
        data_format: "channels_last" or "channels_first"; None means the one that is set.
        scale: whether the least value becomes 0 and the largest 255; else values are taken as they are.
        dtype: type to compute in; None means `floatx`.

    Raises:
        ImportError: Pillow is not installed.
        ValueError: another number of axes or channels.
    """
    image_module = _pillow("array_to_img")
    first = settings.standardize_data_format(data_format) == "channels_first"
    pixels = np.array(backends.numpy(x) if backends.is_tensor(x) else np.asarray(x)).astype(_type(dtype))
    if pixels.ndim != 3:
        raise ValueError(f"array_to_img: wanted one picture of 3 axes; got the shape {pixels.shape}.")
    if first:
        pixels = pixels.transpose(1, 2, 0)
    channels = pixels.shape[2]
    if channels not in (1, 3, 4):
        raise ValueError(f"array_to_img: a picture has 1, 3 or 4 channels; got {channels}, in the shape {pixels.shape}.")
    if scale:
        pixels = pixels - pixels.min()
        largest = pixels.max()
        pixels = pixels / (largest if largest != 0 else 1) * 255
    if channels == 1:
        return image_module.fromarray(pixels[:, :, 0].astype("int32" if pixels.max() > 255 else "uint8"))
    return image_module.fromarray(pixels.astype("uint8"))


def save_img(path, x, data_format=None, file_format=None, scale=True, **kwargs):
    """Write an array as a picture.

    Args:
        path: the file, or an open binary file.
        x, data_format, scale: as in `array_to_img`.
        file_format: name of the format; None takes it from the ending of `path`.
        kwargs: what Pillow's `Image.save` takes.
    """
    image = array_to_img(x, data_format, scale)
    ending = str(file_format or os.path.splitext(str(path))[1].lstrip(".")).lower()
    if image.mode == "RGBA" and ending in ("jpg", "jpeg"):
        warnings.warn("save_img: JPEG has no transparency; the fourth channel is left out.", stacklevel=2)
        image = image.convert("RGB")
    image.save(path, format="jpeg" if file_format == "jpg" else file_format, **kwargs)


def smart_resize(x, size, interpolation="bilinear", data_format="channels_last", **kwargs):
    """Images in another size without distortion: the largest part in the middle that has the new proportions, resized.

    Args:
        x: (height, width, channels) or a batch of them; channels first where `data_format` says so.
        size: (height, width).
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        data_format: "channels_last" or "channels_first".

    Returns:
        An array where `x` is one, else a tensor; of the same number of axes.
    """
    kwargs.pop("backend_module", None)
    if kwargs:
        raise TypeError(f"smart_resize has no argument {next(iter(kwargs))!r}.")
    check_size("smart_resize", "size", size)
    shape = np.shape(x)
    if len(shape) not in (3, 4):
        raise ValueError(f"smart_resize: wanted one image of 3 axes or a batch of 4; got the shape {shape}.")
    first = settings.standardize_data_format(data_format) == "channels_first"
    rows = len(shape) - (2 if first else 3)
    top, left, high, wide = _middle(shape[rows], shape[rows + 1], *size)
    part = [slice(None)] * len(shape)
    part[rows], part[rows + 1] = slice(top, top + high), slice(left, left + wide)
    whole = isinstance(x, (np.ndarray, list, tuple))
    resized = ops.image.resize((np.asarray(x) if whole else x)[tuple(part)], tuple(size), interpolation=interpolation, data_format=data_format)
    return np.asarray(backends.numpy(resized)) if whole else resized


# -- another size, on the host, for data that is read ----------------------------------------------------------------------------------------

_RADIUS = {"bilinear": 1, "bicubic": 2, "mitchellcubic": 2, "gaussian": 2, "lanczos3": 3, "lanczos5": 5}
INTERPOLATIONS = ("bilinear", "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")


def _count(x, kind):
    """How much a sample counts at a distance, in samples."""
    x = np.abs(x)
    if kind == "bilinear":
        return np.maximum(1 - x, 0)
    if kind.startswith("lanczos"):
        radius = _RADIUS[kind]
        return np.where(x < radius, np.sinc(x) * np.sinc(x / radius), 0)
    if kind == "gaussian":
        return np.where(x < 1.5, np.exp(-2 * x * x), 0)
    if kind == "bicubic":  # Keys, 1981, a = -1/2
        return np.where(x < 1, (1.5 * x - 2.5) * x * x + 1, np.where(x < 2, ((-0.5 * x + 2.5) * x - 4) * x + 2, 0))
    near, far = (7 * x - 12) * x * x + 16 / 3, ((-7 / 3 * x + 12) * x - 20) * x + 32 / 3  # Mitchell and Netravali, 1988, B = C = 1/3
    return np.where(x < 1, near, np.where(x < 2, far, 0)) / 6


def _along(pixels, axis, new, kind):
    size = pixels.shape[axis]
    if size == new:
        return pixels
    scale = size / new
    if kind == "nearest":
        return np.take(pixels, np.minimum(((np.arange(new) + 0.5) * scale).astype(int), size - 1), axis)
    if kind == "area":  # the mean over what a new pixel covers, by sums up to each border
        sums = np.concatenate([np.zeros_like(np.take(pixels, [0], axis), dtype="float64"), np.cumsum(pixels, axis, dtype="float64")], axis)
        border = np.arange(new + 1) * scale
        low = np.minimum(border.astype(int), size - 1)
        part = np.expand_dims(border - low, [a for a in range(pixels.ndim) if a != axis])
        at = np.take(sums, low, axis) * (1 - part) + np.take(sums, low + 1, axis) * part
        return (np.diff(at, axis=axis) / scale).astype("float32")
    place = (np.arange(new) + 0.5) * scale - 0.5
    index = np.floor(place).astype(int)[:, None] + np.arange(1 - _RADIUS[kind], _RADIUS[kind] + 1)
    weights = np.where((index >= 0) & (index < size), _count(index - place[:, None], kind), 0)
    weights = (weights / weights.sum(1, keepdims=True)).astype("float32")
    index = index.clip(0, size - 1)
    broadcast = [1] * pixels.ndim
    broadcast[axis] = new
    return sum(np.take(pixels, index[:, i], axis) * weights[:, i].reshape(broadcast) for i in range(index.shape[1]))


def resized(pixels, size, interpolation="bilinear", crop=False, pad=False):
    """Pixels (height, width, channels) in another size, as float32.

    Args:
        size: (height, width).
        interpolation: one of `INTERPOLATIONS`; samples are centred at halves, nothing is smoothed before.
        crop: whether what does not fit the proportions is cut off.
        pad: whether the proportions stay, and zeros fill the rest.
    """
    height, width = pixels.shape[:2]
    if crop:
        top, left, high, wide = _middle(height, width, *size)
        pixels = pixels[top : top + high, left : left + wide]
    if pad:
        high, wide = max(height, int(float(width * size[0]) / size[1])), max(width, int(float(height * size[1]) / size[0]))
        top, left = (high - height) // 2, (wide - width) // 2
        pixels = np.pad(pixels, ((top, high - height - top), (left, wide - width - left), (0, 0)))
    axes = (0, 1) if size[0] < pixels.shape[0] else (1, 0)
    for axis in axes:
        pixels = _along(pixels, axis, size[axis], interpolation)
    return np.asarray(pixels, "float32")
