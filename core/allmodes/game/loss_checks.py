"""What a loss term gives, held to its contract: functions by player, and from each of them one number."""

from __future__ import annotations

from collections.abc import Mapping
from reprlib import repr as short
from typing import Any

from torch import Tensor

from allmodes.game.losses import Loss, LossTerm
from allmodes.registry.faults import ContractError, calling


def functions_of(name: str, term: LossTerm) -> Mapping[str, Loss]:
    """The functions of a term by player; raises ContractError where they are none."""
    with calling(f"loss {name}", term):
        functions: Any = term.losses()
        if not isinstance(functions, Mapping) or not all(map(callable, functions.values())):
            raise ContractError(f"losses() returns {short(functions)}: return a function of the step for each player")
    return functions


def check_value(value: Any) -> None:
    """Raise ContractError where what a loss function returned is no single number in a tensor."""
    if not isinstance(value, Tensor):
        raise ContractError(f"returns {short(value)}: return a tensor of one number ()")
    if value.dim():
        raise ContractError(f"returns a tensor of shape {tuple(value.shape)}: return one number (), such as its mean()")
    if not value.is_floating_point():
        raise ContractError(f"returns a tensor of {value.dtype}: return a floating-point number")
