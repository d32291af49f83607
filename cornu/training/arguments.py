"""Arguments of `compile`, `fit`, `evaluate` and `predict`, checked where they come in."""

import numbers
from collections.abc import Mapping

from cornu import tree


def whole(what, value, least):
    """See that `value` is an integer of at least `least`.

    Raises:
        ValueError: it is not; the message begins with `what`.
    """
    if not hasattr(value, "__index__") or isinstance(value, bool) or value < least:
        raise ValueError(f"{what} must be an integer of at least {least}; got {value!r}.")


def check_verbose(what, verbose):
    """0, 1, 2 or "auto"."""
    if not (verbose == "auto" or (hasattr(verbose, "__index__") and 0 <= verbose <= 2)):
        raise ValueError(f'{what}: verbose must be 0 (nothing), 1 or "auto" (a progress bar) or 2 (a line an epoch); got {verbose!r}.')


def check_batch_size(what, batch_size):
    """An integer of at least 1, or None; something with a shape was meant to be targets."""
    if hasattr(batch_size, "shape") or isinstance(batch_size, (list, tuple)):
        raise ValueError(f"{what} takes x alone, and what came second stands for batch_size: leave it out; {what} needs no targets.")
    if batch_size is not None:
        whole(f"{what}: batch_size", batch_size, 1)


def check_fit(epochs, initial_epoch, verbose, validation_split, validation_data, validation_freq, class_weight):
    """What `fit` was given beside the data."""
    whole("fit: epochs", epochs, 0)
    whole("fit: initial_epoch", initial_epoch, 0)
    check_verbose("fit", verbose)
    if validation_split is not None and (not isinstance(validation_split, numbers.Real) or not 0 <= validation_split < 1):
        raise ValueError(f"fit: validation_split must be a fraction from 0 to less than 1; got {validation_split!r}.")
    if isinstance(validation_data, (str, bytes, numbers.Number)) or (isinstance(validation_data, tuple) and not 1 <= len(validation_data) <= 3):
        shown = f"a tuple of {len(validation_data)}" if isinstance(validation_data, tuple) else repr(validation_data)
        raise ValueError(f"fit: validation_data must be (x, y), (x, y, sample_weight) or a stream of batches; got {shown}.")
    listed = isinstance(validation_freq, (list, tuple, set, range)) and all(hasattr(epoch, "__index__") for epoch in validation_freq)
    if not listed and (not hasattr(validation_freq, "__index__") or validation_freq < 1):
        raise ValueError(f"fit: validation_freq must be an integer of at least 1, or a list of epochs counted from 1; got {validation_freq!r}.")
    check_class_weight("fit", class_weight)


def check_class_weight(what, class_weight):
    """A dictionary from class to weight, or None."""
    if class_weight is None:
        return
    if not isinstance(class_weight, Mapping):
        shown = f" Write {{{', '.join(f'{i}: {value!r}' for i, value in enumerate(class_weight))}}}." if isinstance(class_weight, (list, tuple)) else ""
        raise ValueError(f"{what}: class_weight must be a dictionary from class to weight; got {class_weight!r}.{shown}")
    for key, value in class_weight.items():
        if not isinstance(value, numbers.Real):
            raise ValueError(f"{what}: class_weight of {key!r} must be a number; got {value!r}.")


def check_compile(loss_weights, run_eagerly, steps_per_execution, jit_compile):
    """What `compile` was given beside names and objects."""
    whole("compile: steps_per_execution", steps_per_execution, 1)
    if jit_compile not in (True, False, "auto"):
        raise ValueError(f'compile: jit_compile must be True, False or "auto"; got {jit_compile!r}.')
    if run_eagerly not in (True, False, None):
        raise ValueError(f"compile: run_eagerly must be True or False; got {run_eagerly!r}.")
    for weight in tree.flatten(loss_weights):
        if weight is not None and not isinstance(weight, numbers.Real) and not hasattr(weight, "dtype"):
            raise ValueError(f"compile: loss_weights must be numbers, one for each output; got {weight!r}.")
