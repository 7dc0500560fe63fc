"""What a loss term gives, held to its contract: functions by player, and from each of them one number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from reprlib import repr as short
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from allmodes.game.losses import Loss, LossTerm
from allmodes.registry.faults import ContractError, builder_of, calling


def functions_of(name: str, term: LossTerm) -> Mapping[str, Loss]:
    """The functions of a term by player; raises ContractError where they are none."""
    with calling(f"loss {name}", term):
        functions: Any = term.losses()
        if not isinstance(functions, Mapping) or not all(map(callable, functions.values())):
            raise ContractError(f"losses() returns {short(functions)}: return a function of the step for each player")
        for player in getattr(builder_of(term), "serves", ()):
            if player not in functions:
                raise ContractError(f"its config serves player {player!r}, for whom losses() has no function: give one")
    return functions


def check_value(value: Any) -> None:
    """Raise ContractError where what a loss function returned is no single number in a tensor."""
    if not isinstance(value, Tensor):
        raise ContractError(f"returns {short(value)}: return a tensor of one number ()")
    if value.dim():
        raise ContractError(f"returns a tensor of shape {tuple(value.shape)}: return one number (), such as its mean()")
    if not value.is_floating_point():
        raise ContractError(f"returns a tensor of {value.dtype}: return a floating-point number")


def check_gradient(value: Tensor, parameters: Sequence[nn.Parameter]) -> None:
    """Raise ContractError where a loss depends on no parameter of the player that it serves."""
    if value.requires_grad:
        gradients = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
        if any(gradient is not None for gradient in gradients):
            return
    raise ContractError("depends on nothing that the player trains, which learns nothing from it: is it detached?")


def kept_graphs(term: LossTerm) -> list[str]:
    """Names of a term's buffers and attributes that hold the autograd graph of an update."""
    kept = (
        (f"{path}.{name}".strip("."), value) for path, module in term.named_modules() for name, value in _held(module)
    )
    return [name for name, value in kept if any(_has_graph(leaf) for leaf in tree_leaves(value))]


def _held(module: nn.Module) -> Iterable[tuple[str, Any]]:
    own = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    return {**own, **dict(module.named_buffers(recurse=False))}.items()


def _has_graph(value: Any) -> bool:
    return isinstance(value, Tensor) and value.grad_fn is not None
