"""Plain modules as networks: a trial pass holds them to their shapes, and `dropout` draws from the run's noise."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from reprlib import repr as short
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes.game.contracts import Dropout, Network
from allmodes.game.sampling import eval_mode
from allmodes.registry.faults import FAULTS, ContractError, as_error, describe, show
from allmodes.registry.given import Given, name_kind, words_for
from allmodes_schemas import Shape

B = 2
"""Items of the trial pass."""


class PlainNetwork(Network):
    """A plain module as a network; `feature_dim` is what a trial pass found.

    A discriminator may return scores (B,) or (B, 1), which are its features too, or a pair of scores and features: then
    its features are the score and those, side by side. `torch.nn.Dropout` in the module is replaced by
    `allmodes.Dropout`, whose masks come from the run's own noise.

    Raises ContractError where the module does not map the shapes.
    """

    def __init__(self, module: nn.Module, sees: tuple[Shape, ...], gives: Shape) -> None:
        super().__init__()
        module = _with_seeded_dropout(module)
        output = _try(module, sees, gives)
        is_pair = _is_pair(output)
        if problem := _misfit(output, gives):
            raise ContractError(f"{type(module).__name__} {problem}")
        shaped = nn.Identity() if len(gives) == 1 else nn.Unflatten(1, gives)
        self.trunk, self.head = _Trunk(module, is_pair), _Score() if is_pair else shaped
        self.feature_dim = self.trunk.join(output)[0].numel()

    @property
    def module(self) -> nn.Module:
        """The module itself."""
        return self.trunk.module  # type: ignore[return-value]


class _Trunk(nn.Module):
    """The module's output as vectors; of a pair, scores and features side by side."""

    def __init__(self, module: nn.Module, is_pair: bool) -> None:
        super().__init__()
        self.module, self.is_pair = module, is_pair

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        return self.join(self.module(*inputs))

    def join(self, output: Any) -> Tensor:
        """The output as one tensor (B, F)."""
        parts = output if self.is_pair else (output,)
        vectors = [part.reshape(part.shape[0], -1) for part in parts]
        return torch.cat(vectors, 1) if self.is_pair else vectors[0]


class _Score(nn.Module):
    """The first feature, which is the score."""

    @override
    def forward(self, features: Tensor) -> Tensor:
        return features[:, :1]


def give_network(thing: Any) -> Given:
    """A module, or a class or function that makes one, as networks are built from it.

    A module is copied for each network, with its weights; what makes modules is called for each.

    Raises TypeError for anything else.
    """
    if isinstance(thing, nn.Module):
        make: Callable[..., Any] = partial(copy_module, thing)
    elif callable(thing) and not isinstance(thing, nn.Module):
        make = partial(_call, thing, WeakSet())
    else:
        raise TypeError(f"is {name_kind(thing)}: give a torch.nn.Module, or a class or function that makes one")
    return Given(lambda config, sees, gives: _as_network(make(config, sees, gives), sees, gives), words_for(thing))


def copy_module(module: nn.Module, config: Any, *_: Any) -> nn.Module:
    """A copy of a module that was passed; raises ContractError where the spec has options for it."""
    if config.options:
        raise ContractError("is a module, which takes no options: give its class, or a function that makes it")
    return copy.deepcopy(module)


def _call(factory: Callable[..., Any], made: WeakSet[nn.Module], config: Any, sees: Any, gives: Any) -> nn.Module:
    """A new module from a factory, which takes the options, and the shapes where it names them `sees` and `gives`."""
    arguments = _arguments_of(factory, config.options, {"sees": sees, "gives": gives})
    module = factory(**arguments)
    if not isinstance(module, nn.Module):
        raise ContractError(f"returns {show(module)}, which is no torch.nn.Module")
    owners = [inner for inner in module.modules() if any(True for _ in inner.parameters(recurse=False))]
    if any(inner in made for inner in owners):
        raise ContractError("returns a module that it has returned before, and weights would be shared: make a new one")
    made.update(owners)
    return module


def _arguments_of(factory: Callable[..., Any], options: Mapping[str, Any], shapes: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a factory; raises ContractError where it cannot be called with them."""
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):
        return dict(options)
    arguments = {**{name: value for name, value in shapes.items() if name in signature.parameters}, **options}
    try:
        signature.bind(**arguments)
    except TypeError as error:
        remedy = "set its arguments under options, give them a default, or pass lambda: Net(...)"
        raise ContractError(f"cannot be called with the options {dict(options)}: {error}: {remedy}") from None
    return arguments


def _as_network(module: nn.Module, sees: tuple[Shape, ...], gives: Shape) -> Network:
    if any(parameter.device.type not in ("cpu", "meta") for parameter in module.parameters()):
        module = module.cpu()
    return module.train() if isinstance(module, Network) else PlainNetwork(module.train(), sees, gives)


def _with_seeded_dropout(module: nn.Module) -> nn.Module:
    """The module, whose dropout draws from the run's noise in the place of torch's global generator."""
    for inner in list(module.modules()):
        for name, child in list(inner._modules.items()):
            if type(child) is nn.Dropout:
                setattr(inner, name, Dropout(child.p))
    return module


@torch.no_grad()
def _try(module: nn.Module, sees: tuple[Shape, ...], gives: Shape) -> Any:
    """The output of a module in evaluation mode for two items, without a trace in torch's generator."""
    device = next((parameter.device for parameter in module.parameters()), None)
    with torch.random.fork_rng(devices=[]), eval_mode(module):
        inputs = [torch.randn(B, *shape, device=device) for shape in sees]
        try:
            return module(*inputs)
        except FAULTS as error:
            asked = f"it has to take {_batches(sees)} and give {_batches((gives,))}"
            problem = " ".join(describe(as_error(error)).split())
            raise ContractError(f"{type(module).__name__} fails in a trial pass: {problem}: {asked}") from error


def _misfit(output: Any, gives: Shape) -> str:
    """What is wrong with the output of a trial pass, if anything is."""
    if _is_pair(output) and gives == (1,):
        scores, features = output
        if scores.shape in ((B,), (B, 1)) and features.dim() > 1 and len(features) == B:
            return ""
    elif isinstance(output, Tensor) and output.shape in ((B, *gives), *([(B,)] if gives == (1,) else [])):
        return ""
    found = _shapes(output)
    asked = f"{_batches((gives,))} is needed"
    as_judge = ": for a discriminator scores (B,) or (B, 1), or a pair of scores and features (B, F)"
    return f"gives {found} in a trial pass, where {asked}{as_judge if gives == (1,) else ''}: change its last layer"


def _is_pair(output: Any) -> bool:
    return isinstance(output, tuple | list) and len(output) == 2 and all(isinstance(one, Tensor) for one in output)


def _shapes(output: Any) -> str:
    if isinstance(output, Tensor):
        return _batches((tuple(output.shape[1:]),)) if output.shape[:1] == (B,) else f"shape {tuple(output.shape)}"
    return " and ".join(_shapes(one) for one in output) if _is_pair(output) else short(output)


def _batches(shapes: tuple[Shape, ...]) -> str:
    return " and ".join(f"({', '.join(['B', *map(str, shape)])})" for shape in shapes)
