"""What a layer wants of its inputs, checked before it is called."""

from cornu import dtypes, shapes, tree
from cornu.symbolic import KerasTensor


class InputSpec:
    """What one input of a layer must be like.

    Args:
        dtype: name of the type, or None for any.
        shape: sizes; None where any size goes.
        ndim, min_ndim, max_ndim: number of axes.
        axes: dictionary from an axis (negative ones count from the end) to its size.
        allow_last_axis_squeeze: whether an input may have one axis of size 1 more or less at the end than `shape`.
        name: name of the input.
        optional: whether None may be passed.
    """

    def __init__(self, dtype=None, shape=None, ndim=None, max_ndim=None, min_ndim=None, axes=None, allow_last_axis_squeeze=False, name=None, optional=False):
        self.dtype = dtypes.standardize(dtype) if dtype is not None else None
        self.shape = None if shape is None else tuple(shape)
        self.ndim = len(self.shape) if self.shape is not None else ndim
        self.max_ndim, self.min_ndim, self.name, self.optional = max_ndim, min_ndim, name, optional
        self.axes = {int(axis): size for axis, size in (axes or {}).items()}
        self.allow_last_axis_squeeze = allow_last_axis_squeeze
        ranks = [limit for limit in (self.ndim, self.max_ndim) if limit is not None]
        for axis in self.axes:
            if ranks and axis >= max(ranks):
                raise ValueError(f"InputSpec: axis {axis} is out of range for an input of {max(ranks)} axes.")

    def __repr__(self):
        shown = [f"{k}={v}" for k, v in self.get_config().items() if v]
        return f"InputSpec({', '.join(shown)})"

    def get_config(self):
        return {"dtype": self.dtype, "shape": self.shape, "ndim": self.ndim, "max_ndim": self.max_ndim, "min_ndim": self.min_ndim, "axes": self.axes}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def assert_compatible(input_spec, inputs, layer):
    """Raise ValueError where `inputs` are not what `input_spec` (one, or a structure of them) wants; `layer` is how errors name the layer."""
    if not input_spec:
        return
    specs = tree.flatten(input_spec)
    if isinstance(inputs, dict) and isinstance(input_spec, (list, tuple)) and all(s.name in inputs for s in specs):
        values = [inputs[s.name] for s in specs]
    else:
        values = tree.flatten(inputs)
    if len(values) != len(specs):
        raise ValueError(f"{layer}: wanted {len(specs)} input(s); got {len(values)}.")
    for spec, x in zip(specs, values):
        if spec is None or (x is None and spec.optional):
            continue
        where = f"{layer}" + (f", input {spec.name!r}" if spec.name else "")
        if not hasattr(x, "shape"):
            raise ValueError(f"{where}: wanted a tensor; got {type(x).__name__}: {str(x)[:60]}")
        shape = shapes.public(x.shape) if not isinstance(x, KerasTensor) else x.shape
        ndim = len(shape)
        wanted = None
        if spec.ndim is not None and ndim != spec.ndim and not (spec.allow_last_axis_squeeze and abs(ndim - spec.ndim) == 1):
            wanted = f"{spec.ndim} axes"
        elif spec.max_ndim is not None and ndim > spec.max_ndim:
            wanted = f"at most {spec.max_ndim} axes"
        elif spec.min_ndim is not None and ndim < spec.min_ndim:
            wanted = f"at least {spec.min_ndim} axes"
        if wanted:
            raise ValueError(f"{where}: wanted an input of {wanted} (the batch counts as one); got {ndim}, shape {shape}.{_advice(spec, shape)}")
        for axis, size in spec.axes.items():
            if size is not None and -ndim <= axis < ndim and shape[axis] not in (size, None):
                raise ValueError(f"{where}: wanted an input whose axis {axis} has the size {size}, as when the layer was built; got the shape {shape}.")
        if spec.shape is not None:
            against = shape
            if spec.allow_last_axis_squeeze and ndim != spec.ndim:
                against = shape[:-1] if ndim > spec.ndim and shape[-1] == 1 else (*shape, 1) if spec.shape[-1] == 1 else shape
            if len(against) != len(spec.shape) or any(s is not None and got is not None and s != got for s, got in zip(spec.shape, against)):
                raise ValueError(f"{where}: wanted an input of shape {spec.shape} (None: any size); got {shape}.")


def _advice(spec, shape):
    low = spec.ndim if spec.ndim is not None else spec.min_ndim
    if low is None or len(shape) >= low:
        return " Flatten or reshape it before this layer." if low is not None else ""
    if low - len(shape) == 1 and low in (4, 5):
        return " Images need a channel axis: x = x[..., None] (or reshape to (samples, height, width, channels))."
    if low - len(shape) == 1:
        return " One sample needs a batch axis too: x[None]; a sequence needs a feature axis: x[..., None]."
    return ""
