"""Labels as users write them, as numbers from 0."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from allmodes.data.base import DataError


def names_of(values: Sequence[str]) -> tuple[str, ...]:
    """The distinct labels: as numbers in their order where all are whole numbers, else sorted as text."""
    distinct = set(values)
    return tuple(sorted(distinct, key=int) if all(map(_is_whole, distinct)) else sorted(distinct))


def numbered(values: Sequence[str], names: Sequence[str], where: str) -> Tensor:
    """Position of each label (N,) among the names.

    Raises:
        DataError: If a label has no name.
    """
    place = {name: i for i, name in enumerate(names)}
    if unknown := sorted(set(values) - set(place)):
        raise DataError(f"data: {where} has the label {unknown[0]!r}, which the training data have not")
    return torch.tensor([place[value] for value in values])


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal()
