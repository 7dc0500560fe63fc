"""Which column of a table holds labels, where none is called so."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from allmodes.data.files.csv_files import column_names as names_of_csv
from allmodes.data.files.parquet import column_names as names_of_parquet
from allmodes.data.finite import FiniteData
from allmodes.system.paths import homely

USUAL = ("labels", "class", "classes", "target", "targets", "species", "category", "categories", "group", "type")
"""Names of columns of labels, in small letters; that of the readers' own, `label`, is found by them."""
CLASSES, EACH = range(2, 51), 5
"""Classes that a column of labels may have, and items for each of them in the mean."""


def find(block: Mapping[str, Any], read: Callable[[str], FiniteData | None]) -> str | None:
    """The name of a column that holds labels; None where there is none, or one is named already.

    Args:
        block: Settings of the data's block.
        read: Reads the data with labels from a column; None where that fails.
    """
    if "label" in block or "image" in block:
        return None
    usual = [name for name in _names(block) if name.lower() in USUAL]
    return next((name for name in usual if (data := read(name)) is not None and _is_label(data)), None)


def _is_label(data: FiniteData) -> bool:
    classes = data.classes or 0
    return len(data.shape) == 1 and classes in CLASSES and data.items >= EACH * classes


def _names(block: Mapping[str, Any]) -> list[str]:
    """The columns' names; those that are called `label` are found by the reader itself."""
    if block["kind"] == "csv":
        names = names_of_csv(homely(block["path"]), block.get("encoding", "auto"), block.get("header", "auto"))
    elif block["kind"] == "parquet":
        names = names_of_parquet(homely(block["path"]))
    else:
        return []
    return [] if any(name.lower() == "label" for name in names) else names
