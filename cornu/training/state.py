"""The values of a model's variables as nested dictionaries by path, and back: what a custom loop or a checkpoint keeps."""

from cornu.backends import protocol
from cornu.fields import suggestion

KINDS = ("trainable_variables", "non_trainable_variables", "optimizer_variables", "metrics_variables")
FORMATS = ("backend_tensor", "numpy_array")


def groups(model):
    """The kinds of variables of `model`: name -> list of Variables."""
    optimizer = getattr(model, "optimizer", None)
    return dict(zip(KINDS, (model.trainable_variables, model.non_trainable_variables, optimizer.variables if optimizer else [], model.metrics_variables)))


def paths(variables):
    """The path of each variable; the second of one path has `_1` after the name of what holds it, as metrics of several outputs have."""
    found = []
    for variable in variables:
        parents, _, last = variable.path.rpartition("/")
        path, number = variable.path, 0
        while path in found:
            number += 1
            path = f"{parents}_{number}/{last}" if parents else f"{last}_{number}"
        found.append(path)
    return found


def get(model, value_format="backend_tensor"):
    """The values of all variables: kind -> the names in their paths, nested -> value.

    Raises:
        ValueError: an unknown format, or one variable's path is the beginning of another's.
    """
    if value_format not in FORMATS:
        raise ValueError(f"get_state_tree: value_format must be one of {', '.join(map(repr, FORMATS))}; got {value_format!r}.")
    found = {}
    for kind, variables in groups(model).items():
        top = found[kind] = {}
        for path, variable in zip(paths(variables), variables):
            *parents, last = path.split("/")
            place = top
            for name in parents:
                place = place.setdefault(name, {})
                if not isinstance(place, dict):
                    raise ValueError(f"get_state_tree: {path!r} lies below another variable of that name. Give the layers names of their own.")
            place[last] = variable.numpy() if value_format == "numpy_array" else protocol.stop_gradient(variable.value)
    return found


def put(model, tree):
    """Give variables the values that a tree of `get` holds for them; those it does not name stay as they are.

    Raises:
        ValueError: the tree names a kind or a variable that the model has not, or a value of another shape; nothing is changed then.
    """
    known, pairs = groups(model), []
    for kind, branch in tree.items():
        if kind not in known:
            raise ValueError(f"set_state_tree: there is no kind of variables {kind!r}.{suggestion(kind, KINDS)} Its kinds are {', '.join(KINDS)}.")
        by_path = dict(zip(paths(known[kind]), known[kind]))
        for path, value in _leaves(branch):
            if path not in by_path:
                raise ValueError(f"set_state_tree: the model has no variable {path!r} among its {kind}.{suggestion(path, by_path)}")
            variable = by_path[path]
            if tuple(getattr(value, "shape", ())) != tuple(variable.shape):
                raise ValueError(f"set_state_tree: {path!r} has the shape {tuple(variable.shape)}; got {tuple(getattr(value, 'shape', ()))}.")
            pairs.append((variable, value))
    for variable, value in pairs:
        variable.assign(value)


def _leaves(branch, path=""):
    for name, value in branch.items():
        here = f"{path}/{name}" if path else name
        if isinstance(value, dict):
            yield from _leaves(value, here)
        else:
            yield here, value
