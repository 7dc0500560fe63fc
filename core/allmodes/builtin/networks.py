"""The multilayer perceptron, from any shapes to any shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, linear, silu
from torch.nn.modules.module import _has_any_global_hook
from typing_extensions import override

from allmodes.game.contracts import Dropout, Network
from allmodes_schemas import Shape

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "silu": nn.SiLU}
OUTPUTS: dict[str, Callable[[], nn.Module]] = {"linear": nn.Identity, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


Direct: TypeAlias = Callable[[Any, Tensor], Tensor]
"""A layer's output from the layer and its input."""

DIRECT: dict[type[nn.Module], Direct] = {
    nn.Linear: lambda layer, x: linear(x, layer._parameters["weight"], layer._parameters["bias"]),
    nn.LeakyReLU: lambda layer, x: leaky_relu(x, layer.negative_slope),
    nn.ReLU: lambda layer, x: torch.relu(x),
    nn.SiLU: lambda layer, x: silu(x),
    nn.Tanh: lambda layer, x: torch.tanh(x),
}
"""Functions in the place of small layers: torch's call of a module takes as long as an activation of one."""


class Joined(nn.Sequential):
    """Layers after the inputs, of any shapes, side by side as vectors: (B, sum of sizes)."""

    @override
    def forward(self, *inputs: Tensor) -> Tensor:
        # Any shapes, side by side as vectors: (B, sum of sizes)
        flat = [x if x.dim() == 2 else x.flatten(1) for x in inputs]
        x = flat[0] if len(flat) == 1 else torch.cat(flat, 1)
        if torch.compiler.is_dynamo_compiling() or _has_any_global_hook():  # type: ignore[no-untyped-call]
            return super().forward(x)  # type: ignore[no-any-return, no-untyped-call]
        for layer in self._modules.values():
            direct = _direct(layer)
            x = direct(layer, x) if direct else layer(x)
        return x


def _direct(layer: Any) -> Direct | None:
    """The function in the place of a layer, unless a user's hook or another `forward` is to be called."""
    own = layer.__dict__
    if own["_forward_hooks"] or own["_forward_pre_hooks"] or own["_backward_hooks"] or own["_backward_pre_hooks"]:
        return None
    return None if "forward" in own else DIRECT.get(type(layer))


class Mlp(Network):
    """A multilayer perceptron from any shapes, flattened side by side, to any shape.

    Args:
        sees: Shapes of the inputs, without the batch axis.
        gives: Shape of the output, without the batch axis.
        hidden: Units of each hidden layer; empty for a linear map.
        activation: Nonlinearity of the hidden layers: a key of `ACTIVATIONS`, `leaky_relu` or `maxout`.
        output: Nonlinearity of the output, a key of `OUTPUTS`.
        batch_norm: Whether each hidden layer is normalised over the batch before its nonlinearity.
        dropout: Probability that a hidden unit is dropped in training.
        slope: Slope of `leaky_relu` below zero.
        pieces: Linear maps for each unit of `maxout`.
        init: `xavier`, or `torch` for the weights that torch's linear layers begin with.
    """

    def __init__(
        self,
        sees: Sequence[Shape],
        gives: Shape,
        hidden: Sequence[int] = (128, 128),
        activation: str = "relu",
        output: str = "linear",
        batch_norm: bool = False,
        dropout: float = 0.0,
        slope: float = 0.2,
        pieces: int = 5,
        init: str = "xavier",
    ) -> None:
        super().__init__()
        sizes = [sum(prod(shape) for shape in sees), *hidden]
        own: dict[str, Callable[[], nn.Module]] = {
            "leaky_relu": lambda: nn.LeakyReLU(slope), "maxout": lambda: Maxout(pieces)
        }  # fmt: skip
        times = pieces if activation == "maxout" else 1
        layers: list[nn.Module] = []
        for size, wider in pairwise(sizes):
            layers += [nn.Linear(size, wider * times, bias=not batch_norm)]
            layers += [nn.BatchNorm1d(wider * times)] if batch_norm else []
            layers += [{**ACTIVATIONS, **own}[activation]()]
            layers += [Dropout(dropout)] if dropout else []
        self.trunk = Joined(*layers)
        self.feature_dim = sizes[-1]
        linear = nn.Linear(sizes[-1], prod(gives))
        last = [OUTPUTS[output]()] if output != "linear" else []
        last += [nn.Unflatten(1, gives)] if len(gives) != 1 else []
        self.head = nn.Sequential(linear, *last) if last else linear  # a call saved in every forward pass
        if init == "xavier":
            self.apply(xavier)


class Maxout(nn.Module):
    """The largest of `pieces` neighbouring entries: (B, units * pieces) to (B, units)."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    @override
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), -1, self.pieces).amax(2)


def xavier(module: nn.Module) -> None:
    """Xavier-uniform weights and zero biases (Glorot and Bengio, 2010)."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
