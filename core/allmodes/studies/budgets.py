"""Whether the methods of a group had the same budget: images seen, and time of the processor."""

from __future__ import annotations

from collections.abc import Iterator

from allmodes.studies.comparison import Group

TOLERANCE = {"images": 1.0, "cpu_seconds": 1.2}
"""How many times as much the largest budget may be as the smallest; processor time is never equal to the digit."""
WORDS = {"images": "images seen", "cpu_seconds": "CPU seconds"}


def describe(group: Group) -> str:
    """Say which budgets differ between the methods with finished seeds, and how much; empty where none does."""
    differing = "; ".join(_differing(group))
    return f"**Budgets differ**: {differing}. A difference between two rows may be one of budget." if differing else ""


def _differing(group: Group) -> Iterator[str]:
    for name, most in TOLERANCE.items():
        spent = [row.costs.get(name, 0.0) for row in group.rows]
        known = [value for value in spent if value > 0]  # unknown budgets (NaN) of older runs are not compared
        if known and max(known) > most * min(known):
            low, high = min(known), max(known)
            yield f"{WORDS[name]} from {_short(low)} to {_short(high)} ({high / low:.2g} times)"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
