"""The clock of a run."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Clock:
    """Time that was spent on a run, in s; of runs that are updated together, each has its share.

    Attributes:
        seconds: Time on the wall that updates took.
        cpu_seconds: Processor time of this process, in all of its threads, that building, fits and updates took.
        start_cpu_seconds: The part of it before the first update: the networks are built, a prior is fitted.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    start_cpu_seconds: float = 0.0

    def state_dict(self) -> dict[str, float]:
        """What a checkpoint keeps."""
        return dict(vars(self))

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on from a checkpoint; after one of an older version the processor time is unknown (NaN)."""
        for name in vars(self):
            setattr(self, name, state.get(name, math.nan))


@contextmanager
def starting(clock: Clock) -> Iterator[None]:
    """Count the processor time of the block as that of a run's start."""
    began = time.process_time()
    yield
    clock.cpu_seconds = clock.start_cpu_seconds = time.process_time() - began


@contextmanager
def sharing(clocks: Collection[Clock]) -> Iterator[None]:
    """Share the time of the block, on the wall and of the processor, out to runs that are updated together."""
    began, cpu_began = time.monotonic(), time.process_time()
    yield
    seconds, cpu_seconds = time.monotonic() - began, time.process_time() - cpu_began
    for clock in clocks:
        clock.seconds += seconds / len(clocks)
        clock.cpu_seconds += cpu_seconds / len(clocks)
