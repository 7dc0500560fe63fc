"""The clock of a run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Clock:
    """Time that was spent on the updates of a run, in s; of runs that are updated together, each has its share."""

    seconds: float = 0.0
