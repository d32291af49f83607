"""TensorFlow: programs are graphs that `tf.function` makes; outside of them each op runs at once.

A graph is made for each shape, so sizes are known while it is. Loops of many steps are loops of the graph. XLA makes one program of a training
where that is faster, and of anything for `jit_compile=True`. Tensors never change in place; a Variable that a user's own `tf.function` reads is kept
in a `tf.Variable` from then on.
"""

import builtins
import functools
import itertools
import re

import numpy as np

from cornu import scopes, settings, shapes, tree
from cornu.backends import memory, stepwise, tensorflow_primitives, tensorflow_recurrent
from cornu.backends.protocol import BINARY, PRIMITIVES, UNARY
from cornu.backends.tensorflow_primitives import ARRAY, DTYPES, HOST, array, cast, dtype, is_array, share, tf  # noqa: F401  part of the backend
from cornu.shapes import UNKNOWN, Spec

from tensorflow.python.autograph.core import config  # isort: skip  # pyright: ignore[reportMissingImports]
from tensorflow.python.eager import record  # isort: skip  no public name tells whether a tape is on, or that a variable was read  # pyright: ignore[reportMissingImports]
from tensorflow.python.eager.tape import variable_accessed  # isort: skip  # pyright: ignore[reportMissingImports]

memory.keep()
config.CONVERSION_RULES = (config.DoNotConvert("cornu"), *config.CONVERSION_RULES)  # AutoGraph leaves our functions as they are
globals().update({name: found for name, found in vars(tensorflow_primitives).items() if name in {*UNARY, *BINARY, *PRIMITIVES}})

NAME = "tensorflow"
WIDE = True
COMPILES = True

type_object = DTYPES.__getitem__


def numpy(x):
    return array(x).numpy()


def copy(x):
    return tf.identity(x)  # tensors never change


def block(tree):
    tf.test.experimental.sync_devices()


def devices():
    found = tf.config.list_physical_devices()
    kinds = [tf.config.experimental.get_device_details(device).get("device_name") for device in found]
    return [device.name.removeprefix("/physical_device:").lower() + (f" ({kind})" if kind else "") for device, kind in zip(found, kinds)]


def device_scope(name):
    """Tensors are made on the device `name`: `"cpu"`, `"gpu:0"`."""
    kind, _, index = name.lower().partition(":")
    known = tf.config.list_logical_devices()
    wanted = f"/device:{kind.replace('cuda', 'gpu').upper()}:{index or 0}"
    if wanted not in [device.name for device in known]:
        shown = ", ".join(device.name.removeprefix("/device:").lower() for device in known)
        raise ValueError(f"device: wanted one of {shown}; got {name!r}.")
    return tf.device(wanted)


def profile(folder):
    """While the `with` lasts, TensorFlow's profiler writes into `folder` what TensorBoard's profile plug-in shows."""
    return tf.profiler.experimental.Profile(folder)


def eager(function):
    """A primitive without the question whether its type must be widened: called with types that need not."""
    return getattr(function, "narrow", function)


def _eagerly():
    return tf.executing_eagerly()


# Variables: a plain tensor, or a tf.Variable once a graph that is not ours reads or changes it, since that graph must see what comes later


def read(variable, value):
    """What `variable` holds, told to the tapes that are on: `value` where a scope has one; None where the value is still on the host."""
    if value is None:
        value = variable._value
        if isinstance(value, tf.Variable) or not tf.executing_eagerly():
            return _kept(variable).value()
        if type(value) is not ARRAY:
            return None
    if variable.trainable and record.could_possibly_record():
        variable_accessed(variable)
    return value


def _kept(variable):
    if not isinstance(variable._value, tf.Variable):
        with tf.init_scope():
            variable._value = tf.Variable(variable.numpy(), trainable=variable.trainable)
    return variable._value


def hold(old, new):
    """What a variable that held `old` holds once it is given `new`."""
    if not isinstance(old, tf.Variable):
        if isinstance(new, ARRAY):
            return new
        with tf.init_scope():
            old = tf.Variable(tf.zeros(new.shape, new.dtype))
    old.assign(new)
    return old


put = hold


