"""The units that vectors came in: training sees them standardised, users get their samples back as they gave them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Units:
    """Mean and standard deviation of each coordinate before training, and the names of the coordinates, if any."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    columns: tuple[str, ...] = ()

    def standardise(self, x: Tensor) -> Tensor:
        """From the user's units (N, F) to zero mean and unit variance, computed in double precision."""
        return ((x.double() - self._row(self.mean, x)) / self._row(self.std, x)).to(x.dtype)

    def restore(self, x: Tensor) -> Tensor:
        """From what the generator makes (N, F) to the user's units, computed in double precision."""
        return (x.double() * self._row(self.std, x) + self._row(self.mean, x)).to(x.dtype)

    def page(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return asdict(self)

    @classmethod
    def of(cls, page: Mapping[str, Any]) -> Self:
        """Back from plain values."""
        return cls(tuple(page["mean"]), tuple(page["std"]), tuple(page.get("columns", ())))

    @staticmethod
    def _row(values: tuple[float, ...], like: Tensor) -> Tensor:
        return torch.tensor(values, dtype=torch.float64, device=like.device)
