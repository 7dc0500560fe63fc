"""Numbers as tables and messages show them."""

from __future__ import annotations

import math


def number(value: float | None) -> str:
    """A number with four digits, or a dash for one that is withheld."""
    return "-" if value is None or math.isnan(value) else f"{value:.4g}"