def handle(variable):
    """What a tape watches in place of `variable`."""
    scope = scopes.innermost("StatelessScope")
    found = None if scope is None else scope.state_mapping.get(id(variable))
    value = variable._value if found is None else found
    return value.handle if isinstance(value, tf.Variable) else value if isinstance(value, tf.Tensor) else array(variable.numpy())


# Control flow: the graph's own inside of graphs, Python's outside


def _flat(structure):
    return [array(leaf) for leaf in tree.flatten(structure) if leaf is not None]


def _filled(structure, leaves):
    """`structure` with `leaves` in the places that are not None."""
    leaves = iter(leaves)
    return tree.map_structure(lambda x: None if x is None else next(leaves), structure)


def cond(predicate, if_true, if_false):
    if _eagerly():
        return stepwise.cond(predicate, if_true, if_false)
    forms = []

    def branch(function):
        def run():
            out = function()
            forms.append(out)
            return _flat(out)

        return run

    found = tf.cond(predicate, branch(if_true), branch(if_false))
    return _filled(forms[0], found)


def while_loop(test, body, state):
    if _eagerly():
        return stepwise.while_loop(test, body, state)
    leaves = _flat(state)
    kinds = [leaf.dtype for leaf in leaves]

    def step(*leaves):
        return [tf.cast(new, kind) if new.dtype is not kind else new for new, kind in zip(_flat(body(_filled(state, leaves))), kinds, strict=True)]

    found = tf.while_loop(lambda *leaves: test(_filled(state, leaves)), step, leaves, parallel_iterations=1)
    return _filled(state, found)


def stop_gradient(x):
    return tree.map_structure(tf.stop_gradient, x)


def _item(structure, i):
    return tree.map_structure(lambda x: None if x is None else x[i], structure)


def scan(body, state, xs, length, reverse):
    given = _flat(xs)
    length = given[0].shape[0] if given else length
    if _eagerly() or not length:
        return _scan_stepwise(body, state, xs, length, reverse)
    parts = [tf.TensorArray(x.dtype, length, element_shape=x.shape[1:], clear_after_read=False).unstack(x) for x in given]
    first = _flat(state)
    form, specs = _shape_of_step(body, state, xs, given)
    gathered = [tf.TensorArray(spec.dtype, length, element_shape=spec.shape) for spec in specs]

    def step(i, leaves, gathered):
        at = length - 1 - i if reverse else i
        news, y = body(_filled(state, leaves), _filled(xs, [part.read(at) for part in parts]))
        return i + 1, _flat(news), [into.write(at, leaf) for into, leaf in zip(gathered, _flat(y), strict=True)]

    _, last, gathered = tf.while_loop(lambda i, *_: i < length, step, (0, first, gathered), parallel_iterations=1, maximum_iterations=length)
    return _filled(state, last), _filled(form, [into.stack() for into in gathered])


def _shape_of_step(body, state, xs, given):
    """The form of what `body` gives besides the state, and its leaves, of no use but for their shapes."""
    found = []

    def trace(*leaves):
        held = len(leaves) - len(given)
        _, y = body(_filled(state, leaves[:held]), _filled(xs, leaves[held:]))
        found.append(y)
        return _flat(y)

    specs = [tf.TensorSpec(x.shape, x.dtype) for x in _flat(state)] + [tf.TensorSpec(x.shape[1:], x.dtype) for x in given]
    graph = tf.__internal__.FuncGraph("shapes")
    with graph.as_default():
        leaves = trace(*[tf.compat.v1.placeholder(spec.dtype, spec.shape) for spec in specs])
    return found[0], leaves


def _scan_stepwise(body, state, xs, length, reverse):
    ys = [None] * length
    for i in reversed(range(length)) if reverse else range(length):
        state, ys[i] = body(state, _item(xs, i))
    if ys:
        return state, tree.map_structure(lambda *leaves: None if leaves[0] is None else tf.stack(leaves), *ys)
    nothing = body(state, tree.map_structure(lambda x: None if x is None else tf.zeros(x.shape[1:], x.dtype), xs))[1]
    return state, tree.map_structure(lambda x: None if x is None else tf.zeros((0, *x.shape), x.dtype), nothing)


recurrent = functools.partial(tensorflow_recurrent.recurrent, scan)
recurrent_refusal = tensorflow_recurrent.refusal


