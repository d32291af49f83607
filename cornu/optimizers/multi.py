"""Several optimizers for one model: which weight goes to which is told by the weight's path."""

import re
from collections.abc import MutableMapping

from cornu import serialization
from cornu.optimizers.loss_scale import LossScaleOptimizer
from cornu.optimizers.optimizer import Optimizer


class OptimizerMap(MutableMapping):
    """Optimizers by the paths of weights: a key is a whole path, or a regular expression that fits a whole path.

    Args:
        default_optimizer: for weights that no key fits.
        optimizer_map: dictionary from keys to optimizers.

    Raises:
        TypeError, ValueError: what was given is no dictionary of optimizers by text.

    >>> found = OptimizerMap(optimizers.Adam(), {".*/bias": optimizers.SGD(0.1, name="biases")})
    >>> found["dense/bias"]
    <SGD name=biases>
    """

    def __init__(self, default_optimizer, optimizer_map=None):
        if not isinstance(default_optimizer, Optimizer):
            raise TypeError(f"OptimizerMap: default_optimizer must be an Optimizer; got {default_optimizer!r} ({type(default_optimizer).__name__}).")
        if optimizer_map is not None and not isinstance(optimizer_map, dict):
            raise TypeError(f"OptimizerMap: optimizer_map must be a dictionary from paths to optimizers, or None; got {optimizer_map!r}.")
        self._default_optimizer, self._optimizers = default_optimizer, {}
        for key, optimizer in (optimizer_map or {}).items():
            self[key] = optimizer

    @property
    def default_optimizer(self):
        """The optimizer of weights that no key fits."""
        return self._default_optimizer

    def __getitem__(self, key):
        if key in self._optimizers:
            return self._optimizers[key]
        fitting = [pattern for pattern in self._optimizers if re.fullmatch(pattern, key)]
        if len(fitting) > 1:
            raise ValueError(f"OptimizerMap: the keys {', '.join(map(repr, fitting))} all fit the path {key!r}. Let one key fit each path.")
        return self._optimizers[fitting[0]] if fitting else self._default_optimizer

    def __setitem__(self, key, optimizer):
        if not isinstance(key, str):
            raise ValueError(f"OptimizerMap: a key must be a path or a regular expression; got {key!r} ({type(key).__name__}).")
        if key in self._optimizers:
            raise ValueError(f"OptimizerMap: the key {key!r} is there already. Delete it first, or change it.")
        if not isinstance(optimizer, Optimizer):
            raise ValueError(f"OptimizerMap: what {key!r} stands for must be an Optimizer; got {optimizer!r} ({type(optimizer).__name__}).")
        try:
            re.compile(key)
        except re.error as error:
            raise ValueError(f"OptimizerMap: the key {key!r} is no regular expression: {error}.") from None
        self._optimizers[key] = optimizer

    def __delitem__(self, key):
        del self._optimizers[key]

    def __len__(self):
        return len(self._optimizers)

    def __iter__(self):
        return iter(self._optimizers)

    def __call__(self, variable):
        """The optimizer of a weight."""
        return self[variable.path]

    def __repr__(self):
        return f"<OptimizerMap default={self._default_optimizer} {self._optimizers}>"

    def get_config(self):
        written = serialization.serialize_keras_object
        return {"default_optimizer": written(self._default_optimizer), "optimizer_map": {key: written(value) for key, value in self._optimizers.items()}}

    @classmethod
    def from_config(cls, config):
        """A map from what `get_config` gave."""
        read = lambda found: serialization.deserialize_keras_object(found, kind="optimizers") if isinstance(found, dict) else found
        return cls(read(config["default_optimizer"]), {key: read(value) for key, value in (config.get("optimizer_map") or {}).items()})


serialization.own(OptimizerMap, "keras.optimizers", "optimizers")


