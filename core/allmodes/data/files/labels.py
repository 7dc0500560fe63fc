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
"""How programs write a missing number, in small letters: among labels that are numbers they mean a missing one."""


def class_names_of(labels: Iterable[str] | None) -> tuple[str, ...]:
    """The distinct labels in their order: as numbers where all are numbers, else as text (by code point).

    Equal numbers that are written differently, such as 1 and 01, are different labels, in the order of their text.
    """
    distinct = sorted(set(labels or ()))
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


def blank_missing(labels: Sequence[str]) -> list[str]:
    """The labels, with the empty text for one that is `NaN` or the like where all others are numbers."""
    numbers = all(NUMBER.fullmatch(label) or _is_missing(label) for label in set(labels))
    return ["" if numbers and _is_missing(label) else label for label in labels]


def class_numbers(labels: Sequence[str] | None, names: Sequence[str], where: str) -> Tensor | None:
    """Position of each label (N,) among the names; None where there are no labels or names.

    Raises:
        DataError: If a label has no name.
    """
    if labels is None or not names:
        return None
    place = {name: i for i, name in enumerate(names)}
    if unknown := sorted(set(labels) - set(place)):
        raise DataError(f"data: {where} has the label {unknown[0]!r}, which the training data do not have")
    return torch.tensor([place[label] for label in labels])


def _is_missing(text: str) -> bool:
    return not text or text.lower() in NOT_A_NUMBER
