"""One line about the data of a run, which is printed before it trains."""

from __future__ import annotations

from collections.abc import Sequence

from allmodes.data.base import Data

LISTED = 12
"""Names that a list shows; the others are counted."""


def describe_data(data: Data, kind: str) -> str:
    """Name file or folder, items, held out, columns or size, classes, and what was left out and why.

    Args:
        data: The data.
        kind: Their name where they have none of their own.
    """
    facts = [_items(data), _form(data), _classes(data), *_left_out(data), *data.origin.notes]
    return printable(f"data: {data.origin.name or kind}: {'; '.join(facts)}")


def listed(names: Sequence[str], at_most: int = LISTED) -> str:
    """Join names; of many, the last are counted."""
    more = len(names) - at_most
    return ", ".join(names[:at_most]) + (f" and {more:,} more" if more > 0 else "")


def counted(number: int, one: str, many: str | None = None) -> str:
    """Write a number with its noun: `1 row`, `2,000 rows`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def printable(text: str) -> str:
    """Escape characters that a terminal would obey and not show."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def _items(data: Data) -> str:
    if data.items is None:
        return "drawn without end"
    if data.truth is not None and not getattr(data, "test_items", 0):
        return f"{counted(data.items, 'item')} to train on, held-out ones drawn afresh"
    place = f" ({data.origin.held_out})" if data.origin.held_out else ""
    return f"{counted(data.items, 'item')} to train on, {getattr(data, 'test_items', 0):,} held out{place}"


def _form(data: Data) -> str:
    if data.units is not None and data.units.columns:
        columns = data.units.columns
        return f"{'column' if len(columns) == 1 else 'columns'} {listed(columns)}"
    if len(data.shape) == 3 and data.shape[0] in (1, 3):
        channels, height, width = data.shape
        return f"{'grey' if channels == 1 else 'RGB'} images of {width} x {height} px"
    if len(data.shape) == 1:
        return f"vectors of {counted(data.shape[0], 'number')}"
    return f"items of shape {tuple(data.shape)}"


def _classes(data: Data) -> str:
    if data.classes is None:
        return "no labels"
    names = f": {listed(data.class_names)}" if data.class_names else ""
    return counted(data.classes, "class", "classes") + names


def _left_out(data: Data) -> list[str]:
    return [f"left out: {', '.join(data.origin.left_out)}"] if data.origin.left_out else []
