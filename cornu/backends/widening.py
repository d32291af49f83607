"""Types that an engine can keep but lacks kernels for: computed in a wider one, and cast back."""


def caster(array, cast):
    """`as_type(x, old, new)`: `x`, or what stands in a list or tuple, by `cast(x, new)` where it is an `array` of the type `old`, else as it is."""

    def as_type(x, old, new):
        if type(x) in (list, tuple):
            return type(x)([as_type(item, old, new) for item in x])
        return cast(x, new) if isinstance(x, array) and x.dtype is old else x

    return as_type


def widened(function, wider, as_type):
    """`function` for the types of `wider` too, which it computes in the types that they stand for there; `narrow` is the function itself."""

    def call(x, *args):
        first = args[0] if type(x) is str else x  # an equation comes before its tensors
        kept = (first[0] if type(first) in (list, tuple) else first).dtype
        wide = wider.get(kept)
        if wide is None:
            return function(x, *args)
        out = function(*(as_type(arg, kept, wide) for arg in (x, *args)))
        return tuple(as_type(part, wide, kept) for part in out) if type(out) is tuple else as_type(out, wide, kept)

    call.narrow = function
    return call
