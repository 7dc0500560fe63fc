"""Sending what runs left behind: after an outage, or of a process that was killed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from allmodes.system.paths import at_home
from allmodes.text import redact
from allmodes.tracking import recalling, spool
from allmodes.tracking.address import absolute, default_store, shown, sqlite_file
from allmodes.tracking.delivery import Delivery
from allmodes.tracking.sender import open_store, reason
from allmodes.tracking.server import TrackingError
from allmodes.tracking.spool import Event

if TYPE_CHECKING:
    from allmodes.tracking.store import Store

Say = Callable[[str], None]


def sync(
    folders: Sequence[Path], store: str | None, say: Say, complain: Say, warn: Callable[[str], None] = warnings.warn
) -> int:
    """Send what is left of runs to the stores that they were meant for; end those whose process was killed.

    Args:
        folders: Folders of runs or of experiments, or folders that hold such.
        store: Address of another store; it gets all of each run.
        say: Told a line for each run.
        complain: Told of each run that could not be sent, which stays as it is.
        warn: Told of damage that does not keep a run from being sent.

    Returns:
        0, or 1 where a run could not be sent.

    Raises:
        TrackingError: A folder does not exist, or holds no tracked run; or, when all others are sent, a store's
            password is not given.
    """
    work = _Work(absolute(store) if store else None, say, complain, warn)
    runs = [run for folder in folders for run in tracked(at_home(folder))]
    failed = [run for run in runs if not work.send(run)]
    if work.refused:
        *others, last = work.refused
        for one in others:
            complain(one)
        raise TrackingError(last)
    return 1 if failed else 0


def tracked(folder: Path) -> list[Path]:
    """The folders of tracked runs in a folder."""
    if not folder.is_dir():
        raise TrackingError(f"{folder} is no folder: give the folder of a run, or one that holds runs")
    if not (found := sorted(path.parent for path in folder.rglob(spool.NAME))):
        raise TrackingError(f"{folder} holds no tracked run; what was run with --no-tracking has nothing to send")
    return found


class _Work:
    """One call of `sync`: each store is opened once, and not again where that failed."""

    def __init__(self, store: str | None, say: Say, complain: Say, warn: Say) -> None:
        self._store, self._say, self._complain, self._warn = store, say, complain, warn
        self.refused: list[str] = []
        self._stores: dict[str, Store | Exception] = {}

    def send(self, folder: Path) -> bool:
        """Send what is left of a run; returns whether nothing is left that we could have sent."""
        try:
            return self._sent(folder)
        except TrackingError as error:
            self.refused.append(str(error))
        except IsADirectoryError as error:
            self._complain(f"{folder / spool.NAME} cannot be read ({error.strerror}): move it away")
        except Exception as error:  # whatever is wrong with one run, the others are sent
            self._complain(f"{folder}: cannot be sent ({reason(error, self._store or default_store())})")
        return False

    def _sent(self, folder: Path) -> bool:
        start, last = spool.start_and_last(folder)
        if start is None and (start := recalling.start(folder, self._store or absolute(default_store()))) is None:
            self._complain(f"{folder / spool.NAME} does not begin with the start of a run")
            return False
        delivery = Delivery(folder, self._store or _meant(start["store"], folder), self._warn)
        try:
            return self._deliver(delivery, start, last)
        finally:
            delivery.spool.close()

    def _deliver(self, delivery: Delivery, start: Event, last: Event) -> bool:
        if delivery.spool.held:
            self._say(f"{delivery.folder}: is being sent by another process")
            return True
        if not delivery.spool.ended:
            delivery.spool.append(recalling.end(delivery.folder, start, last))
        if not delivery.spool.count():
            self._say(f"{delivery.folder}: nothing is left to send")
            return True
        return self._send(delivery)

    def _send(self, delivery: Delivery) -> bool:
        to = shown(delivery.address)
        try:
            number = sum(delivery.send(self._opened(delivery.address)))
        except Exception as error:  # stores fail in many ways
            left, why = delivery.spool.count(), reason(error, delivery.address)
            self._complain(f"{delivery.folder}: cannot write to {to} ({why}); {left} events still wait here")
            return False
        self._say(f"{delivery.folder}: {number} events were sent to {to}")
        return True

    def _opened(self, address: str) -> Store:
        if address not in self._stores:
            try:
                self._stores[address] = open_store(address, self._complain)
            except Exception as error:
                self._stores[address] = error
        if isinstance(opened := self._stores[address], Exception):
            raise opened
        return opened


def _meant(address: str, folder: Path) -> str:
    """The store's address with the password, which is nowhere on disk."""
    given = absolute(default_store())
    if shown(given) == address:
        return given
    if sqlite_file(address) is None and redact.MARK in address:
        what = "the password" if f":{redact.MARK}@" in address else f"what {redact.MARK} stands for"
        raise TrackingError(f"{folder} was logged to {address}: set MLFLOW_TRACKING_URI to that with {what}")
    return address
