"""Known gaps, each with its reason.

`ops.txt` has lines `name,name check: reason` or `name dtypes pattern,pattern: reason`; the check is one of eager, symbolic, compiled, gradient, dtypes,
bad_input. `<backend>.txt` has lines `name,name check: reason`. Patterns are those of file names, over types joined by "/"; "mixed" stands for types that differ.
"""

import functools
import pathlib


@functools.cache
def _lines():
    """(names, check, patterns, reason) of each line."""
    text = (pathlib.Path(__file__).parent / "ops.txt").read_text(encoding="utf-8")
    found = []
    for line in text.splitlines():
        if line and not line.startswith("#"):
            place, _, reason = line.partition(": ")
            names, check, *rest = place.split(" ")
            found.append((names.split(","), check, rest[0].split(",") if rest else ["*"], reason))
    return found


def read(name):
    """Thing -> reason, of the lines `thing: reason` of a file."""
    lines = (pathlib.Path(__file__).parent / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))


def of_backend(name):
    """ "thing check" -> reason, of the lines `thing,thing check: reason` of tests/gaps/<backend>.txt."""
    try:
        lines = read(name)
    except FileNotFoundError:
        return {}
    found = {}
    for place, reason in lines.items():
        things, _, check = place.partition(" ")
        found |= {f"{thing} {check}": reason for thing in things.split(",")}
    return found


def of_ops():
    """(name, check) -> the reason."""
    return {(name, check): reason for names, check, _, reason in _lines() for name in names}


def patterns(name, check):
    """The patterns of the gaps of an op in one check, "*" where a line has none; an op "*" is each."""
    return [pattern for names, which, found, _ in _lines() if which == check and {name, "*"} & set(names) for pattern in found]
