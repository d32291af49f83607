"""What a layer keeps: its weights, the layers, metrics and seeds among its attributes, its penalties."""

from cornu import constraints, dtype_policies, dtypes, initializers, regularizers, scopes, shapes, tree
from cornu.backends import protocol
from cornu.random import SeedGenerator
from cornu.shapes import UNKNOWN, Spec
from cornu.symbolic import KerasTensor
from cornu.variable import Variable

changes = [0]  # how often an attribute of a layer was set or a weight made: what was collected from layers holds as long as this stays


def adopt(value):
    """What an attribute's value is kept as; layers/foreign.py makes layers of engines' own modules."""
    return value


class Keeper:
    """A thing with variables: made by `add_weight`, set as attributes, or those of what is set as an attribute."""

    passing = frozenset()  # names of attributes that say how something goes on, and are no part of the thing

    def __setattr__(self, name, value):
        if name not in self.passing:
            changes[0] += 1
        if name == "dtype":
            name, value = "dtype_policy", dtype_policies.get(value)
        elif name == "weights":
            if value is None:  # or given by keyword, and kept already
                return
            name = "_initial_weights"
        elif isinstance(value, Variable):
            if "_own_variables" not in self.__dict__:
                raise RuntimeError(f"{type(self).__name__}: call super().__init__() before setting attributes.")
            self._own(value)
        elif isinstance(getattr(type(self), name, None), property) and getattr(type(self), name).fset is None:
            raise AttributeError(f"{type(self).__name__}.{name} is computed and cannot be set.")
        object.__setattr__(self, name, adopt(value) if name != "module" else value)

    def __getattr__(self, name):  # called for what is not there otherwise
        found = getattr(protocol.backend, "layer_attribute", None)
        found = None if found is None or name.startswith("_") else found(self, name)
        return object.__getattribute__(self, name) if found is None else found  # which raises what it raised before

    def __delattr__(self, name):
        changes[0] += 1
        value = self.__dict__.get(name)
        if isinstance(value, Variable):
            self._own_variables[:] = [v for v in self._own_variables if v is not value]
        object.__delattr__(self, name)

    # -- weights --------------------------------------------------------------------------------------------------------------------

    def add_weight(
        self,
        shape=None,
        initializer=None,
        dtype=None,
        trainable=True,
        autocast=True,
        regularizer=None,
        constraint=None,
        aggregation="none",
        layout=None,
        name=None,
        overwrite_with_gradient=False,
    ):
        """Make a weight.

        Args:
            shape: sizes, all known; () by default.
            initializer: name, config or function; by default the layer's `<name>_initializer`, else glorot_uniform for floats, zeros otherwise.
            dtype: type, by default the layer's variable type.
            trainable: whether training changes it.
            regularizer, constraint: by default the layer's `<name>_regularizer`, `<name>_constraint`.
            name: last part of the weight's path.

        Returns:
            The Variable.

        Raises:
            ValueError: a size is not known.
        """
        shape = () if shape is None else shape
        dtype = dtypes.standardize(dtype or self.variable_dtype)
        if initializer is None:
            initializer = getattr(self, f"{name}_initializer", None) or ("glorot_uniform" if dtypes.is_float(dtype) else "zeros")
        regularizer = regularizers.get(regularizer) or getattr(self, f"{name}_regularizer", None)
        constraint = constraints.get(constraint) or getattr(self, f"{name}_constraint", None)
        if any(size is None or size is UNKNOWN for size in (shape if isinstance(shape, (tuple, list)) else ())):
            raise ValueError(
                f"{self._label()}: the weight {name!r} would have the shape {shapes.public(shape)}: a size that the input must give is not known. Give it in Input(shape=...)."
            )
        with self._open_name_scope():
            variable = Variable(
                initializers.get(initializer),
                shape=shape,
                dtype=dtype,
                trainable=trainable,
                autocast=autocast,
                aggregation=aggregation,
                layout=layout,
                name=name,
            )
        variable.regularizer, variable.constraint = regularizer, constraint
        variable.overwrite_with_gradient = overwrite_with_gradient
        self._own(variable)
        return variable

    def _own(self, variable):
        changes[0] += 1
        if all(v is not variable for v in self._own_variables):
            self._own_variables.append(variable)
            if not variable.trainable:
                variable.fixed = True

    @property
    def _ordered_variables(self):
        """The layer's own variables, first those that were made to be trained, as files hold them."""
        return sorted(self._own_variables, key=lambda v: v.fixed)

    def add_variable(self, shape, initializer, dtype=None, trainable=True, autocast=True, regularizer=None, constraint=None, name=None):
        """As `add_weight`, the shape and initializer first."""
        return self.add_weight(shape, initializer, dtype, trainable, autocast, regularizer, constraint, name=name)

    def add_metric(self, *args, **kwargs):
        """Not in Keras 3 either: give metrics to `compile(metrics=[...])`, or make them in `__init__` and update them in `call`.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            f"{self._label()}: add_metric ended with Keras 2. Give the metric to compile(metrics=[...]), or keep a metric as an attribute and call "
            "its update_state(...) in `call`."
        )

    def _children(self):
        """What the attributes hold that has state: layers, metrics, seed generators, in the order they were set."""
        found, seen = [], {id(self)}
        for key, value in self.__dict__.items():
            if key not in _UNTRACKED:
                _collect(value, found, seen)
        return found

    @property
    def _layers(self):
        return [child for child in self._children() if isinstance(child, Keeper)]

    def _flatten_layers(self, include_self=True, recursive=True):
        order, seen = [], set()

        def visit(layer, top):
            if id(layer) in seen:
                return
            seen.add(id(layer))
            if not top or include_self:
                order.append(layer)
            if top or recursive:
                for child in layer._layers:
                    visit(child, False)

        visit(self, True)
        return order

    @property
    def variables(self):
        """All variables, those of seeds included, once each; metrics' sums are in `metrics_variables`."""
        found = self._ordered_variables
        for child in self._children():
            found = [*found, *([child.state] if isinstance(child, SeedGenerator) else child.variables if isinstance(child, Keeper) else ())]
        return _unique(found)

    @property
    def weights(self):
        """The weights: as `variables`, without the states of seed generators."""
        return _unique([*self._ordered_variables, *(w for layer in self._layers for w in layer.weights)])

    @property
    def trainable_variables(self):
        """What training changes."""
        if not self.trainable:
            return []
        own = [v for v in self._ordered_variables if v.trainable]
        return _unique([*own, *(v for layer in self._layers for v in layer.trainable_variables)])

    @property
    def non_trainable_variables(self):
        """The variables that training leaves alone: seeds and frozen weights included."""
        return self._without_trained(self.variables)

    def _without_trained(self, variables):
        trained = {id(v) for v in self.trainable_variables}
        return [v for v in variables if id(v) not in trained]

    trainable_weights = property(lambda self: self.trainable_variables)

    @property
    def non_trainable_weights(self):
        return self._without_trained(self.weights)

    @property
    def metrics_variables(self):
        return _unique([v for metric in self.metrics for v in metric.variables])

    @property
    def metrics(self):
        """The metrics among the attributes of the layer and of the layers below."""
        return _unique([c for layer in self._flatten_layers() for c in layer._children() if _is_metric(c)])

    def _get_trainable(self):
        """Whether training changes the weights; setting it sets the layers below too."""
        return self.__dict__.get("_trainable", True)

    def _set_trainable(self, value):
        object.__setattr__(self, "_trainable", bool(value))
        if not self.__dict__.get("_prepared"):  # as an argument it says nothing of the layers that it is made of
            return
        for variable in self._own_variables:
            if not variable.fixed:
                variable.trainable = value
        for layer in self._layers:
            layer.trainable = value

    def get_weights(self):
        """The values of `weights`, as NumPy arrays."""
        return [w.numpy() for w in self.weights]

    def set_weights(self, weights):
        """Set the values of `weights`, in their order.

        Raises:
            ValueError: another number of arrays, or another shape.
        """
        wanted = self.weights
        if len(weights) != len(wanted):
            raise ValueError(
                f"{self._label()} has {len(wanted)} weights; set_weights got {len(weights)} arrays."
                + ("" if self.built else " The layer is not built yet: call it or `build` it first.")
            )
        for variable, value in zip(wanted, weights):
            if tuple(getattr(value, "shape", ())) != variable.shape and hasattr(value, "shape"):
                raise ValueError(f"{self._label()}: the weight {variable.path!r} has the shape {variable.shape}; set_weights got {tuple(value.shape)}.")
        for variable, value in zip(wanted, weights):
            variable.assign(value)

    def count_params(self):
        """Number of numbers in the weights.

        Raises:
            ValueError: the layer is not built.
        """
        if not self.built:
            raise ValueError(f"{self._label()} has no weights yet: call it or `build` it before `count_params`.")
        return sum(w.size for w in self.weights)

    # -- losses ---------------------------------------------------------------------------------------------------------------------

    def add_loss(self, loss):
        """Add a scalar (or a list of them) to what training minimizes; call it inside `call`."""
        for item in tree.flatten(loss):
            if type(item) is Spec or isinstance(item, KerasTensor):
                continue
            scope = scopes.innermost("StatelessScope")
            if scope is not None and scope.collect_losses:
                scope.add_loss(item)
            else:
                self._losses.append(item)

    def _clear_losses(self):
        for layer in self._flatten_layers() if self._layers else (self,):
            layer._losses.clear()

    @property
    def losses(self):
        """Penalties: those of `add_loss` in the last call, and the weights' regularizers."""
        scope = scopes.innermost("StatelessScope")
        if scope is not None and scope.collect_losses:
            found = list(scope.losses)
        else:
            found = [loss for layer in self._flatten_layers() for loss in layer._losses]
        return found + [v.regularizer(v.value) for v in self._trained() if v.regularizer is not None]

    def _trained(self):
        return self.trainable_variables

    # -- files ----------------------------------------------------------------------------------------------------------------------

    def save_own_variables(self, store):
        """Put the values of the layer's own variables into `store`, under "0", "1", ..."""
        for i, variable in enumerate(self._ordered_variables):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store):
        """Take the values of the layer's own variables from `store`.

        Raises:
            ValueError: another number of them, or another shape.
        """
        own = self._ordered_variables
        if len(store.keys()) != len(own):
            if own and not len(store.keys()):
                raise ValueError(f"{self._label()} has {len(own)} variables, but the file holds none for it.")
            hint = "" if self.built else " It is not built yet: call it or `build` it first."
            raise ValueError(f"{self._label()} has {len(own)} variables, but the file holds {len(store.keys())} for it.{hint}")
        for i, variable in enumerate(own):
            variable.assign(store[str(i)])


_UNTRACKED = frozenset("_inbound_nodes _own_variables _losses _build_shapes _init_arguments _initial_weights name built dtype_policy input_spec".split())


def _is_metric(x):
    return hasattr(x, "update_state") and hasattr(x, "reset_state")


def _collect(value, found, seen):
    if isinstance(value, (list, tuple)):
        if len(value) > 10_000 and not isinstance(value[0], (Keeper, Variable)):
            return
        for item in value:
            if isinstance(item, (int, float, str)):
                continue
            _collect(item, found, seen)
    elif isinstance(value, dict):
        for item in value.values():
            _collect(item, found, seen)
    elif (isinstance(value, (Keeper, SeedGenerator)) or _is_metric(value)) and id(value) not in seen:
        seen.add(id(value))
        found.append(value)


def _unique(items):
    seen = {}
    for item in items:
        seen.setdefault(id(item), item)
    return list(seen.values())
