"""Compare the public names with the newest Keras's, and print by namespace: how many it has, are here, take the same arguments, have all members.

    python tools/names_table.py      what is not here has a reason in tests/gaps/; what has none is listed, and then the exit code is 1

Keras is asked through tests/oracle.py.
"""

import collections
import inspect
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests import gaps, oracle  # noqa: E402
from tools import public_names  # noqa: E402

BASE = {"activity_regularizer", "autocast", "dtype", "name", "trainable", "weights"}  # stand after a layer's own, and are given by name

_SNIPPET = """
import inspect, types
seen = set()

def arguments(value):
    try:
        found = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return None
    return [(p.name, repr(p.default) if p.default is not p.empty else None) for p in found if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]

def walk(module, place):
    for name in dir(module):
        value = getattr(module, name, None)
        if name.startswith('_') or name == 'src':
            continue
        if isinstance(value, types.ModuleType):
            if value.__name__.startswith('keras.') and id(value) not in seen:
                seen.add(id(value))
                walk(value, f'{place}{name}.')
        elif callable(value):
            members = [member for member in dir(value) if not member.startswith('_')] if isinstance(value, type) else None
            out[f'{place}{name}'] = (arguments(value), members)

walk(keras, '')
"""


def of_keras():
    """Public name -> its arguments as (name, default as text) pairs, and the members of a class, as Keras has them."""
    return oracle.run(_SNIPPET)


def here(name):
    """What stands under a dotted name here, or None."""
    value = public_names.cornu
    for part in name.split("."):
        value = getattr(value, part, None)
    return value


def missing_names(theirs):
    """name -> "not here"."""
    return {name: "not here" for name in theirs if here(name) is None}


def wrong_arguments(theirs):
    """name -> in what its arguments differ: those of Keras that are not here, other defaults, another order."""
    wrong = {}
    for name, (wanted, _) in theirs.items():
        value = here(name)
        if wanted is None or not callable(value):
            continue
        found = {p.name: repr(p.default) if p.default is not p.empty else None for p in inspect.signature(value).parameters.values()}
        missing = [f"{argument}={default}" for argument, default in wanted if argument not in found and argument not in BASE]
        defaults = [f"{argument}={default}" for argument, default in wanted if argument in found and default not in (None, found[argument])]
        order = [argument for argument, _ in wanted if argument in found and argument not in BASE]
        if missing or defaults or order != [argument for argument in found if argument in order]:
            wrong[name] = f"missing {missing}, other defaults {defaults}, wanted order {order}"
    return wrong


def missing_members(theirs):
    """class.member -> the class that lacks it, as an attribute or an argument that objects keep."""
    wrong = {}
    for name, (_, members) in theirs.items():
        cls = here(name)
        if members is not None and inspect.isclass(cls):
            kept = {*dir(cls), *getattr(cls, "_fields", ()), *inspect.signature(cls).parameters}
            wrong |= {f"{name}.{member}": name for member in set(members) - kept}
    return wrong


def excuses(member):
    """The lines of tests/gaps/members.txt that would excuse `class.member`: those of the class and of what it is derived from."""
    name, _, member = member.rpartition(".")
    classes = {place.removeprefix("cornu."): value for place, value in public_names.names().items() if inspect.isclass(value)}
    own: type = here(name)  # pyright: ignore[reportAssignmentType]
    return {f"{place}.{member}" for place, value in classes.items() if issubclass(own, value)}


def holes(theirs):
    """Everything that is not as in Keras and has no reason, and the reasons that nothing needs any more."""
    names, arguments, members = gaps.read("names"), gaps.read("signatures"), gaps.read("members")
    lacking = missing_names(theirs)
    found = {name: text for name, text in lacking.items() if not any(name == gap or name.startswith(f"{gap}.") for gap in names)}
    stale = [f"names.txt: {gap}" for gap in names if not any(name == gap or name.startswith(f"{gap}.") for name in lacking)]
    wrong = wrong_arguments(theirs)
    found |= {name: text for name, text in wrong.items() if name not in arguments}
    stale += [f"signatures.txt: {gap}" for gap in arguments if gap not in wrong]
    excused = {member: excuses(member) & members.keys() for member in missing_members(theirs)}
    found |= {member: "no such member" for member, used in excused.items() if not used}
    stale += [f"members.txt: {gap}" for gap in members if not any(gap in used for used in excused.values())]
    return found, stale


def main():
    theirs = of_keras()
    lacking, wrong, members = missing_names(theirs), wrong_arguments(theirs), missing_members(theirs)
    rows = collections.defaultdict(collections.Counter)
    for name in theirs:
        row = rows[name.rpartition(".")[0] or "(top)"]
        row["Keras's"] += 1
        row["here"] += name not in lacking
        row["arguments"] += name not in lacking and name not in wrong
        row["members"] += name not in lacking and not any(owner == name for owner in members.values())
    columns = ["Keras's", "here", "arguments", "members"]
    print(f"{'':<28}" + "".join(f"{column:>11}" for column in columns))
    for place in sorted(rows):
        print(f"{place:<28}" + "".join(f"{rows[place][column]:>11}" for column in columns))
    print(f"{'all':<28}" + "".join(f"{sum(row[column] for row in rows.values()):>11}" for column in columns))
    found, stale = holes(theirs)
    for name, text in sorted(found.items()):
        print(f"{name}: {text}")
    for line in stale:
        print(f"no longer needed: {line}")
    return bool(found or stale)


if __name__ == "__main__":
    sys.exit(main())