def vectorize(function, in_axes):
    def mapped(*args):
        axes = [in_axes] * len(args) if isinstance(in_axes, int) else in_axes
        moved = [tree.map_structure(lambda x, axis=axis: x if not axis else _moved(x, axis), arg) for arg, axis in zip(args, axes, strict=True)]
        leaves = [leaf for arg, axis in zip(moved, axes, strict=True) if axis is not None for leaf in tree.flatten(arg)]
        forms = []

        def one(leaves):
            leaves = iter(leaves)
            filled = [arg if axis is None else tree.map_structure(lambda _: next(leaves), arg) for arg, axis in zip(moved, axes, strict=True)]
            out = function(*filled)
            forms.append(out)
            return _flat(out)

        found = tf.vectorized_map(one, leaves)
        return _filled(forms[0], found)

    return mapped


def _moved(x, axis):
    axis = axis % x.ndim
    return tf.transpose(x, [axis, *(i for i in range(x.ndim) if i != axis)])


def custom_gradient(function, arguments):
    forms = []

    @tf.custom_gradient
    def run(*leaves):
        value, pullback = function(*tree.pack_sequence_as(arguments, leaves))
        forms.append(value)

        def backward(*gradients):
            found = tree.flatten(pullback(tree.pack_sequence_as(value, gradients)))
            return [None if x is None else array(x) for x in found]

        return _flat(value), backward

    found = run(*tree.flatten(arguments))
    return tree.pack_sequence_as(forms[0], found)


def jvp(function, primals, tangents, has_aux):
    primals, tangents = tree.map_structure(tf.identity, tuple(primals)), tuple(tangents)
    with tf.autodiff.ForwardAccumulator(primals, tangents) as accumulator:
        out = function(*primals)
    value, aux = out if has_aux else (out, None)
    change = tree.map_structure(lambda x: accumulator.jvp(x, tf.UnconnectedGradients.ZERO), value)
    return (value, change, aux) if has_aux else (value, change)


def remat(function, arguments):
    return function(*arguments)


# Gradients and compiling


def value_and_grad(function, arrays):
    """Inside another `value_and_grad`, or a user's own tape, the gradients stay on its tape."""
    leaves = [tf.identity(x) for x in tree.flatten(arrays)]
    watched = [x for x in leaves if x.dtype.is_floating or x.dtype.is_complex]
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(watched)
        value, aux = function(tree.pack_sequence_as(arrays, leaves))
        value = array(value)
    found = iter(tape.gradient(value, watched))
    found = [next(found) if x.dtype.is_floating or x.dtype.is_complex else None for x in leaves]
    found = [tf.zeros_like(x) if gradient is None else array(gradient) for x, gradient in zip(leaves, found, strict=True)]
    return (value, aux), tree.pack_sequence_as(arrays, found)


def compile(function, donate=(), whole=None):
    """A graph for each form, shape and type of the arguments.

    Args:
        whole: whether XLA makes one program of it; None where that pays: in training, which donates, for the first shapes, where oneDNN has no kernels
            that are faster.
    """
    programs = {}

    def call(*args):
        leaves = tree.flatten(args)
        leaves = [tf.convert_to_tensor(x) if type(x) is np.ndarray else x for x in leaves]
        key = tuple((x.dtype, x.shape) if type(x) is ARRAY else x for x in leaves)
        program = programs.get(key)
        if program is None:
            program = programs[key] = _Program(function, args, leaves, whole, bool(donate) and HOST and len(programs) < _MOST)
        return program([x for x in leaves if type(x) is ARRAY])

    return call


compile_whole = functools.partial(compile, whole=True)

_MOST = 4  # shapes of one function that XLA compiles unasked, each for a second or more
_OF_ONEDNN = re.compile("Conv|MaxPool|BatchMatMul|Einsum")  # where its kernels are faster on a CPU than XLA's


