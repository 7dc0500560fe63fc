"""Which events of a run's log MLflow gets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from allmodes.tracking.events import Damaged, Description, End, Event, Figure, GoneBack, Start


@dataclass
class Selection:
    """Selects the events of tracked attempts, and each value once.

    A resumed run writes again what lies between its checkpoint and where it was interrupted; values that an earlier
    attempt had for an iteration, or for a later one, are left out. Numbers behind an `end` come from measuring the run
    again, and are new, even where the last attempt was not tracked; so are those behind a rewind. An attempt that
    begins with a damaged line counts as tracked: the line may have described it.
    """

    description: Description | None = None
    tracked: bool | None = None
    """Whether the attempt is tracked; None at its beginning."""
    ended: bool = False
    began: int = 0
    """When the attempt began, in ms."""
    last: int = 0
    """When its last event happened, in ms."""
    iteration: int = 0
    _before: dict[str, int] = field(default_factory=dict)
    _now: dict[str, int] = field(default_factory=dict)
    """Highest iteration of each key: in earlier attempts, and in this one."""

    def copy(self) -> Self:
        """A copy that advances independently."""
        return replace(self, _before=dict(self._before), _now=dict(self._now))

    def take(self, event: Event | None) -> Event | None:
        """Return what MLflow gets of the next event; None if nothing."""
        if isinstance(event, Start | Description):
            return self._begin(event)
        if isinstance(event, GoneBack):
            self._go_back(event.iteration)
            return None
        if event is not None and self.tracked is None:
            self.tracked = isinstance(event, Damaged)
        if event is None or isinstance(event, Damaged) or not (self._is_tracked and event.tracked):
            self.ended |= isinstance(event, End)
            return None
        self.last, self.iteration = event.time, event.iteration
        if isinstance(event, Figure):
            return event if self._new(event.iteration, [f"figure/{event.key}"]) else None
        if isinstance(event, End):
            return self._end(event)
        new = event.values if self.ended else self._new(event.iteration, event.values)
        return event.model_copy(update={"values": {name: event.values[name] for name in new}}) if new else None

    @property
    def _is_tracked(self) -> bool:
        """Whether MLflow gets the numbers of this attempt, or of the run's measurement after it."""
        return bool(self.tracked) or (self.ended and self.description is not None)

    def _begin(self, event: Start | Description) -> Description | None:
        self._close()
        self.ended, self.began, self.last, self.tracked = False, event.time, event.time, None
        if isinstance(event, Start):
            return None
        self.description, self.tracked = event, True
        return event

    def _go_back(self, iteration: int) -> None:
        """After a rewind numbers beyond its iteration are new ones: the way that they were of is left."""
        for highest in (self._before, self._now):
            highest |= {key: min(value, iteration) for key, value in highest.items()}

    def _end(self, event: End) -> End:
        new = self._new(event.iteration, [f"end/{name}" for name in event.results])
        self._close()
        self.ended = True
        results = {name: value for name, value in event.results.items() if f"end/{name}" in new}
        return event.model_copy(update={"results": results})

    def _new(self, iteration: int, keys: Iterable[str]) -> list[str]:
        """Note the keys; returns those without a value of an earlier attempt for the iteration."""
        new = [key for key in keys if iteration > self._before.get(key, -1)]
        _raise(self._now, dict.fromkeys(new, iteration))
        return new

    def _close(self) -> None:
        _raise(self._before, self._now)
        self._now = {}


def _raise(highest: dict[str, int], found: Mapping[str, int]) -> None:
    for key, iteration in found.items():
        highest[key] = max(iteration, highest.get(key, -1))
