"""The public surface: as it is written down, and with Keras's arguments."""

import inspect
import pathlib

from tests import oracle
from tools import public_names

GAPS = pathlib.Path(__file__).parent / "gaps" / "signatures.txt"


def test_as_written():
    written = public_names.FILE.read_text(encoding="utf-8").splitlines()
    found = public_names.lines()
    more, less = sorted(set(found) - set(written)), sorted(set(written) - set(found))
    assert not more and not less, f"The public names changed; see what `python tools/public_names.py --write` does.\nnew: {more}\ngone: {less}"


SNIPPET = """
import inspect, functools
for name in names:
    try:
        value = functools.reduce(getattr, name.split("."), keras)
        parameters = inspect.signature(value).parameters.values()
    except (AttributeError, TypeError, ValueError):
        continue
    out[name] = [(p.name, repr(p.default) if p.default is not p.empty else None) for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
"""


BASE = {"activity_regularizer", "autocast", "dtype", "name", "trainable", "weights"}  # stand after a layer's own, and are given by name


def test_arguments_of_keras():
    """What Keras's user passes, by place or by name, arrives here: its arguments are there in its order, with its defaults."""
    ours = {name.removeprefix("cornu."): value for name, value in public_names.names().items() if callable(value)}
    theirs = oracle.run(SNIPPET, names=list(ours))
    gaps = {line.split(":")[0] for line in GAPS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")}
    wrong = []
    for name, wanted in theirs.items():
        parameters = inspect.signature(ours[name]).parameters.values()
        found = {p.name: repr(p.default) if p.default is not p.empty else None for p in parameters}
        missing = [f"{argument}={default}" for argument, default in wanted if argument not in found and argument not in BASE]
        defaults = [f"{argument}={default}" for argument, default in wanted if argument in found and default not in (None, found[argument])]
        order = [argument for argument, _ in wanted if argument in found and argument not in BASE]
        if missing or defaults or order != [argument for argument in found if argument in order]:
            wrong.append(f"{name}: missing {missing}, other defaults {defaults}, wanted order {order}")
    unknown = [line for line in wrong if line.split(":")[0] not in gaps]
    assert not unknown, "\n" + "\n".join(unknown)
    assert gaps <= {line.split(":")[0] for line in wrong}, "tests/gaps/signatures.txt lists what is mended"


MEMBERS = """
import functools
for name in names:
    try:
        value = functools.reduce(getattr, name.split("."), keras)
    except AttributeError:
        continue
    if isinstance(value, type):
        out[name] = [member for member in dir(value) if not member.startswith("_")]
"""


def test_members_of_keras():
    """Every public method and property of a class of Keras is there, as an attribute of the class or an argument that objects keep.

    A line `class.member: reason` of tests/gaps/members.txt counts for the classes derived from that class too.
    """
    ours = {name.removeprefix("cornu."): value for name, value in public_names.names().items() if inspect.isclass(value)}
    lines = (GAPS.parent / "members.txt").read_text(encoding="utf-8").splitlines()
    gaps = {line.split(":")[0] for line in lines if line and not line.startswith("#")}
    used, missing = set(), []
    for name, members in oracle.run(MEMBERS, names=list(ours)).items():
        cls = ours[name]
        kept = {*dir(cls), *getattr(cls, "_fields", ()), *inspect.signature(cls).parameters}
        for member in set(members) - kept:
            excuses = {f"{base}.{member}" for base, value in ours.items() if issubclass(cls, value)}
            used |= excuses & gaps
            if not excuses & gaps:
                missing.append(f"{name}.{member}")
    assert not missing, "\n" + "\n".join(sorted(missing))
    assert gaps <= used, f"tests/gaps/members.txt lists what is mended: {sorted(gaps - used)}"
