"""Labels as users write them, as numbers from 0: in one order, whatever file and process they come from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import torch
from torch import Tensor

from allmodes.data.base import DataError

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
"""What counts as a number among labels; `1_000` and `inf` are words."""
NOT_A_NUMBER = ("nan", "na", "n/a", "null", "none", "<na>", "nat")
"""How programs write a missing number, in small letters: among labels that are numbers they are none."""


def names_of(values: Iterable[str]) -> tuple[str, ...]:
    """The distinct labels in their order: as numbers where all are numbers, else as text (by code point).

    Equal numbers that are written differently, such as 1 and 01, are different labels, in the order of their text.
    """
    distinct = sorted(set(values))
    return tuple(sorted(distinct, key=Decimal) if all(map(NUMBER.fullmatch, distinct)) else distinct)


def text_of(value: Any) -> str:
    """A label of any type as text, alike for all kinds of files: bytes are UTF-8, a whole float is a whole number.

    A missing label (None, NaN, nothing but space) is the empty text.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if value is None or value != value:  # NaN and NaT alone are unequal to themselves
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def without_missing(values: Sequence[str]) -> list[str]:
    """The labels, with the empty text for one that is `NaN` or the like where all others are numbers."""
    numbers = all(NUMBER.fullmatch(value) or _is_missing(value) for value in set(values))
    return ["" if _is_missing(value) else value for value in values] if numbers else list(values)


def numbered(values: Sequence[str], names: Sequence[str], where: str) -> Tensor:
    """Position of each label (N,) among the names.

    Raises:
        DataError: If a label has no name.
    """
    place = {name: i for i, name in enumerate(names)}
    if unknown := sorted(set(values) - set(place)):
        raise DataError(f"data: {where} has the label {unknown[0]!r}, which the training data have not")
    return torch.tensor([place[value] for value in values])


def _is_missing(text: str) -> bool:
    return not text or text.lower() in NOT_A_NUMBER