class _Program:
    """`function` as a graph, called with the tensors among its leaves."""

    def __init__(self, function, args, leaves, whole, pays):
        places = [i for i, x in enumerate(leaves) if isinstance(x, tf.Tensor)]
        specs = [tf.TensorSpec(leaves[i].shape, leaves[i].dtype) for i in places]
        rest, shape, form = [None if isinstance(x, tf.Tensor) else x for x in leaves], tree.map_structure(lambda _: 0, args), None

        def run(*tensors):
            nonlocal form
            filled = list(rest)
            for i, x in zip(places, tensors, strict=True):
                filled[i] = x
            out = function(*tree.pack_sequence_as(shape, filled))
            form = tree.map_structure(lambda x: None if x is None else 0, out)
            return _flat(out)

        plain = self.run = tf.function(run, autograph=False).get_concrete_function(*specs)
        self.form, self.plain = form, None
        if whole or (pays and not _any_op(plain.graph.as_graph_def(), _OF_ONEDNN)):
            self.run = tf.function(run, autograph=False, jit_compile=True).get_concrete_function(*specs)
            self.plain = None if whole else plain  # in its place where XLA lacks an op

    def __call__(self, tensors):
        if self.plain is not None:
            plain, self.plain = self.plain, None
            try:
                return _filled(self.form, self.run(*tensors))
            except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
                self.run = plain
        return _filled(self.form, self.run(*tensors))


def _any_op(graph, pattern):
    nodes = itertools.chain(graph.node, *(function.node_def for function in graph.library.function))
    return builtins.any(pattern.search(node.op) for node in nodes)


def in_graph(layer, args, kwargs):
    """What `layer(*args, **kwargs)` gives, as a tuple of one, where tensors of a user's graph (`tf.data`'s, for instance) have unknown sizes; else None.

    Layers that need the sizes run eagerly when the graph does.
    """
    leaves = tree.flatten((args, kwargs))
    places = [i for i, x in enumerate(leaves) if isinstance(x, tf.Tensor) and not x.shape.is_fully_defined()]
    if not places or scopes.innermost("_Opened") is not None:
        return None
    try:
        with _Opened():
            return (layer(*args, **kwargs),)
    except (shapes.NeedsEngine, TypeError, ValueError):
        specs = list(leaves)
        for i in places:
            specs[i] = Spec(leaves[i].shape, dtype(leaves[i]))
        a, k = tree.pack_sequence_as((args, kwargs), specs)
        found = layer.compute_output_spec(*a, **k)

    def run(*tensors):
        filled = list(leaves)
        for i, x in zip(places, tensors, strict=True):
            filled[i] = x
        a, k = tree.pack_sequence_as((args, kwargs), filled)
        return _flat(layer(*a, **k))

    specs = tree.flatten(found)
    outputs = tf.py_function(run, [leaves[i] for i in places], [DTYPES[spec.dtype] for spec in specs])
    for x, spec in zip(outputs, specs, strict=True):
        x.set_shape([None if n is UNKNOWN else n for n in spec.shape])
    return (tree.pack_sequence_as(found, outputs),)


class _Opened(scopes.Scope):
    """The call of a layer on tensors of unknown sizes."""


def joined(function, elementwise):
    """`function`; inside of a graph, where much memory is read, by XLA in one pass."""

    def call(*values, **rest):
        if _eagerly() or values[0].shape.num_elements() < _MUCH:
            return function(*values, **rest)
        names = list(rest)

        def run(values, others):
            return function(*values, **dict(zip(names, others, strict=True)))

        return tf.function(run, autograph=False, jit_compile=True)(list(values), list(rest.values()))

    return call


_MUCH = 2**16


def repeat(step, state, batches, length):
    def body(held):
        i, state, _ = held
        state, logs = step(state, _item(batches, i))
        return i + 1, state, logs

    state, logs = step(state, _item(batches, 0))
    return while_loop(lambda held: held[0] < length, body, (tf.constant(1), state, logs))[1:]


def infer(function, specs):
    """The Specs of `function(*specs)`: a graph made for two lengths of every unknown size, and a size that differs is unknown."""

    def outputs(filling):
        def filled(x):
            return tf.compat.v1.placeholder(DTYPES[x.dtype], [filling if n is UNKNOWN else n for n in x.shape]) if type(x) is Spec else x

        graph = tf.__internal__.FuncGraph("shapes")
        with graph.as_default(), scopes.outside("SymbolicScope"), scopes.StatelessScope():
            return tree.map_structure(lambda x: None if x is None else array(x), function(*(tree.map_structure(filled, spec) for spec in specs)))

    def spec(one, other):
        if one is None:
            return None
        return Spec([UNKNOWN if n is None or n != m else n for n, m in zip(one.shape, other.shape, strict=True)], dtype(one))

    return tree.map_structure(spec, outputs(1031), outputs(2053))


