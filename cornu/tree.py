"""Nested structures (tuples, lists, dictionaries, named tuples) of values: mapped, flattened, packed again."""

from collections.abc import Mapping

_NESTED = {}  # type -> whether it is nested: asking an abstract class takes longer than all the rest


def is_nested(structure):
    """Whether `structure` is a tuple, list or dictionary, empty ones included."""
    kind = type(structure)
    nested = _NESTED.get(kind)
    if nested is None:
        nested = _NESTED[kind] = issubclass(kind, (list, tuple, Mapping))
    return nested


def _rebuild(like, items):
    kind = type(like)
    if kind is tuple or kind is list:
        return kind(items)
    if kind is dict or isinstance(like, Mapping):
        pairs = dict(zip(like, items))
        try:
            return type(like)(pairs) if type(like) is not dict else pairs
        except TypeError:  # a defaultdict wants its factory first
            return pairs
    if hasattr(like, "_fields"):
        return type(like)(*items)
    return tuple(items)


def _children(structure):
    if type(structure) is tuple or type(structure) is list:
        return structure
    return list(structure.values()) if isinstance(structure, Mapping) else list(structure)


def traverse(func, structure, top_down=True):
    """Apply `func` to every part of `structure`, the whole included; a result other than None takes the part's place."""
    if top_down:
        found = func(structure)
        if found is not None:
            return None if found is MAP_TO_NONE else found
    if is_nested(structure):
        structure = _rebuild(structure, [traverse(func, item, top_down) for item in _children(structure)])
    if not top_down:
        found = func(structure)
        if found is not None:
            return None if found is MAP_TO_NONE else found
    return structure


class MAP_TO_NONE:
    """What a function given to `traverse` returns to put None in a part's place."""


def flatten(structure):
    """The leaves from left to right, as a list; dictionaries in the order of their keys as inserted.

    >>> flatten({"b": 1, "a": (2, [3])})
    [1, 2, 3]
    """
    if not is_nested(structure):
        return [structure]
    return [leaf for item in _children(structure) for leaf in flatten(item)]


def flatten_with_path(structure, _path=()):
    """The leaves, each with its path: a list of (path, leaf)."""
    if not is_nested(structure):
        return [(_path, structure)]
    keys = structure if isinstance(structure, Mapping) else range(len(structure))
    return [pair for key, item in zip(keys, _children(structure)) for pair in flatten_with_path(item, (*_path, key))]


def map_structure(func, *structures, none_is_leaf=True):
    """`func` of the leaves that stand at the same place in all `structures`, in that structure.

    Raises:
        ValueError: the structures differ.
    """
    first = structures[0]
    if not is_nested(first):
        return first if first is None and not none_is_leaf else func(*structures)
    if len(structures) == 1 and (type(first) is tuple or type(first) is list):
        return type(first)([map_structure(func, item, none_is_leaf=none_is_leaf) for item in first])
    for other in structures[1:]:
        _same_level(first, other)
    if type(first) is dict or isinstance(first, Mapping):
        columns = [[s[key] for s in structures] for key in first]
    else:
        columns = zip(*structures)
    return _rebuild(first, [map_structure(func, *column, none_is_leaf=none_is_leaf) for column in columns])


def map_structure_up_to(shallow_structure, func, *structures):
    """`func` of the parts of `structures` that stand where `shallow_structure` has its leaves."""
    if not is_nested(shallow_structure):
        return func(*structures)
    for other in structures:
        _same_level(shallow_structure, other)
    if isinstance(shallow_structure, Mapping):
        return _rebuild(shallow_structure, [map_structure_up_to(v, func, *(s[k] for s in structures)) for k, v in shallow_structure.items()])
    return _rebuild(shallow_structure, [map_structure_up_to(*pair[:1], func, *pair[1:]) for pair in zip(shallow_structure, *structures)])


def _same_level(a, b):
    if not is_nested(b) or len(a) != len(b) or (isinstance(a, Mapping) and (not isinstance(b, Mapping) or set(a) != set(b))):
        raise ValueError(f"The structures differ: {_outline(a)} and {_outline(b)}.")


def _outline(structure):
    if isinstance(structure, Mapping):
        return f"a dictionary with the keys {list(structure)}"
    return f"a {type(structure).__name__} of {len(structure)}" if is_nested(structure) else f"one {type(structure).__name__}"


def assert_same_structure(a, b, check_types=True):
    """Raise ValueError unless `a` and `b` nest in the same way."""
    if is_nested(a) != is_nested(b):
        raise ValueError(f"The structures differ: {_outline(a)} and {_outline(b)}.")
    if is_nested(a):
        _same_level(a, b)
        if check_types and type(a) is not type(b) and not (isinstance(a, Mapping) and isinstance(b, Mapping)):
            raise ValueError(f"The structures differ in type: {type(a).__name__} and {type(b).__name__}.")
        pairs = ((a[key], b[key]) for key in a) if isinstance(a, Mapping) else zip(a, b)
        for left, right in pairs:
            assert_same_structure(left, right, check_types)


def assert_same_paths(a, b):
    """Raise ValueError unless `a` and `b` have the same paths to their leaves."""
    left, right = ([path for path, _ in flatten_with_path(s)] for s in (a, b))
    if sorted(map(str, left)) != sorted(map(str, right)):
        raise ValueError(f"The structures have different paths: {left} and {right}.")


def pack_sequence_as(structure, flat_sequence):
    """The leaves `flat_sequence` in the form of `structure`.

    Raises:
        ValueError: more or fewer leaves than the structure has.
    """
    flat = list(flat_sequence)
    if not is_nested(structure):
        flat_wanted = 1
    else:
        flat_wanted = len(flatten(structure))
    if len(flat) != flat_wanted:
        raise ValueError(f"pack_sequence_as: the structure has {flat_wanted} leaves; got {len(flat)}.")
    leaves = iter(flat)
    return map_structure(lambda _: next(leaves), structure)


def lists_to_tuples(structure):
    """The same structure with every list a tuple."""
    if isinstance(structure, Mapping):
        return _rebuild(structure, [lists_to_tuples(item) for item in structure.values()])
    if isinstance(structure, (list, tuple)):
        items = [lists_to_tuples(item) for item in structure]
        return _rebuild(structure, items) if hasattr(structure, "_fields") else tuple(items)
    return structure


def map_shape_structure(func, structure):
    """`func` of every shape (a tuple or list of sizes and None) in a structure of shapes."""
    if isinstance(structure, (list, tuple)) and all(size is None or hasattr(size, "__index__") for size in structure):
        return func(tuple(structure))
    if is_nested(structure):
        return _rebuild(structure, [map_shape_structure(func, item) for item in _children(structure)])
    raise ValueError(f"Wanted a structure of shapes; got {structure!r}.")
