"""PyTorch's own kernels for recurrent layers: LSTM, GRU and the simple recurrence in one call for all steps."""

import torch
from torch import _VF  # pyright: ignore[reportMissingImports]
from torch.nn.utils import rnn  # pyright: ignore[reportMissingImports]

KINDS = ("lstm", "gru", "simple_rnn_tanh", "simple_rnn_relu")
_KERNELS = {"lstm": _VF.lstm, "gru": _VF.gru, "simple_rnn_tanh": _VF.rnn_tanh, "simple_rnn_relu": _VF.rnn_relu}


def refusal(kind, dtype, dropping, device):
    """Why there is no kernel for a cell of that kind and type on the device; None where there is one."""
    if kind not in KINDS:
        return f"PyTorch has no kernel for {kind}"
    if dropping:
        return "recurrent_dropout in training"
    if dtype not in ("float32", "float64") and device.type != "cuda":
        return f"PyTorch's kernels for recurrent layers do not compute in {dtype} on a {device.type}"
    return None


def _as_theirs(kind, kernel, recurrent_kernel, bias):
    """The weights as PyTorch's kernels have them: transposed, the reset gate of a GRU first, a bias for the input and one for the state."""
    if kind == "gru":
        units = recurrent_kernel.shape[0]
        turned = lambda w: torch.cat([w[..., units : 2 * units], w[..., :units], w[..., 2 * units :]], -1)
        kernel, recurrent_kernel, bias = turned(kernel), turned(recurrent_kernel), None if bias is None else turned(bias)
    weights = [kernel.t().contiguous(), recurrent_kernel.t().contiguous()]
    if bias is not None:
        weights += list(bias) if bias.ndim == 2 else [bias, torch.zeros_like(bias)]
    return weights


def recurrent(kind, x, states, weights, mask, zero_masked, dropped=None):
    """See `protocol.OPTIONAL`."""
    weights, biased = _as_theirs(kind, *weights), weights[2] is not None
    first = tuple(state.unsqueeze(0) for state in states)
    options = (weights, biased, 1, 0.0, torch.is_grad_enabled(), False)
    run, given = _KERNELS[kind], lambda states: states if kind == "lstm" else states[0]
    if mask is None or bool(mask.all()):
        outputs, *last = run(x, given(first), *options, True)
        return outputs[:, -1], outputs, [state[0] for state in last]
    # the steps that count come first and are packed; what the others would put out is looked up afterwards
    lengths = mask.sum(1)
    order = torch.argsort(mask.logical_not().to(torch.uint8), dim=1, stable=True)
    x = torch.take_along_dim(x, order[..., None], 1)
    packed = rnn.pack_padded_sequence(x, lengths.clamp(min=1).cpu(), True, enforce_sorted=False)
    there, back = packed.sorted_indices, packed.unsorted_indices
    data, *last = run(packed.data, packed.batch_sizes, given(tuple(state[:, there] for state in first)), *options)
    outputs, _ = rnn.pad_packed_sequence(packed._replace(data=data), True)
    counted = (lengths > 0)[:, None]
    last = [torch.where(counted, state[0][back], begun) for state, begun in zip(last, states, strict=True)]
    shown = mask.cumsum(1) - 1  # the place of the last step that counted
    outputs = torch.take_along_dim(outputs, shown.clamp(min=0)[..., None], 1)
    outputs = torch.where((shown >= 0)[..., None], outputs, 0.0)
    final = outputs[:, -1]
    return final, torch.where(mask[..., None], outputs, 0.0) if zero_masked else outputs, last
