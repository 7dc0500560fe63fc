"""The clock of a run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Clock:
    """Measures the time spent on training, in s, without pauses; `before` is that of earlier attempts."""

    before: float = 0.0
    began: float = field(default_factory=time.monotonic)

    def start(self) -> None:
        """Start to count the time of this attempt."""
        self.began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time spent on training so far."""
        return self.before + time.monotonic() - self.began

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Leave out the time that the block takes."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.began += time.monotonic() - began
