"""Sequences of several lengths into one array."""

import numpy as np


def pad_sequences(sequences, maxlen=None, dtype="int32", padding="pre", truncating="pre", value=0.0):
    """Lists of several lengths as one array, filled up with `value`, cut at `maxlen`.

    Args:
        sequences: lists of numbers, or of rows of one shape.
        maxlen: length of the result; None means that of the longest.
        dtype: of the result.
        padding: "pre" fills before, "post" after each sequence.
        truncating: "pre" drops the first items of what is too long, "post" the last.
        value: what fills.

    Shapes:
        -> (number of sequences, maxlen, ...)

    Raises:
        ValueError: an item that is no sequence, rows of unlike shape, or another word for padding or truncating.

    >>> pad_sequences([[1], [2, 3]])
    array([[0, 1],
           [2, 3]], dtype=int32)
    """
    for name, word in (("padding", padding), ("truncating", truncating)):
        if word not in ("pre", "post"):
            raise ValueError(f'pad_sequences: {name} is "pre" or "post"; got {word!r}.')
    if not hasattr(sequences, "__len__"):
        raise ValueError(f"pad_sequences: wanted a list of sequences; got {type(sequences).__name__}.")
    for place, sequence in enumerate(sequences):
        if not hasattr(sequence, "__len__"):
            raise ValueError(f"pad_sequences: wanted a list of sequences; item {place} is {sequence!r}.")
    if maxlen is None:
        maxlen = max(map(len, sequences), default=0)
    row = next((np.shape(sequence)[1:] for sequence in sequences if len(sequence)), ())
    is_text = np.issubdtype(dtype, np.str_)
    if isinstance(value, str) and dtype is not object and not is_text:
        raise ValueError(f"pad_sequences: value={value!r} is text, but dtype is {dtype!r}; give dtype=object.")
    padded = np.full((len(sequences), maxlen, *row), value, dtype=dtype)
    for place, sequence in enumerate(sequences):
        kept = sequence[-maxlen:] if truncating == "pre" and maxlen else sequence[:maxlen]
        if not len(kept):
            continue
        kept = np.asarray(kept, dtype=dtype)
        if kept.shape[1:] != row:
            raise ValueError(f"pad_sequences: items of sequence {place} have shape {kept.shape[1:]}, those of the first have {row}.")
        padded[place, slice(maxlen - len(kept), None) if padding == "pre" else slice(len(kept))] = kept
    return padded
