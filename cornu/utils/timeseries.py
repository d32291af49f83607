"""Windows of a series as a data set."""

import numpy as np

from cornu.utils.batches import Items


def timeseries_dataset_from_array(
    data,
    targets,
    sequence_length,
    sequence_stride=1,
    sampling_rate=1,
    batch_size=128,
    shuffle=False,
    seed=None,
    start_index=None,
    end_index=None,
    format="tf",
):
    """Batches of windows that slide over a series.

    Args:
        data: array whose first axis is time, or a list.
        targets: array with the target of the window that starts at each time; None for windows alone.
        sequence_length: time steps of a window, at least 1.
        sequence_stride: time steps between the starts of two windows, at least 1.
        sampling_rate: time steps between two steps of a window, at least 1.
        batch_size: windows a batch; None for single windows.
        shuffle: whether each epoch takes the windows in another order.
        seed: whole number from which the orders follow; None draws one.
        start_index, end_index: the part of `data` to use: from the first to before the second.
        format: taken for compatibility: "tf" and "grain" give the same batches of NumPy arrays.

    Shapes:
        data (time, ...), targets (time, ...) -> windows (batch, sequence_length, ...), targets (batch, ...)

    Raises:
        ValueError: an argument out of range, or data that holds no window.

    >>> windows = timeseries_dataset_from_array(list(range(5)), None, sequence_length=3)
    >>> next(iter(windows)).tolist()
    [[0, 1, 2], [1, 2, 3], [2, 3, 4]]
    """
    who = "timeseries_dataset_from_array"
    data, count = np.asarray(data), np.shape(data)[0] if np.ndim(data) else 0
    for name, value, least in (
        ("sequence_length", sequence_length, 1),
        ("sequence_stride", sequence_stride, 1),
        ("sampling_rate", sampling_rate, 1),
        ("batch_size", 1 if batch_size is None else batch_size, 1),
        ("start_index", 0 if start_index is None else start_index, 0),
        ("end_index", count if end_index is None else end_index, 1),
    ):
        if isinstance(value, bool) or not hasattr(value, "__index__") or value < least:
            raise ValueError(f"{who}: {name} must be an integer of at least {least}; got {value!r}.")
    if format not in ("tf", "grain"):
        raise ValueError(f'{who}: format must be "tf" or "grain"; got {format!r}.')
    start, end = start_index or 0, count if end_index is None else end_index
    if not start < end <= count:
        raise ValueError(f"{who}: start_index {start} and end_index {end} must lie in the {count} time steps of the data, the first before the second.")
    span = (sequence_length - 1) * sampling_rate
    windows = end - start - span
    if targets is not None:
        targets = np.asarray(targets)
        windows = min(windows, len(targets) - start)
    if windows < 1:
        raise ValueError(f"{who}: {end - start} time steps hold no window of {sequence_length} steps that are {sampling_rate} apart.")
    starts, steps = np.arange(start, start + windows, sequence_stride), np.arange(0, span + 1, sampling_rate)

    def read(i):
        window = data[starts[i] + steps]
        return window if targets is None else (window, targets[starts[i]])

    return Items(len(starts), read, batch_size, shuffle, seed)
