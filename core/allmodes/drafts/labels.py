"""Which column of a table holds labels, where none is called so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from allmodes.data.description import listed
from allmodes.data.finite import FiniteData
from allmodes.drafts.glimpse import Glimpse

USUAL = (
    *("labels", "class", "classes", "target", "targets", "species", "category", "categories", "group", "type"),
    *("kind", "sort", "variety", "cluster"),
)
"""Names of columns of labels, in small letters; that of the readers' own, `label`, is found by them."""
CLASSES, EACH = range(2, 51), 5
"""Classes that a column of labels may have, and items for each of them in the mean."""


class Candidate(NamedTuple):
    """A column that may hold labels: its name, why, and how many classes it has."""

    name: str
    why: str
    classes: int


def candidates(
    block: Mapping[str, Any], table: Glimpse, read: Callable[[str], FiniteData | None]
) -> Iterator[Candidate]:
    """The columns that may hold labels: one with a usual name alone, or else those of a few words.

    Args:
        block: Settings of the data's block.
        table: Its first rows.
        read: Reads the data with labels from a column; None where that fails.
    """
    if "label" in block or "image" in block or any(name.lower() == "label" for name in table.names):
        return
    for name in (name for name in table.names if name.lower() in USUAL):
        if classes := _classes(read(name)):
            yield Candidate(name, f"{name!r} names classes", classes)
            return
    for name in filter(table.holds_words, table.names):
        words = set(table.cells[name])
        if len(words) in CLASSES and table.rows >= EACH * len(words) and (classes := _classes(read(name))):
            yield Candidate(name, f"{name!r} holds {classes} words ({listed(sorted(words), 3)})", classes)


def _classes(data: FiniteData | None) -> int:
    """How many classes a column has; 0 where they are too few, or too many for the items."""
    classes = 0 if data is None or len(data.shape) != 1 else data.classes or 0
    return classes if data and classes in CLASSES and data.items >= EACH * classes else 0
