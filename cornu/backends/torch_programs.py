"""Steps as programs of `torch.compile`: what runs op by op is recorded once, gradients included, and compiled as one graph without breaks."""

import contextlib
import warnings

import torch
from torch._dynamo.exc import TorchDynamoException  # pyright: ignore[reportMissingImports]
from torch._inductor.exc import InductorError  # pyright: ignore[reportMissingImports]
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException  # pyright: ignore[reportMissingImports]
from torch.fx.experimental.proxy_tensor import make_fx  # pyright: ignore[reportMissingImports]
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode  # pyright: ignore[reportMissingImports]

from cornu import tree


def program(function, arguments):
    """A compiled form of `function(*arguments)` for trees of tensors with the shapes and types of these; it gives what `function` gives.

    Raises:
        ValueError: the values of tensors decide what `function` does, or PyTorch cannot compile it; the message says what.
    """
    leaves, note = tree.flatten(arguments), {}

    def flat(*values):
        note["output"] = output = function(*tree.pack_sequence_as(arguments, list(values)))
        return [leaf for leaf in tree.flatten(output) if isinstance(leaf, torch.Tensor)]

    try:
        graph = make_fx(flat, tracing_mode="fake", _allow_non_fake_inputs=True)(*leaves)
    except (DataDependentOutputException, DynamicOutputShapeException, GuardOnDataDependentSymNode) as error:
        raise ValueError(
            f"jit_compile=True: the step asks for the values of tensors ({str(error).splitlines()[0]}) to decide what to do or how large its results are, so it is no "
            "program. Use ops.cond and ops.where, or leave jit_compile at 'auto', which runs the step op by op on PyTorch."
        ) from None
    output = note["output"]
    kinds = [isinstance(leaf, torch.Tensor) for leaf in tree.flatten(output)]
    rest = [None if is_tensor else leaf for leaf, is_tensor in zip(tree.flatten(output), kinds, strict=True)]
    form = tree.map_structure(lambda _: None, output)
    run, ready = torch.compile(graph, fullgraph=True), False

    def call(*arguments):
        nonlocal ready
        try:
            with contextlib.nullcontext() if ready else warnings.catch_warnings():
                if not ready:
                    warnings.simplefilter("ignore")  # those of PyTorch's compiler about itself
                found = iter(run(*tree.flatten(arguments)))
                ready = True
        except (TorchDynamoException, InductorError) as error:
            raise ValueError(f"jit_compile=True: torch.compile failed; leave jit_compile at 'auto' to run op by op. It said: {error}") from error
        return tree.pack_sequence_as(form, [next(found) if is_tensor else leaf for is_tensor, leaf in zip(kinds, rest, strict=True)])

    return call
