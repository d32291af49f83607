"""Known architectures, as new models or with weights trained on ImageNet; each name comes from its module when it is first asked for."""

import importlib
from typing import Any

_MODULES = {  # module -> what it makes
    "imagenet_utils": (),
    "mobilenet": ("MobileNet",),
    "mobilenet_v2": ("MobileNetV2",),
    "resnet": ("ResNet50", "ResNet101", "ResNet152"),
    "resnet50": (),
    "resnet_v2": ("ResNet50V2", "ResNet101V2", "ResNet152V2"),
}
_PLACES = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted([*_MODULES, *_PLACES])


def __getattr__(name) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"cornu.applications.{name}")
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = getattr(importlib.import_module(f"cornu.applications.{_PLACES[name]}"), name)
    return found


def __dir__():
    return __all__
