"""The primitives: the one list of what an interpreter must supply, and how a call reaches the right one.

An interpreter is a module with a function for each name below: `spec` (shapes and types alone) and `cost` (spec that also
counts), `jax`, `numpy` (values). Calling a primitive runs it on `spec` when one of its tensors is a Spec, else
on the backend in use. Arguments are settled before: tensors of one call share one type (Python scalars may stand for them in
elementwise calls), axes are not negative, paddings are pairs of numbers, images are channels-last.
"""

from cornu import shapes

UNARY = """negative abs sign exp expm1 log log1p log2 log10 sqrt rsqrt square reciprocal sin cos tan arcsin arccos arctan sinh cosh tanh
arcsinh arccosh arctanh sigmoid erf erfinv lgamma digamma floor ceil round trunc isnan isinf isfinite logical_not bitwise_not
real imag conj""".split()  # f(x)
BINARY = """add subtract multiply divide floor_divide mod power maximum minimum arctan2 equal not_equal less less_equal greater
greater_equal logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor left_shift right_shift nextafter""".split()  # f(x, y)
PREDICATES = frozenset("isnan isinf isfinite logical_not equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor".split())

PRIMITIVES = {
    # elementwise with a form of its own
    "where": "(condition, x, y): bool, and two of one type or scalars, broadcast",
    "cast": "(x, dtype)",
    # making
    "full": "(shape, value, dtype): value a Python scalar or a 0-d tensor",
    "arange": "(start, stop, step, dtype): Python numbers",
    "iota": "(shape, axis, dtype): the index along `axis` at every place",
    # reductions: axes is a sorted tuple, never None
    "sum": "(x, axes, keepdims)",
    "prod": "(x, axes, keepdims)",
    "max": "(x, axes, keepdims)",
    "min": "(x, axes, keepdims)",
    "any": "(x, axes, keepdims) of bool",
    "all": "(x, axes, keepdims) of bool",
    "argmax": "(x, axis, keepdims) -> int32, the first of ties",
    "argmin": "(x, axis, keepdims) -> int32, the first of ties",
    "cumsum": "(x, axis)",
    "cumprod": "(x, axis)",
    # order
    "sort": "(x, axis) ascending",
    "argsort": "(x, axis) -> int32, stable",
    "top_k": "(x, k) over the last axis -> values descending, int32 indices",
    # movement
    "reshape": "(x, shape): at most one -1",
    "transpose": "(x, axes)",
    "broadcast_to": "(x, shape)",
    "pad": "(x, widths, value): widths is a (low, high) pair an axis",
    "bitcast": "(x, dtype): the same bytes; the last axis grows or shrinks with the types' sizes",
    "dilate": "(x, steps): steps[i] - 1 zeros between neighbours on axis i",
    "slice": "(x, starts, stops, strides): a (start, stop, stride) an axis, as Python would, stride positive; stop None is the end",
    "flip": "(x, axes)",
    "concatenate": "(xs, axis)",
    "take": "(x, indices, axis): integer tensor, indices in range, negatives count from the end",
    "take_along_axis": "(x, indices, axis): indices broadcast against x but for axis",
    "getitem": "(x, key): NumPy's basic and advanced indexing with static structure",
    "scatter": "(x, indices, updates, mode): indices (..., k) point into the first k axes; mode update, add, maximum, minimum, multiply",
    "dynamic_slice": "(x, starts, sizes): starts a list of 0-d integer tensors",
    "dynamic_update_slice": "(x, update, starts)",
    # products
    "matmul": "(x, y): both at least 2-d, batch axes broadcast",
    "einsum": "(equation, xs): explicit output, no ellipsis",
    "conv": "(x, kernel, strides, padding, dilation, groups): (N, *space, C) by (*window, C / groups, filters); padding a (low, high) pair a spatial axis",
    # windows over the spatial axes of (N, *space, C)
    "max_pool": "(x, size, strides, padding): padding a (low, high) pair a spatial axis; padded places never win",
    "sum_pool": "(x, size, strides, padding): padded places count as 0",
    # linear algebra, over the last two axes
    "cholesky": "(x)",
    "qr": "(x, complete) -> q, r; complete: q is square",
    "lu": "(x) -> the factors in one matrix (the diagonal of the left one, ones, left out), int32 pivots: the row that each row was swapped with",
    "eig": "(x) -> complex values, complex vectors",
    "svd": "(x, full_matrices, compute_uv)",
    "eigh": "(x) -> values, vectors",
    "solve": "(a, b)",
    "triangular_solve": "(a, b, lower)",
    "inv": "(x)",
    "det": "(x)",
    "fft": "(x): complex, last axis",
    "ifft": "(x): complex, last axis",
    # control flow; the functions take and return trees of tensors
    "cond": "(predicate, if_true, if_false): functions without arguments",
    "while_loop": "(test, body, state): functions of the state tree",
    "scan": "(body, state, xs, length, reverse): body(state, x) -> state, y; xs and ys are trees stacked on axis 0",
    "vectorize": "(function, in_axes): maps over an axis of every argument with in_axes not None; outputs stacked on axis 0",
    "stop_gradient": "(x)",
    "jvp": "(function, primals, tangents, has_aux): the value of function(*primals), its change along `tangents`, and what else it gives",
    "custom_gradient": "(function, arguments): function(*arguments) -> value, pullback(cotangent) -> a gradient an argument",
    "remat": "(function, arguments): function(*arguments), computed again when its gradient is",
}

