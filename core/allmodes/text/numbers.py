"""Numbers as tables, cards, log lines and messages show them."""

from __future__ import annotations

import math

LARGEST, DECIMALS, DIGITS = 1e6, 6, 9
"""From this size on, and with more decimals, a mean is written with a power of ten; with so many digits it has four."""


def number(value: float | None, error: float | None = None) -> str:
    """Format a number with four digits; one with a standard error to the digit that its error leaves: `7.5 ± 0.3`.

    The error has one digit, two where it begins with a 1. NaN, a number that was withheld, is a dash; None, one that
    was never computed, is empty.
    """
    if value is None:
        return ""
    if math.isnan(value):
        return "-"
    if error is None or math.isnan(error):
        return f"{value:.4g}"
    return _with_error(value, error)


def quantity(value: float | None, unit: str = "", error: float = math.nan) -> str:
    """Format a number as `number` does, and one with the unit `share` as per cent: `98.9 ± 0.3 %`."""
    if unit != "share" or value is None or math.isnan(value):
        return number(value, error)
    return f"{number(100 * value, 100 * error)} %"


def _with_error(value: float, error: float) -> str:
    if error == 0 or not math.isfinite(value) or not math.isfinite(error):
        return f"{value:.4g} ± {error:.2g}"
    decimals, largest = _decimals(error), max(abs(value), error)
    power = math.floor(math.log10(largest))
    if decimals + power >= DIGITS:
        return f"{value:.4g} ± {error:.1g}"
    if largest < LARGEST and decimals <= DECIMALS:
        return f"{_fixed(value, decimals)} ± {_fixed(error, decimals)}"
    scaled = (_fixed(one / 10.0**power, decimals + power) for one in (value, error))
    return f"({' ± '.join(scaled)})e{power:+03d}"


def _decimals(error: float) -> int:
    """The decimals that an error leaves: to its first digit, to its second where the first is a 1; may be negative."""
    first, _, power = f"{error:.0e}".partition("e")
    return (first == "1") - int(power)


def _fixed(value: float, decimals: int) -> str:
    return f"{round(value, decimals) + 0.0:.{max(0, decimals)}f}"  # 0.0 is added lest it be -0.0
