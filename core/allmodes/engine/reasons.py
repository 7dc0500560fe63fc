"""Why a turn of several runs at once failed, in words for the author of the component that it failed in."""

from __future__ import annotations

from allmodes.registry import faults

REASONS = {
    "calling .item() on a Tensor": "it looks at the value of a tensor, as .item(), float(x) and `if x > 0` do",
    "value out of a tracing tensor": "it looks at the value of a tensor, as .item(), float(x) and `if x > 0` do",
    "called random operation": "it draws from torch's global generator: take noise from the step",
    "dynamic shape": "the shape of a result depends on values, as of x[mask] and nonzero: use torch.where",
    "batching rule": "torch has no batched form of an operation: {}",
}
"""Parts of what torch says under vmap, and what they mean."""


def explain(error: Exception) -> str:
    """The call that an error came out of, and the reason."""
    text = str(error)
    for words, reason in REASONS.items():
        if words in text:
            return ": ".join([*faults.calls(error), reason.format(_operation(text))])
    return faults.describe(error)


def _operation(text: str) -> str:
    """The operation that torch names, such as `aten::lstsq`."""
    return next((word.strip("`'\",.:;()") for word in text.split() if "aten::" in word), text)
