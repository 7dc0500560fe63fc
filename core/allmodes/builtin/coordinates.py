"""The coordinates in which reference samplers find neighbours and add noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

AXES = 64
"""Longer vectors are reduced to principal components."""
COMPONENTS = 32
"""Principal components at most."""
CONSTANT = 1e-6
"""An axis is constant if its standard deviation is below this share of its largest number."""


@dataclass(frozen=True)
class Coordinates:
    """Coordinates (n, C) of items (n, *shape), in float64.

    Those of vectors of up to 64 numbers are the standardised axes, without constant ones; those of longer ones and of
    images are at most 32 principal components, of the standardised axes or of the pixels.

    Attributes:
        centre: Mean of the flat items (D,).
        scale: Standard deviation of each axis (D,), 0 where it is constant; 1 of pixels.
        directions: Directions of the coordinates (C, D), orthonormal, in units of the scale.
    """

    centre: Tensor
    scale: Tensor
    directions: Tensor

    @classmethod
    def of(cls, items: Tensor, generator: torch.Generator) -> Coordinates:
        """Choose the coordinates of items (n, *shape)."""
        flat = items.flatten(1).double()
        centre, is_vector = flat.mean(0), items.dim() == 2
        scale = _spread(flat) if is_vector else torch.ones_like(centre)
        if is_vector and len(scale) <= AXES:
            axes = scale.nonzero()[:, 0] if scale.any() else torch.tensor([0])
            return cls(centre, scale, torch.eye(len(scale), dtype=torch.float64)[axes])
        return cls(centre, scale, _principal(_divide(flat - centre, scale), generator))

    def find(self, items: Tensor) -> Tensor:
        """Coordinates (n, C) of items (n, *shape)."""
        return _divide(items.flatten(1).double() - self.centre, self.scale) @ self.directions.T

    def move(self, steps: Tensor) -> Tensor:
        """How far steps (n, C) in these coordinates move flat items (n, D)."""
        return steps @ self.directions * self.scale


def _spread(flat: Tensor) -> Tensor:
    """The standard deviation of each axis, 0 where it is mere rounding."""
    spread = flat.std(0, correction=0)
    return torch.where(spread > CONSTANT * flat.abs().amax(0), spread, 0.0)


def _divide(x: Tensor, scale: Tensor) -> Tensor:
    """Divide by the scale; what has none is 0."""
    return x / torch.where(scale > 0, scale, torch.inf)


def _principal(x: Tensor, generator: torch.Generator) -> Tensor:
    """The leading principal directions (C, D) of centred points."""
    from sklearn.utils.extmath import randomized_svd

    seed = int(torch.randint(2**31, (), generator=generator))
    _, _, directions = randomized_svd(x.float().numpy(), min(COMPONENTS, *x.shape), random_state=seed)
    return torch.from_numpy(directions.copy()).double()
