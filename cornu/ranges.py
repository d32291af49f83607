"""Numbers that a user gives, looked at where they come in: of what kind, and from where to where."""

import math

from cornu.fields import suggestion


def check(thing, *names, least=None, above=None, most=None, below=None, whole=False, optional=False):
    """See that the attributes `names` of `thing` are numbers in a range.

    Args:
        least, above: the smallest number allowed, or one that all must be above.
        most, below: the largest number allowed, or one that all must be below.
        whole: whether it must be a whole number.
        optional: whether None is allowed.

    Raises:
        TypeError: one is no number.
        ValueError: one is outside.
    """
    for name in names:
        value = getattr(thing, name)
        if value is None and optional:
            continue
        kind = "an integer" if whole else "a number"
        said = f"{type(thing).__name__}: {name} must be {kind}{_span(least, above, most, below)}{', or None' if optional else ''}; got {value!r}"
        if isinstance(value, (bool, str, bytes, list, tuple, dict)) or not hasattr(value, "__float__") or getattr(value, "shape", ()) != ():
            raise TypeError(f"{said} ({type(value).__name__}).")
        inside = (
            not math.isnan(value)
            and (least is None or value >= least)
            and (above is None or value > above)
            and (most is None or value <= most)
            and (below is None or value < below)
        )
        if not inside or (whole and not hasattr(value, "__index__")):
            raise ValueError(f"{said}.")


def one_of(thing, name, allowed):
    """See that the attribute `name` of `thing` is one of `allowed`.

    Raises:
        ValueError: it is not; the message has the nearest.
    """
    value = getattr(thing, name)
    if not any(value is item or (isinstance(value, str) and value == item) for item in allowed):
        shown = ", ".join(str(item) for item in allowed)
        raise ValueError(f"{type(thing).__name__}: {name} must be one of {shown}; got {value!r}.{suggestion(value, allowed)}")


def _span(least, above, most, below):
    low = f" from {least:g}" if least is not None else f" above {above:g}" if above is not None else ""
    high = f" to {most:g}" if most is not None else f" below {below:g}" if below is not None else ""
    if least is not None and not high:
        low = f" of at least {least:g}"
    if least is None and above is not None and most is not None:
        high = f" and at most {most:g}"
    elif high.startswith(" below") and low:
        high = f" and{high}"
    elif most is not None and not low:
        high = f" of at most {most:g}"
    return low + high
