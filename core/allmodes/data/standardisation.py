"""The units that vectors came in: training sees them standardised, users get their samples back as they gave them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import torch
from torch import Tensor

COARSE = 1e-3
"""Spread of a coordinate, in parts of its largest number, below which float32 holds less than four digits of it."""


@dataclass(frozen=True)
class Standardisation:
    """Mean and standard deviation of each coordinate before training, and the names of the coordinates, if any.

    `whole` says which coordinates are whole numbers in the data: files of samples hold whole numbers there.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    columns: tuple[str, ...] = ()
    whole: tuple[bool, ...] = field(default=(), repr=False, compare=False)  # which must not change fingerprints

    def standardise(self, x: Tensor) -> Tensor:
        """From the user's units (N, F) to zero mean and unit variance, computed in double precision."""
        return ((x.double() - self._row(self.mean, x)) / self._row(self.std, x)).to(x.dtype)

    def restore(self, x: Tensor) -> Tensor:
        """From what the generator makes (N, F) to the user's units, in double precision: float32 has seven digits."""
        return x.double() * self._row(self.std, x) + self._row(self.mean, x)

    def rounded(self, x: Tensor) -> Tensor:
        """Samples (N, F) in the user's units as files hold them: whole where the data are."""
        return torch.where(torch.tensor(self.whole, device=x.device), x.round(), x) if any(self.whole) else x

    def page(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return asdict(self)

    @classmethod
    def of(cls, page: Mapping[str, Any]) -> Self:
        """Back from plain values."""
        mean, std, *others = (tuple(page.get(name, ())) for name in ("mean", "std", "columns", "whole"))
        return cls(mean, std, *others)

    @staticmethod
    def _row(values: tuple[float, ...], like: Tensor) -> Tensor:
        return torch.tensor(values, dtype=torch.float64, device=like.device)
