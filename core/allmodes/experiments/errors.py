"""Errors that end training: divergence and collapse."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from torch import nn

from allmodes.text import redact


class DivergenceError(RuntimeError):
    """A loss or a weight is not a finite number any more."""


class CollapseError(RuntimeError):
    """The model has lost modes that it had captured, and the spec asks to stop then."""


def check_losses(values: Mapping[str, float], iteration: int) -> None:
    """Raise DivergenceError where a loss is not finite."""
    if broken := [name for name, value in values.items() if not math.isfinite(value)]:
        raise DivergenceError(_describe(broken, "is" if len(broken) == 1 else "are", iteration))


def check_weights(modules: Mapping[str, nn.Module], iteration: int) -> None:
    """Raise DivergenceError where a tensor of a module is not finite."""
    if broken := [f"the weights of {name}" for name, module in modules.items() if not _is_finite(module)]:
        raise DivergenceError(_describe(broken, "are", iteration))


def describe_error(problem: BaseException) -> str:
    """The type and message of an error, without secrets."""
    message = redact.text(str(problem))
    return f"{type(problem).__name__}: {message}" if message else type(problem).__name__


def _is_finite(module: nn.Module) -> bool:
    floats = [tensor for tensor in module.state_dict().values() if tensor.is_floating_point()]
    return all(bool(tensor.isfinite().all()) for tensor in floats)


def _describe(broken: Sequence[str], verb: str, iteration: int) -> str:
    remedy = "lower the learning rate, or add a penalty such as {kind: r1}"
    return f"{', '.join(broken)} {verb} no longer finite at iteration {iteration}: {remedy}"