# Faster than the written-once op: where these do not take the arguments, they give NotImplemented and the body runs

_FLOATS = frozenset((tf.float16, tf.bfloat16, tf.float32, tf.float64))


def _of_floats(kernel):
    return lambda x: kernel(x) if x.dtype in _FLOATS else NotImplemented


relu, relu6 = _of_floats(tf.nn.relu), _of_floats(tf.nn.relu6)


def _over_an_axis(kernel):
    """`kernel(x, axis)` for real floats and one axis that is there."""

    def override(x, axis=-1):
        fits = type(axis) is int and x.dtype in _FLOATS and -len(x.shape) <= axis < len(x.shape)
        return kernel(x, axis) if fits and x.shape.num_elements() else NotImplemented

    return override


softmax, log_softmax = _over_an_axis(tf.nn.softmax), _over_an_axis(tf.nn.log_softmax)


def layer_normalization(x, gamma=None, beta=None, axis=-1, epsilon=None, **kwargs):
    """In programs, where there is much to read: forward and backward by XLA in few passes."""
    channels, count = x.shape[-1] if x.ndim else 0, x.shape.num_elements()
    if kwargs or _eagerly() or x.dtype is not tf.float32 or axis not in (-1, x.ndim - 1, [-1]) or not count or count < _MUCH:
        return NotImplemented
    gamma, beta = (w._cornu_value() if hasattr(w, "_cornu_value") else w for w in (gamma, beta))
    gamma, beta = (tf.fill((channels,), n) if w is None else array(w) for w, n in ((gamma, 1.0), (beta, 0.0)))
    if builtins.any(w.dtype is not tf.float32 or w.shape != (channels,) for w in (gamma, beta)):
        return NotImplemented
    found = _layer_normalization(float(settings.epsilon() if epsilon is None else epsilon))(tf.reshape(x, (-1, channels)), gamma, beta)
    return tf.reshape(found, x.shape)


@functools.cache
def _layer_normalization(epsilon):
    by_xla = functools.partial(tf.function, autograph=False, jit_compile=True)

    @by_xla
    def forward(x, gamma, beta):
        average = tf.fill((x.shape[1], 1), 1 / x.shape[1])  # sums of rows are products, which XLA has faster
        centre = tf.matmul(x, average)
        factor = tf.math.rsqrt(tf.matmul(tf.square(x - centre), average) + epsilon)
        return (x - centre) * factor * gamma + beta, centre, factor

    @by_xla
    def backward(x, centre, factor, gamma, gradient):
        normal = (x - centre) * factor
        product, weights = gradient * normal, gamma[:, None] / x.shape[1]
        by_x = factor * (gradient * gamma - tf.matmul(gradient, weights) - normal * tf.matmul(product, weights))
        return by_x, tf.reduce_sum(product, 0), tf.reduce_sum(gradient, 0)

    @tf.custom_gradient
    def run(x, gamma, beta):
        out, centre, factor = forward(x, gamma, beta)
        return out, lambda gradient: backward(x, centre, factor, gamma, gradient)

    return run


def normalize_by_batch(x, axis, offset=None, scale=None, epsilon=1e-3):
    count = x.shape.num_elements()
    if not count or x.dtype is not tf.float32 or axis % x.ndim != x.ndim - 1:
        return NotImplemented
    channels = x.shape[-1]
    scale = tf.ones(channels) if scale is None else scale
    offset = tf.zeros(channels) if offset is None else offset
    given = x if x.ndim == 4 else tf.reshape(x, (count // channels, 1, 1, channels))
    out, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(x=given, scale=scale, offset=offset, mean=(), variance=(), epsilon=epsilon)
    rows = count // channels  # the kernel's variance is that of a sample: over one row less
    return out if x.ndim == 4 else tf.reshape(out, x.shape), tf.stop_gradient(mean), tf.stop_gradient(variance) * ((rows - 1) / rows)
