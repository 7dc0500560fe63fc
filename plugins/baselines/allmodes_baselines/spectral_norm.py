r"""Spectral normalisation (Miyato, Kataoka, Koyama, Yoshida; ICLR 2018; arXiv 1802.05957).

Each layer's weight is divided by an estimate of its largest singular value, so that the layer stretches nothing:

.. math::
    W_{SN} = W / \sigma, \quad \sigma = u^\top W v; \qquad
    v \leftarrow \frac{W^\top u}{\|W^\top u\|}, \quad u \leftarrow \frac{W v}{\|W v\|}.

A convolution's weight counts as the matrix of its output channels by all else, as in the paper. u and v are constants
to gradients. They follow the weight after each update of it, not at each forward pass: all passes of a turn, and
evaluation, have the same network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import normalize
from typing_extensions import override

from allmodes import Network, Part, Step

LAYERS = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
)  # fmt: skip
FIRST = 20
"""Iterations on the initial weight."""


class SpectralNorm(Part):
    """A layer with a weight of largest singular value 1; `u` (rows,) and `v` (columns,) are its singular vectors."""

    u: Tensor
    v: Tensor

    def __init__(self, layer: nn.Module, iterations: int = 1) -> None:
        super().__init__()
        self.layer, self.iterations = layer, iterations
        rows, columns = matrix(layer).shape
        self.register_buffer("u", normalize(torch.randn(rows), dim=0))
        self.register_buffer("v", normalize(torch.randn(columns), dim=0))
        with torch.no_grad():
            self.iterate(FIRST)

    @override
    def forward(self, x: Tensor) -> Tensor:
        normalised = weight_of(self.layer) / self.sigma()
        given: Tensor = functional_call(self.layer, {"weight": normalised}, (x,))
        return given

    def sigma(self) -> Tensor:
        """The estimate () of the largest singular value; 1 for a weight of zeros."""
        sigma = (matrix(self.layer) * (self.u[:, None] * self.v)).sum()  # products of entries stay in float32
        return torch.where(sigma > 0, sigma, 1)

    def iterate(self, times: int) -> None:
        """Take steps of the power iteration; a weight of zeros leaves u and v as they are."""
        w = matrix(self.layer).detach()
        for _ in range(times):
            self.v.copy_(unit(w.T @ self.u, self.v))
            self.u.copy_(unit(w @ self.v, self.u))

    @override
    def after_update(self, step: Step) -> None:
        self.iterate(self.iterations)


def unit(vector: Tensor, otherwise: Tensor) -> Tensor:
    """A vector divided by its length, or another in the place of zeros."""
    return torch.where(vector.any(), normalize(vector, dim=0), otherwise)


def matrix(layer: nn.Module) -> Tensor:
    """A layer's weight as a matrix of outputs by all else."""
    transposed = isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d)
    return (weight_of(layer).transpose(0, 1) if transposed else weight_of(layer)).flatten(1)


def weight_of(layer: nn.Module) -> Tensor:
    """A layer's weight as torch holds it."""
    weight = layer.weight
    assert isinstance(weight, Tensor)
    return weight


def normalise(network: Network, iterations: int = 1) -> Network:
    """Put every linear layer and convolution within a network into a `SpectralNorm`, but for those that have one."""
    for module in [inner for inner in network.modules() if not isinstance(inner, SpectralNorm)]:
        for name, layer in module.named_children():
            if isinstance(layer, LAYERS):
                setattr(module, name, SpectralNorm(layer, iterations))
    return network