class MultiOptimizer(Optimizer):
    """Update each weight by an optimizer of its own.

    Args:
        optimizer_map: an OptimizerMap, or a function from a weight (a Variable) to its optimizer.
        loss_scale_factor: the loss is multiplied by it and gradients are divided by it, for all of the optimizers.
        name: first part of its variables' paths.

    Raises:
        TypeError: something else than a map or a function.
        ValueError: one of the optimizers scales the loss by itself.

    >>> optimizer = MultiOptimizer(OptimizerMap(optimizers.Adam(), {".*/bias": optimizers.SGD(0.1)}))
    """

    def __init__(self, optimizer_map, loss_scale_factor=None, name=None):
        if not callable(optimizer_map):
            raise TypeError(
                f"MultiOptimizer: optimizer_map must be an OptimizerMap or a function from a Variable to its optimizer; got {optimizer_map!r} "
                f"({type(optimizer_map).__name__}). Make one: OptimizerMap(optimizers.Adam(), {{'.*/bias': optimizers.SGD()}})."
            )
        super().__init__(learning_rate=0.0, loss_scale_factor=loss_scale_factor, name=name)
        self.optimizer_map, self._optimizers, self._places = optimizer_map, [], []
        if isinstance(optimizer_map, OptimizerMap):
            for optimizer in (*optimizer_map.values(), optimizer_map.default_optimizer):
                self._take_in(optimizer)

    def _take_in(self, optimizer):
        """The place of an optimizer among `optimizers`."""
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{self._shown()}: the function must give an Optimizer; got {optimizer!r} ({type(optimizer).__name__}).")
        own = optimizer.loss_scale_factor
        if isinstance(optimizer, (LossScaleOptimizer, MultiOptimizer)) or own not in (None, self.loss_scale_factor):
            raise ValueError(
                f"{self._shown()}: {optimizer} scales the loss, or is made of several optimizers; wanted plain ones. Give `loss_scale_factor` to MultiOptimizer."
            )
        optimizer.loss_scale_factor = self.loss_scale_factor  # each divides its gradients
        if all(optimizer is not known for known in self._optimizers):
            self._optimizers.append(optimizer)
        return next(place for place, known in enumerate(self._optimizers) if known is optimizer)

    @property
    def optimizers(self):
        """The optimizers, each once."""
        return list(self._optimizers)

    @property
    def learning_rate(self):
        """There is none: ask one of `optimizers`."""
        raise AttributeError("A MultiOptimizer has no learning rate of its own: ask one of its `optimizers`.")

    @learning_rate.setter
    def learning_rate(self, value):
        if "optimizer_map" in self.__dict__:
            raise AttributeError("A MultiOptimizer has no learning rate of its own: set that of one of its `optimizers`.")
        self._learning_rate = value

    @property
    def variables(self):
        """Its own variables, then those of each optimizer."""
        return [*self._variables, *(variable for optimizer in self._optimizers for variable in optimizer.variables)]

    def build(self, variables):
        """Make the state for the weights `variables`, each in its optimizer."""
        if self.built:
            return
        self._trainable_variables = list(variables)
        self._index()
        self._places = [self._take_in(self.optimizer_map(variable)) for variable in variables]
        for place, optimizer in enumerate(self._optimizers):
            optimizer.build([variable for variable, at in zip(variables, self._places) if at == place])
        self.built = True

    def _unscaled(self, grads):
        return grads

    def _update(self, grads, variables):
        for place, optimizer in enumerate(self._optimizers):
            pairs = [pair for pair in zip(grads, variables) if self._places[self._get_variable_index(pair[1])] == place]
            if pairs:
                optimizer.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """See `Optimizer.exclude_from_weight_decay`: for all of the optimizers known now."""
        for optimizer in self._optimizers:
            optimizer.exclude_from_weight_decay(var_list, var_names)

    def finalize_variable_values(self, var_list):
        """See `Optimizer.finalize_variable_values`: each optimizer for its weights."""
        for optimizer in self._optimizers:
            optimizer.finalize_variable_values(var_list)

    def get_config(self):
        return {
            "optimizer_map": serialization.serialize_keras_object(self.optimizer_map),
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """An optimizer from what `get_config` gave."""
        found = config["optimizer_map"]
        if isinstance(found, dict):
            found = serialization.deserialize_keras_object(found, custom_objects, kind="optimizers")
        return cls(**{**config, "optimizer_map": found})
