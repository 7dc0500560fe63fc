"""Titles of figures: the numbers that metrics declare with a label."""

from __future__ import annotations

from collections.abc import Mapping

from allmodes.text.numbers import quantity
from allmodes_schemas import Key

SHOWN = 2
"""Numbers for which a title has room."""


def summarise(results: Mapping[str, float], numbers: Mapping[str, Key]) -> str:
    """Write the first labelled numbers of an evaluation: `modes 8  high quality 98.89 %`."""
    labelled = [(key, number) for key, number in numbers.items() if number.label and key in results]
    return "  ".join(f"{number.label} {quantity(results[key], number.unit)}" for key, number in labelled[:SHOWN])
