"""Sends the log of one run to one store, and remembers how far it came."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from allmodes.runs.journal import Journal
from allmodes.runs.run_folder import RunFolder
from allmodes.tracking import recalling, receipt
from allmodes.tracking.events import Description, End, Event, Figure, Numbers
from allmodes.tracking.receipt import Receipt
from allmodes.tracking.selection import Selection
from allmodes.tracking.spool import Spool

if TYPE_CHECKING:
    from allmodes.tracking.store import Store

REFUSALS = ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "INVALID_STATE")
CONFLICT = "BAD_REQUEST"  # the answer of MLflow's database to two requests that write the same numbers at once


class LostStartError(Exception):
    """A run whose description is damaged in its log, and cannot be made again from its pages."""


class Delivery:
    """The log of one run, and its receipt from one store.

    A store that gets an event twice keeps it once, so a process may die between sending and writing the receipt.

    Args:
        folder: The run's folder.
        address: The store.
        warn: Called with what is damaged.
        log: The log that this process writes, if it does.
    """

    def __init__(self, folder: Path, address: str, warn: Callable[[str], None], log: Journal | None = None) -> None:
        self.folder, self.address, self._warn = folder, address, warn
        self.log = log or Journal(RunFolder(folder).metrics, warn)
        self._spool = Spool(self.log, warn)
        self._spool.hold()
        self._checked = self._warned = False
        self._receipt: Receipt | None = None
        self._open()

    @property
    def held(self) -> bool:
        """Whether another process sends the run."""
        return self._spool.held

    @property
    def done(self) -> bool:
        """Whether the run ended and all of it was sent."""
        left, after = self._spool.look_ahead()
        return left == 0 and after.ended

    def left(self) -> int:
        """Number of events that were not sent yet."""
        return self._spool.look_ahead()[0]

    def conclude(self) -> None:
        """If the run's process died, append to the log how the run ended."""
        _, after = self._spool.look_ahead()
        if after.tracked and not after.ended:
            self.log.end(recalling.end(self.folder, after))

    def send(self, store: Store) -> Iterator[int]:
        """Send what waits, in order; yields the number of events after each call that the store took."""
        if self._spool.held:
            if not self._spool.hold():
                return
            self._open()  # the other process may have sent more
        self._check(store)
        while groups := self._spool.waiting():
            for group in groups:
                if group.events:
                    self._send(store, group.events, group.after)
                self._spool.take(group)
                self._write_receipt()
                yield len(group.events)

    def close(self) -> None:
        """Let other processes send the run."""
        self._spool.close()

    def _open(self) -> None:
        self._receipt = receipt.read(self.folder, self.address, self._warn)
        names = self._spool.resume(self._receipt.sent if self._receipt else 0)
        if self._receipt and names and self._receipt.run not in ("", *names):
            self._warn(f"{RunFolder(self.folder).receipt} is of another run: all of this one is sent again")
            self._restart()

    def _restart(self) -> None:
        self._receipt = None
        self._spool.restart()

    def _check(self, store: Store) -> None:
        """Begin anew if somebody deleted the run in the store since an earlier process logged it."""
        if not self._checked and self._receipt and self.left() and not store.has(self._receipt):
            self._restart()
        self._checked = True

    def _send(self, store: Store, events: Sequence[Event], selection: Selection) -> None:
        event = events[0]
        if isinstance(event, Description) or self._receipt is None:
            begun = event if isinstance(event, Description) else self._recall()
            self._receipt = replace(store.start(begun, self.folder, self._receipt), run=begun.run)
        if isinstance(event, Numbers):
            store.log(self._receipt, [one for one in events if isinstance(one, Numbers)])
        elif isinstance(event, Figure):
            self._draw(store, self._receipt, event)
        elif isinstance(event, End):
            store.end(self._receipt, selection.description or self._recall(), event, self.folder)

    def _recall(self) -> Description:
        """The description of a run whose line is damaged."""
        if (found := recalling.description(self.folder, self.address)) is None:
            raise LostStartError(recalling.lost_message(self.folder))
        return found

    def _draw(self, store: Store, to: Receipt, event: Figure) -> None:
        from allmodes.tracking.pictures import DamagedError

        try:
            store.draw(to, event, self.folder / event.path)
        except DamagedError as error:
            if not self._warned:
                self._warned = True
                self._warn(f"{error}. The rest is tracked.")

    def _write_receipt(self) -> None:
        if self._receipt is not None:
            self._receipt = replace(self._receipt, sent=self._spool.kept)
            self._receipt.write(self.folder)


def is_refusal(error: Exception) -> bool:
    """Whether the store has rejected what was sent, so that sending it again is useless."""
    return isinstance(error, LostStartError) or getattr(error, "error_code", None) in REFUSALS


def is_conflict(error: Exception) -> bool:
    """Whether the store was writing the same for a request that had hung; sending again after it succeeds."""
    return getattr(error, "error_code", None) == CONFLICT
