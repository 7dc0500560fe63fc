"""The multilayer perceptron, from any shapes to any shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn

from allmodes.contracts import Dropout, Network
from allmodes_schemas import Shape

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU, "leaky_relu": lambda: nn.LeakyReLU(0.2), "tanh": nn.Tanh, "silu": nn.SiLU
}  # fmt: skip
OUTPUTS: dict[str, Callable[[], nn.Module]] = {"linear": nn.Identity, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}


class Joined(nn.Sequential):
    """Layers after the inputs, of any shapes, side by side as vectors: (B, sum of sizes)."""

    def forward(self, *inputs: Tensor) -> Tensor:
        """Flatten, join, and pass through the layers."""
        flat = [x if x.dim() == 2 else x.flatten(1) for x in inputs]
        x = flat[0] if len(flat) == 1 else torch.cat(flat, 1)
        for layer in self:
            x = layer(x)
        return x


class Mlp(Network):
    """A multilayer perceptron from any shapes, flattened side by side, to any shape.

    Args:
        sees: Shapes of the inputs, without the batch axis.
        gives: Shape of the output, without the batch axis.
        hidden: Units of each hidden layer; empty for a linear map.
        activation: Nonlinearity of the hidden layers, a key of `ACTIVATIONS`.
        output: Nonlinearity of the output, a key of `OUTPUTS`.
        batch_norm: Whether each hidden layer is normalised over the batch before its nonlinearity.
        dropout: Probability that a hidden unit is dropped in training.
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
    ) -> None:
        super().__init__()
        sizes = [sum(prod(shape) for shape in sees), *hidden]
        layers: list[nn.Module] = []
        for size, wider in pairwise(sizes):
            layers += [nn.Linear(size, wider, bias=not batch_norm)]
            layers += [nn.BatchNorm1d(wider)] if batch_norm else []
            layers += [ACTIVATIONS[activation]()]
            layers += [Dropout(dropout)] if dropout else []
        self.trunk = Joined(*layers)
        self.feature_dim = sizes[-1]
        linear = nn.Linear(sizes[-1], prod(gives))
        last = [OUTPUTS[output]()] if output != "linear" else []
        last += [nn.Unflatten(1, gives)] if len(gives) != 1 else []
        self.head = nn.Sequential(linear, *last) if last else linear  # a call saved in every forward pass
        self.apply(xavier)


def xavier(module: nn.Module) -> None:
    """Xavier-uniform weights and zero biases (Glorot and Bengio, 2010)."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
