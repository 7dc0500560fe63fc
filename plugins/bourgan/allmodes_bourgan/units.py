"""Units of the data: vectors of zero mean and unit variance, along each axis or on average over them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from allmodes import Data, DataError, training_items

MOST = 8192
"""Items that are looked at by default, or all where there are fewer."""


class Units(NamedTuple):
    """Mean and standard deviation (d,) of items along each axis."""

    mean: Tensor
    std: Tensor

    def standardise(self, x: Tensor) -> Tensor:
        """Items (n, d) in these units."""
        return (x - self.mean) / self.std


def measure(x: Tensor) -> Units:
    """The units of items (n, d); one along which they do not vary keeps its unit."""
    std = x.std(0)
    return Units(x.mean(0), torch.where(std > 0, std, torch.ones_like(std)))


def measure_common(x: Tensor) -> Units:
    """One unit for all axes of items (n, d), in which what is round stays round; for axes of one kind."""
    std = x.var(0).mean().sqrt()
    return Units(x.mean(0), torch.where(std > 0, std, torch.ones_like(std)).expand(x.shape[1]).clone())


def draw(data: Data, most: int, generator: torch.Generator, kind: str) -> Tensor:
    """At most so many training items as vectors (n, d). Raises DataError where there are fewer than 2."""
    items = training_items(data, most, generator).x.cpu().flatten(1)
    if len(items) < 2:
        raise DataError(f"{kind}: one item has no neighbours: at least 2 are needed")
    return items
