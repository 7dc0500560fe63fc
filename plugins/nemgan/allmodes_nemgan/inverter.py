"""The inverter h(x) = (z_hat, y_hat), of which the released code's "decoder" is one."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, normalize
from typing_extensions import override

from allmodes import Auxiliary, Network, Noise
from allmodes_nemgan.networks import glorot


class Inverted(NamedTuple):
    """Output of the inverter: `z` (B, dim), and `y` (B, K), the modes' scores before the softmax."""

    z: Tensor
    y: Tensor


class Inverter(Auxiliary):
    """z_hat = body(x), y_hat = scores of the modes from z_hat.

    Args:
        body: From data to (B, dim).
        dim: Size of the latent.
        modes: K.
        output: `leaky_relu` (slope 0.2) or `linear`.
        scale: Factor of the cosines between z_hat and each mode's direction; None for a linear map of z_hat.
        init: First weights of the map from z_hat: `torch`'s own, or `xavier`, as Keras has them.
    """

    scale: Tensor

    def __init__(
        self, body: Network, dim: int, modes: int, output: str, scale: float | None = None, init: str = "torch"
    ) -> None:
        super().__init__()
        self.body, self.output, self.cosine = body, output, scale is not None
        self.head = nn.Linear(dim, modes, bias=scale is None)
        if init == "xavier":
            glorot(self.head)
        self.register_buffer("scale", torch.tensor(1.0 if scale is None else scale))

    @override
    def forward(self, seen: Tensor) -> Inverted:
        z: Tensor = self.body(seen)  # (B, dim)
        if self.output == "leaky_relu":
            z = leaky_relu(z, 0.2)
        if not self.cosine:
            return Inverted(z, self.head(z))
        return Inverted(z, self.scale * normalize(z, dim=1) @ normalize(self.head.weight, dim=1).T)

    @override
    def code(self, output: Inverted, noise: Noise) -> Tensor:
        return output.z

    @override
    def estimate(self, output: Inverted) -> Tensor:
        return output.y  # (B, K)
