"""Where a symbolic tensor comes from."""

from cornu import tree
from cornu.symbolic import KerasTensor


def get_source_inputs(tensor):
    """The inputs of the graph from which a symbolic tensor is computed.

    Args:
        tensor: what a layer gave for `Input(...)`; or a list of such.

    Returns:
        A list of symbolic tensors, each once.

    Raises:
        ValueError: something that is no symbolic tensor.
    """
    found, seen, stack = {}, set(), list(reversed(tree.flatten(tensor)))
    while stack:
        one = stack.pop()
        if not isinstance(one, KerasTensor):
            raise ValueError(f"get_source_inputs: wanted a symbolic tensor, as Input(...) and layers called on it give; got {type(one).__name__}.")
        if id(one) in seen:
            continue
        seen.add(id(one))
        history = one._keras_history
        node = history.operation._inbound_nodes[history.node_index]
        if node.input_tensors:
            stack.extend(reversed(node.input_tensors))
        else:
            found[id(one)] = one
    return list(found.values())
