"""Numbers as tables, cards, log lines and messages show them."""

from __future__ import annotations

import math


def number(value: float | None, error: float | None = None) -> str:
    """Format a number with four digits and its standard error, if any, with two: `7.5 ± 0.29`.

    NaN, a number that was withheld, is a dash; None, one that was never computed, is empty.
    """
    if value is None:
        return ""
    if math.isnan(value):
        return "-"
    return f"{value:.4g}" if error is None or math.isnan(error) else f"{value:.4g} ± {error:.2g}"


def quantity(value: float | None, unit: str = "", error: float = math.nan) -> str:
    """Format a number as `number` does, and one with the unit `share` as per cent: `98.9 ± 0.1 %`."""
    if unit != "share" or value is None or math.isnan(value):
        return number(value, error)
    return f"{number(100 * value, 100 * error)} %"
