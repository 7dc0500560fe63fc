"""The core's priors: Gaussian and uniform, each with an optional nuisance part."""

from __future__ import annotations

import torch
from typing_extensions import override

from allmodes.game.contracts import NOTHING, Latent, Prior
from allmodes.game.noise import Noise
from allmodes_schemas import Given


class Independent(Prior):
    """Independent entries: `code` of size dim, then `nuisance`, which only the generator sees."""

    def __init__(self, dim: int, nuisance_dim: int = 0) -> None:
        super().__init__()
        self.dim = dim + nuisance_dim
        self.sizes = {"code": dim} | ({"nuisance": nuisance_dim} if nuisance_dim else {})

    @override
    def forward(self, noise: Noise, n: int, given: Given = NOTHING) -> Latent:
        parts = {name: given.get(name, None) for name in self.sizes}
        drawn = {
            name: self.entries(noise, name, n, self.sizes[name]) if part is None else part
            for name, part in parts.items()
        }
        z = torch.cat(tuple(drawn.values()), 1) if len(drawn) > 1 else drawn["code"]  # (n, dim)
        return Latent(z, drawn)

    def entries(self, noise: Noise, name: str, n: int, size: int) -> torch.Tensor:
        """The (n, size) entries of a part."""
        raise NotImplementedError


class Gaussian(Independent):
    """N(0, std^2) entries."""

    interpolation = "spherical"

    def __init__(self, dim: int, nuisance_dim: int = 0, std: float = 1.0) -> None:
        super().__init__(dim, nuisance_dim)
        self.std = std

    @override
    def entries(self, noise: Noise, name: str, n: int, size: int) -> torch.Tensor:
        drawn = noise.normal(name, n, size)
        return drawn if self.std == 1.0 else self.std * drawn


class Uniform(Independent):
    """Entries uniform on [low, high)."""

    def __init__(self, dim: int, nuisance_dim: int = 0, low: float = -1.0, high: float = 1.0) -> None:
        super().__init__(dim, nuisance_dim)
        self.low, self.high = low, high

    @override
    def entries(self, noise: Noise, name: str, n: int, size: int) -> torch.Tensor:
        return self.low + (self.high - self.low) * noise.uniform(name, n, size)
