"""Layers as modules of PyTorch, and modules of PyTorch within layers: both see the same weights, and either side can train them."""

import torch
from torch import nn  # pyright: ignore[reportMissingImports]


def kept(value):
    """`value`, marked as an array whose memory stays the same when its variable gets another value."""
    value.cornu_kept = True
    return value


def put(old, new):
    """What a variable holds that held `old` and is given `new`. A Parameter lives as long as its variable, and takes the new values in."""
    if old is new:
        return old
    new = new.detach()  # another tensor in the same memory, which counts its holders
    if type(old) is nn.Parameter and old.dtype is new.dtype and old.shape == new.shape:
        old.data = new
        return old
    if hasattr(old, "cornu_kept"):
        with torch.no_grad():
            return old.copy_(new)
    return new


def trained(value, whether):
    """A `torch.nn.Parameter`, so that `.parameters()` and `.grad` mean something."""
    if type(value) is nn.Parameter:
        return value.requires_grad_(whether and value.dtype.is_floating_point)
    return nn.Parameter(value.detach(), whether) if value.dtype.is_floating_point and not hasattr(value, "cornu_kept") else value


class LayerModule(nn.Module):
    """A cornu layer or model as a `torch.nn.Module`: its trainable variables are the parameters, the others the buffers.

    Args:
        layer: a layer; one that is not built yet has its parameters from its first call on.

    The module's `train()` and `eval()` say whether the layer trains.
    """

    def __init__(self, layer):
        super().__init__()
        self.__dict__["layer"] = layer
        self._take()

    def _take(self):
        """Register what the layer's variables hold now."""
        names, self.__dict__["variables"] = {}, {}
        trainable = {id(variable) for variable in self.layer.trainable_variables}
        for variable in self.layer.variables:
            name = variable.path.removeprefix(f"{self.layer.path}/").replace("/", "_").replace(".", "_")
            names[name] = names.get(name, -1) + 1
            name = f"{name}_{names[name]}" if names[name] else name
            value = variable._raw()
            self.variables[name] = variable
            if isinstance(value, nn.Parameter):
                self._parameters[name] = value.requires_grad_(id(variable) in trainable)
            else:
                self._buffers[name] = value

    def forward(self, *args, **kwargs):
        outputs = self.layer(*args, training=self.training, **kwargs)
        self._take()
        return outputs

    def _apply(self, fn, recurse=True):
        super()._apply(fn, recurse)
        for name, variable in self.variables.items():
            variable._value = self._parameters[name] if name in self._parameters else self._buffers[name]
        return self

    def extra_repr(self):
        return repr(self.layer)


NAMES = frozenset("parameters named_parameters buffers named_buffers state_dict load_state_dict zero_grad".split())


def layer_attribute(layer, name):
    """What a layer has by that name because it can be a module of PyTorch; None for nothing."""
    if name == "as_torch_module":
        return lambda: LayerModule(layer)
    return getattr(LayerModule(layer), name) if name in NAMES else None


def is_module(x):
    """Whether `x` is a module of PyTorch, to be wrapped where a layer is wanted."""
    return isinstance(x, nn.Module)


def module_arrays(module, device):
    """(name, tensor, whether it is trained) of each parameter and buffer of a `torch.nn.Module`: what TorchModuleWrapper makes weights of."""
    module.to(device)
    parameters = [(name, value, value.requires_grad) for name, value in module.named_parameters()]
    return parameters + [(name, kept(value), False) for name, value in module.named_buffers()]


def call_module(module, values, args, kwargs, training):
    """The module's outputs, and the new values of buffers that are not the module's own.

    Where `values` are others than the module's parameters and buffers (as in a stateless call), they stand in for them.
    """
    if module.training != training:
        module.train(training)
    own = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    if all(values[name] is value for name, value in own.items()):
        return module(*args, **kwargs), {}
    buffers = {name: values[name].detach().clone() for name, _ in module.named_buffers()}
    outputs = torch.func.functional_call(module, {**values, **buffers}, args, kwargs)
    return outputs, buffers