# What only a backend that computes supplies, besides the primitives (not dispatched on Spec):
PROGRAM = {
    "NAME": "the backend's name",
    "WIDE": "whether int64, uint64 and float64 exist there; else they narrow to 32 bits",
    "COMPILES": "whether `compile` makes programs (False: everything runs eagerly)",
    "HOST": "whether its arrays lie in the host's memory",
    "array": "(x, dtype=None): an array from lists, scalars, NumPy arrays and arrays of the backend",
    "share": "(x): an array over the memory of the NumPy array x where that can be; x must not change while it lives",
    "is_array": "(x): whether x is an array of the backend, traced ones included",
    "ARRAY": "the type (or tuple of types) of the backend's concrete arrays, for the fast path",
    "dtype": "(x): the name of an array's type",
    "type_object": "(name): what arrays of that type carry as their `dtype`",
    "numpy": "(x): a NumPy array on the host",
    "copy": "(x): a new buffer",
    "value_and_grad": "(function, arrays): function(arrays) -> scalar, aux; gives (scalar, aux), gradients",
    "compile": "(function, donate=()): the function compiled; donate names positions of arguments whose buffers may be reused",
    "eager": "(function): the function in its quickest form for calls on concrete arrays outside of programs; itself where there is none",
    "repeat": "(step, state, batches, length): step(state, batch) -> state, logs, over axis 0 of the tree `batches`; gives the last state and the last logs",
    "infer": "(function, specs): the Specs of function(*specs) by the backend's own abstract evaluation",
    "block": "(tree): waits until the values are there",
    "device_scope": "(name): a context in which arrays are made on that device",
    "devices": "(): the names of the devices that arrays can be made on, each with what it is in brackets where that is known",
}

# What a backend supplies where its engine has a quicker form than the library's own, besides any op under its own name:
OPTIONAL = {
    "recurrent": "(kind, x, states, weights, mask, zero_masked, dropped): all steps of a recurrence; kind lstm, gru (reset after), simple_rnn_tanh, simple_rnn_relu; "
    "x (batch, steps, features); weights kernel, recurrent kernel, bias or None; mask bool (batch, steps) or None; dropped (batch, units), what the state is "
    "multiplied by before its product in each step, or None -> last output, all outputs, last states",
    "program": "(function, arguments): `function` compiled for trees of arrays like these, where a user asked for it by jit_compile=True on a backend whose "
    "steps run op by op by default",
    "recorded": "(function, arguments): the operations of `function` on lists of arrays like these, to run again without Python between them; raises ValueError "
    "where they depend on values",
    "layer_attribute": "(layer, name): what a layer has by that name on this engine alone; None for nothing",
    "is_module": "(x): whether x is the engine's own kind of layer, for TorchModuleWrapper",
    "module_arrays": "(module): (name, array, whether it is trained) of all that such a module holds",
    "call_module": "(module, values, args, kwargs, training): its outputs for values by name, and values that it changed",
    "trained": "(value, whether): the array as the engine's own kind of weight, trained or not",
    "put": "(old, new): what a variable holds that held `old` and is given `new`",
    "hold": "(old, new): as `put`, when a training gives the variables back what it worked on",
    "read": "(variable, value): the value as a user's own tape or graph must see it; `value` None where no scope has one; gives None for the plain value",
    "handle": "(variable): what a user's own tape knows it by",
    "in_graph": "(layer, args, kwargs): the outputs in a tuple of one, where the arguments are parts of a user's own graph; else None",
    "compile_whole": "as `compile`, where a user asked for it by jit_compile=True",
    "update": "(rule, options, weights, gradients, slots, rate, done, decays): the update of all weights by the optimizer's rule of that name, written "
    "into the arrays themselves, after `done` others; options has the rule's arguments; slots a list a weight; decays a fraction of the rate or None a weight",
    "update_refusal": "(rule, dtypes): why `update` cannot do this, in words; None where it can",
    "settle": "(anew): gives the system what lies free among the memory that is kept; anew: after something was compiled",
    "joined": "(function, elementwise): the rule of an optimizer, function(weight, gradient, *slots, **numbers), as it is called for many weights of "
    "one update; elementwise: whether it treats every number by itself",
    "owned": "(values): the arrays, copies of those whose memory somebody else holds too",
    "DIRECT": "whether steps that are not compiled change the variables themselves, where they take values and give values elsewhere",
    "recurrent_refusal": "(kind, dtype, dropping): why `recurrent` cannot run this, in words; None where it can",
}

spec = None  # the interpreter of shapes: backends.spec, or backends.cost inside its scope; set by backends/__init__.py
backend = None  # the backend in use, once loaded
_load = None  # loads it


ABSTRACT = frozenset((shapes.Spec, shapes.Unknown))
_NESTED = frozenset((list, tuple))


def _primitive(name):
    """One primitive: `add(x, y)` runs on the interpreter that its arguments call for."""

    def call(*args):
        kinds = {*map(type, args)}
        if kinds.isdisjoint(ABSTRACT) and kinds.isdisjoint(_NESTED):
            return getattr(backend or _load(), name)(*args)
        return getattr(interpreter(args), name)(*args)

    call.__name__ = call.__qualname__ = name
    return call


def interpreter(args):
    """`spec` when a tensor among `args`, or in a list among them, is a Spec; or a size is unknown, save in a program that the backend traces. Else the backend."""
    unknown = False
    for x in args:
        for item in x if type(x) in _NESTED else (x,):
            if type(item) is shapes.Spec:
                return spec
            unknown = unknown or type(item) is shapes.Unknown
    traced = backend is not None and backend.is_array(args[0]) and not isinstance(args[0], backend.ARRAY)
    return spec if unknown and not traced else backend or _load()


def __getattr__(name):
    if name in PRIMITIVES or name in UNARY or name in BINARY:
        made = globals()[name] = _primitive(name)
        return made
    raise AttributeError(f"module {__name__!r} has no primitive {name!r}")
