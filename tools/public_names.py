"""List the public names of cornu with their signatures, so that every change of the public surface is seen in review.

    python tools/public_names.py            prints the list
    python tools/public_names.py --write    puts it into tests/public_names.txt

A name without an underscore is public where it is defined. Packages collect from their files; `backend`, `config` and what has an
`__all__` collect from anywhere.
"""

import inspect
import pathlib
import re
import sys
import types

import cornu

FILE = pathlib.Path(__file__).resolve().parent.parent / "tests" / "public_names.txt"
COLLECTING = ("cornu", "cornu.backend", "cornu.config")
LISTED_UNDER = (
    "cornu.applications",
    "cornu.preprocessing",
    "cornu.datasets",
    "cornu.legacy",
    "cornu.optimizers",
    "cornu.utils",
)  # their modules and packages are public too


def names():
    """Public name -> what it stands for, sorted."""
    found = {}
    for name in cornu.__all__:
        value = getattr(cornu, name)
        if isinstance(value, types.ModuleType):
            _collect(value, f"cornu.{name}", found)
        else:
            found[f"cornu.{name}"] = value
    return dict(sorted(found.items()))


def _collect(module, place, found):
    listed = getattr(module, "__all__", None)
    for name in dir(module) if listed is None else listed:
        value = getattr(module, name, None)
        if name.startswith("_"):
            continue
        if isinstance(value, types.ModuleType):
            if place in LISTED_UNDER and (listed or value.__name__ in (f"{place}.schedules", f"{place}.legacy", f"{place}.saving")):
                _collect(value, f"{place}.{name}", found)
            continue
        home = getattr(value, "__module__", None) or ""
        inside = home == module.__name__ or (hasattr(module, "__path__") and home.startswith(module.__name__ + "."))
        if callable(value) and (inside or listed is not None or (place in COLLECTING and home.startswith("cornu"))):
            found[f"{place}.{name}"] = value


def signature(value):
    """The arguments as text, without annotations."""
    if not callable(value):
        return type(value).__name__
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return "(...)"
    plain = found.replace(
        parameters=[parameter.replace(annotation=inspect.Parameter.empty) for parameter in found.parameters.values()], return_annotation=inspect.Signature.empty
    )
    return re.sub(r" at 0x[0-9a-f]+", "", str(plain))


def lines():
    return [f"{name} {signature(value)}" for name, value in names().items()]


if __name__ == "__main__":
    text = "\n".join(lines()) + "\n"
    if "--write" in sys.argv[1:]:
        FILE.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
