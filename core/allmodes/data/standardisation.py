"""Per-column standardisation of vectors, undone on generated samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import torch
from torch import Tensor

COARSE = 1e-3
"""Spread of a column, in parts of its largest number, below which float32 holds less than four digits of it."""


@dataclass(frozen=True)
class Standardisation:
    """Mean and standard deviation of each column in the user's units.

    Attributes:
        mean: Mean of each column.
        std: Standard deviation of each column.
        columns: Names of the columns, if they have any.
        whole: Which columns hold whole numbers in the data, and so in files of samples.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    columns: tuple[str, ...] = ()
    whole: tuple[bool, ...] = field(default=(), compare=False)

    def standardise(self, x: Tensor) -> Tensor:
        """Convert from the user's units (N, F) to zero mean and unit variance, in double precision."""
        return ((x.double() - self._row(self.mean, x)) / self._row(self.std, x)).to(x.dtype)

    def restore(self, x: Tensor) -> Tensor:
        """Convert generated items (N, F) to the user's units, in double precision: float32 has seven digits."""
        return x.double() * self._row(self.std, x) + self._row(self.mean, x)

    def round(self, x: Tensor) -> Tensor:
        """Round samples (N, F) in the user's units as files hold them: where the data are whole."""
        return torch.where(torch.tensor(self.whole, device=x.device), x.round(), x) if any(self.whole) else x

    def page(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)

    @classmethod
    def of(cls, page: Mapping[str, Any]) -> Self:
        """Read plain values."""
        mean, std, *others = (tuple(page.get(name, ())) for name in ("mean", "std", "columns", "whole"))
        return cls(mean, std, *others)

    @staticmethod
    def _row(values: tuple[float, ...], like: Tensor) -> Tensor:
        return torch.tensor(values, dtype=torch.float64, device=like.device)
