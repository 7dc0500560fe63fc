"""A run's way to the store: what its spool holds is told in order, and each time noted how far."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from allmodes.tracking import recalling, receipt, spool
from allmodes.tracking.receipt import Receipt
from allmodes.tracking.spool import Event, Spool, parse

if TYPE_CHECKING:
    from allmodes.tracking.store import Store

METRICS_PER_BATCH = 1000  # MLflow's own limit
REFUSALS = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "BAD_REQUEST", "INVALID_STATE")


class LostStartError(Exception):
    """A spool without the start of its run."""


class Delivery:
    """The spool of one run and its receipt from one store.

    Telling the store twice what it knows changes nothing there, so a process may die between telling and noting.
    """

    def __init__(self, folder: Path, address: str, warn: Callable[[str], None]) -> None:
        self.folder = folder
        self.address, self._warn = address, warn
        self._receipt: Receipt | None = None
        self._checked = self._damaged = False
        self.spool = Spool(folder, self._restore, warn)

    @property
    def done(self) -> bool:
        """Whether the run ended and all of it arrived."""
        return self.spool.ended and self.spool.count() == 0

    def send(self, store: Store) -> Iterator[int]:
        """Tell the store what waits, in order; yields the number of events after each call that it took."""
        self._check(store)
        while lines := self.spool.waiting():
            for events, size in _groups(lines):
                if events:
                    self._tell(store, events)
                self.spool.arrived(size)
                self._note()
                yield len(events)

    def _restore(self) -> int:
        start = next((event for event in spool.events(self.folder / spool.NAME) if event["what"] == "start"), None)
        self._receipt = receipt.read(self.folder, self.address, self._warn, _name(start) if start else "")
        return self._receipt.sent if self._receipt else 0

    def _check(self, store: Store) -> None:
        """Begin anew with a run of an earlier process that somebody deleted in the store since."""
        if not self._checked and self._receipt and self.spool.count() and not store.has(self._receipt):
            self._receipt = None
            self.spool.rewind()
        self._checked = True

    def _tell(self, store: Store, events: Sequence[Event]) -> None:
        event = events[0]
        if event["what"] == "start" or self._receipt is None:
            self._receipt = self._begun(store, event if event["what"] == "start" else self._recalled())
        if event["what"] == "metrics":
            store.log(self._receipt, events)
        elif event["what"] == "figure":
            self._draw(store, self._receipt, event)
        elif event["what"] == "end":
            store.end(self._receipt, event, self.folder)

    def _begun(self, store: Store, start: Event) -> Receipt:
        return replace(store.start(start, self.folder, self._receipt), run=_name(start))

    def _recalled(self) -> Event:
        """The start of the run, where its line is damaged."""
        if (start := recalling.start(self.folder, self.address)) is None:
            raise LostStartError(f"{self.spool.path} does not begin with the start of a run")
        return start

    def _draw(self, store: Store, to: Receipt, event: Event) -> None:
        from allmodes.tracking.pictures import DamagedError

        try:
            store.draw(to, event, self.folder / event["path"])
        except DamagedError as error:
            if not self._damaged:
                self._damaged = True
                self._warn(f"{error}. The rest is tracked.")

    def _note(self) -> None:
        if self._receipt is not None:
            self._receipt = replace(self._receipt, sent=self.spool.kept)
            self._receipt.write(self.folder)


def _name(start: Event) -> str:
    """What tells a run from others."""
    return f"{start['experiment']}/{start['name']}/seed-{start['seed']}"


def refused(error: Exception) -> bool:
    """Whether the store answered, and said that it will never take this."""
    return isinstance(error, LostStartError) or getattr(error, "error_code", None) in REFUSALS


def _groups(lines: Sequence[bytes]) -> Iterator[tuple[list[Event], int]]:
    """Events that the store takes in one call, with their size in bytes: metrics together, others one by one."""
    events, size, numbers = list[Event](), 0, 0
    for line in lines:
        event = parse(line)
        if events and numbers + _weight(event) > METRICS_PER_BATCH:
            yield events, size
            events, size, numbers = [], 0, 0
        events += [event] if event else []
        size, numbers = size + len(line), numbers + _weight(event)
    yield events, size


def _weight(event: Event | None) -> int:
    """Number of metrics, all of a batch for anything else, none for a damaged line."""
    if event is None:
        return 0
    return max(1, len(event["values"])) if event["what"] == "metrics" else METRICS_PER_BATCH
