"""What a progress bar says of a run: its rate, the first loss of each player, and the modes that it has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from allmodes_schemas import Key


def bar_fields(metrics: Mapping[str, float], numbers: Mapping[str, Key]) -> dict[str, str]:
    """Format the rate, the losses and the count of modes, each if it was logged."""
    fields: dict[str, str] = {}
    if rate := metrics.get("time/iterations_per_second"):
        fields["rate"] = f"{rate:,.0f} it/s"
    if first := first_losses(metrics):
        fields["losses"] = "  ".join(f"{player[0].upper()} {value:.2g}" for player, value in first.items())
    counted = next((key for key, number in numbers.items() if number.counts), "")
    if not math.isnan(value := metrics.get(f"eval/{counted}", math.nan)):
        fields["modes"] = f"{value:.0f} {numbers[counted].label or 'modes'}"
    return fields


def first_losses(metrics: Mapping[str, float]) -> dict[str, float]:
    """The first loss of each player, which is its game."""
    first: dict[str, float] = {}
    for name, value in metrics.items():
        kind, _, loss = name.partition("/")
        if kind == "train":
            first.setdefault(loss.partition("/")[0], value)
    return first


def measured(metrics: Mapping[str, float], numbers: Mapping[str, Key]) -> dict[str, float]:
    """The numbers of an evaluation that have a good direction or count modes, by name; all where none is declared."""
    found = {key.removeprefix("eval/"): value for key, value in metrics.items() if key.startswith("eval/")}
    shown = [key for key, number in numbers.items() if number.counts or number.better]
    return {key: found[key] for key in shown if key in found} if shown else found
