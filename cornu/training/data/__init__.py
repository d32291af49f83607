"""Data as `fit`, `evaluate` and `predict` take it, in one form: `adapt` gives an `ArrayData` or a `StreamData`."""

import random

from cornu import settings
from cornu.training.data.arrays import ArrayData
from cornu.training.data.py_dataset import PyDataset as PyDataset
from cornu.training.data.py_dataset import PyDataset as Sequence
from cornu.training.data.sources import ACCEPTED, is_samples, is_stream, kind_name
from cornu.training.data.splits import pack_x_y_sample_weight as pack_x_y_sample_weight
from cornu.training.data.splits import split_dataset as split_dataset
from cornu.training.data.splits import train_validation_split as train_validation_split
from cornu.training.data.splits import unpack_x_y_sample_weight as unpack_x_y_sample_weight
from cornu.training.data.streams import StreamData


def adapt(x, y=None, sample_weight=None, batch_size=None, shuffle=True, class_weight=None, steps=None, seed=None):
    """The data in the one form that the loop reads: `num_batches`, `batches(epoch)`, `peek()`, `exhausted`, and for data in memory
    `arrays` and `order(epoch)`.

    Args:
        x: arrays, tensors, data frames, lists of numbers, lists or dictionaries of these; or a stream of batches.
        y: targets, in the same forms; not with a stream.
        sample_weight: weight of each sample in the loss; not with a stream.
        batch_size: samples a batch, 32 unless given; a stream has its own.
        shuffle: whether each epoch takes the samples (of a `PyDataset`: the batches) in another order; "batch" shuffles inside blocks of one batch.
        class_weight: dictionary from class to weight.
        steps: batches an epoch; None means all.
        seed: integer from which the orders follow; None draws one from Python's generator, which `set_random_seed` sets.

    Raises:
        ValueError: data that cannot be used; the message names it.
    """
    if steps is not None and (not hasattr(steps, "__index__") or steps < 1):
        raise ValueError(f"steps: wanted an integer of at least 1, or None for all; got {steps!r}.")
    if shuffle not in (True, False, "batch"):
        raise ValueError(f'shuffle: wanted True, False or "batch"; got {shuffle!r}.')
    seed = random.randint(1, 10**9) if seed is None else int(seed)
    limit = settings.get("max_steps_per_epoch")
    steps = steps if limit is None else min(steps or limit, limit)
    if not is_stream(x):
        if is_samples(x):
            raise ValueError(
                f"x: a {type(x).__name__} with __getitem__ and __len__ alone gives single samples, it seems. Batch them: "
                "torch.utils.data.DataLoader(x, batch_size=32), or make it a keras.utils.PyDataset whose __getitem__ gives batches."
            )
        if isinstance(x, (str, bytes, set, frozenset)):
            raise ValueError(f"x: data of type {type(x).__name__} is not understood. Wanted {ACCEPTED}.")
        return ArrayData(x, y, sample_weight, batch_size, shuffle, class_weight, steps, seed)
    for name, given in (("y", y), ("sample_weight", sample_weight)):
        if given is not None:
            raise ValueError(f"x is {kind_name(x)}: {name} must come with its batches, as (x, y) or (x, y, sample_weight), and cannot be given apart.")
    return StreamData(x, shuffle, class_weight, steps, seed)
