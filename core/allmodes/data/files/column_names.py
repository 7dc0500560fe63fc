"""Columns by their names: which are read, and which holds the labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from allmodes.data.base import DataError
from allmodes.data.description import listed
from allmodes.text.suggest import did_you_mean

LABEL = "label"
"""Column that holds the labels where none is named."""


def check_columns(names: Iterable[str], have: Sequence[str], where: str) -> None:
    """Check that columns are there.

    Raises:
        DataError: With the columns that are, if one is missing.
    """
    for name in names:
        if name not in have:
            raise DataError(f"data: {where} has no column {name!r}{did_you_mean(name, have)}; it has {listed(have)}")


def find_label(name: str | None, columns: Sequence[str] | None, have: Sequence[str], where: str) -> str | None:
    """Find the column of labels: that of a name, or the one called `label`, in any case, unless it is learned.

    Raises:
        DataError: If there is none of that name.
    """
    if name is not None:
        check_columns([name], have, where)
        return name
    called = [other for other in have if other.lower() == LABEL and other not in (columns or ())]
    return LABEL if LABEL in called else called[0] if len(called) == 1 else None


def times(number: int) -> str:
    """`twice`, `3 times`."""
    return "twice" if number == 2 else f"{number} times"
