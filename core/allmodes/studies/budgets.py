"""Whether the methods of a group had the same budget: images seen, and time of the processor."""

from __future__ import annotations

import math
from collections.abc import Iterator

from allmodes.studies.comparison import Group, Row, costs_of

WORDS = {"images": "images seen", "cpu_seconds": "CPU seconds"}
LEAST, UNKNOWN, SPREADS = 1.2, 1.5, 3.0
"""How many times as much of the processor's time one method may take as another: at least, where no method has two
seeds to tell how much it varies, and how many of its standard deviations over seeds."""


def describe(group: Group) -> str:
    """Say which budgets differ between the methods with finished seeds, and how much; empty where none does."""
    differing = "; ".join(_differing(group))
    return f"**Budgets differ**: {differing}. A difference between two rows may be one of budget." if differing else ""


def _differing(group: Group) -> Iterator[str]:
    for name, most in (("images", 1.0), ("cpu_seconds", _tolerate(group))):
        spent = [row.costs.get(name, 0.0) for row in group.rows]
        known = [value for value in spent if value > 0]  # unknown budgets (NaN) of older runs are not compared
        if known and max(known) > most * min(known):
            low, high = min(known), max(known)
            yield f"{WORDS[name]} from {_short(low)} to {_short(high)} ({high / low:.2g} times)"


def _tolerate(group: Group) -> float:
    """How many times as much time is noise, by how much the seeds of each method differ among themselves."""
    each = [seconds for row in group.rows if len(seconds := _seconds(row)) > 1]
    if not each:
        return UNKNOWN
    squares = sum((value / (math.fsum(one) / len(one)) - 1) ** 2 for one in each for value in one)
    return max(LEAST, 1 + SPREADS * math.sqrt(squares / sum(len(one) - 1 for one in each)))


def _seconds(row: Row) -> list[float]:
    found = [costs_of(outcome).get("cpu_seconds", math.nan) for outcome in row.finished.values()]
    return [value for value in found if value > 0]  # unknown ones are NaN


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
