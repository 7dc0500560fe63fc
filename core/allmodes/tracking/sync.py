"""Sends what runs left behind: after an outage, or of a process that was killed."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from allmodes.runs.run_folder import METRICS, TRACKING
from allmodes.system.paths import at_home
from allmodes.text import redact
from allmodes.tracking import reading
from allmodes.tracking.address import absolute, default_store, sqlite_file, without_secrets
from allmodes.tracking.delivery import Delivery, LostStartError, is_conflict
from allmodes.tracking.sender import open_store, reason
from allmodes.tracking.server import TrackingError

if TYPE_CHECKING:
    from allmodes.tracking.store import Store

Report = Callable[[str], None]
ATTEMPTS, PAUSE = 5, 1.0  # s between them


def sync(
    folders: Sequence[Path],
    store: str | None,
    say: Report,
    complain: Report,
    warn: Report = warnings.warn,
) -> int:
    """Send what is left of runs to the stores that they were meant for; end those whose process was killed.

    Args:
        folders: Folders of runs or of experiments, or folders that hold such.
        store: Address of another store; it gets all of each run.
        say: Called with a line for each run.
        complain: Called for each run that could not be sent, which stays as it is.
        warn: Called for damage that does not keep a run from being sent.

    Returns:
        0, or 1 where a run could not be sent.

    Raises:
        TrackingError: A folder does not exist, or holds no tracked run; or, when all others are sent, a store's
            password is not given.
    """
    work = _Sync(absolute(store) if store else None, say, complain, warn)
    runs = [run for folder in folders for run in tracked_runs(at_home(folder))]
    failed = [run for run in runs if not work.send(run)]
    if work.refused:
        *others, last = work.refused
        for one in others:
            complain(one)
        raise TrackingError(last)
    return 1 if failed else 0


def tracked_runs(folder: Path) -> list[Path]:
    """The folders of tracked runs in a folder. Raises TrackingError where there are none."""
    if not folder.is_dir():
        raise TrackingError(f"{folder} is not a folder: give the folder of a run, or one that holds runs")
    runs = {path.parent for name in (METRICS, TRACKING) for path in folder.rglob(name)}
    if not (found := sorted(filter(reading.is_tracked, runs))):
        raise TrackingError(f"{folder} holds no tracked run; what was run with --no-tracking has nothing to send")
    return found


class _Sync:
    """One call of `sync`: opens each store once, and not again where that failed."""

    def __init__(self, store: str | None, say: Report, complain: Report, warn: Report) -> None:
        self._store, self._say, self._complain, self._warn = store, say, complain, warn
        self.refused: list[str] = []
        self._stores: dict[str, Store | Exception] = {}

    def send(self, folder: Path) -> bool:
        """Send what is left of a run; returns whether nothing is left that we could have sent."""
        try:
            return self._send(folder)
        except TrackingError as error:
            self.refused.append(str(error))
        except IsADirectoryError as error:
            self._complain(f"{error.filename} cannot be read ({error.strerror}): move it away")
        except LostStartError as error:
            self._complain(str(error))
        except Exception as error:  # whatever is wrong with one run, the others are sent
            self._complain(f"{folder}: cannot be sent ({reason(error, self._store or default_store())})")
        return False

    def _send(self, folder: Path) -> bool:
        for name in (METRICS, TRACKING):
            if (folder / name).exists():
                (folder / name).open("rb").close()  # raise the error of a file that cannot be read
        delivery = Delivery(folder, self._store or meant_store(folder), self._warn)
        try:
            return self._deliver(delivery)
        finally:
            delivery.close()

    def _deliver(self, delivery: Delivery) -> bool:
        if delivery.held:
            self._say(f"{delivery.folder}: is being sent by another process")
            return True
        delivery.conclude()
        if not delivery.left():
            self._say(f"{delivery.folder}: nothing is left to send")
            return True
        to = without_secrets(delivery.address)
        try:
            number = _send_until_settled(delivery, self._open(delivery.address))
        except LostStartError:
            raise
        except Exception as error:  # stores fail in many ways
            left, why = delivery.left(), reason(error, delivery.address)
            self._complain(f"{delivery.folder}: cannot write to {to} ({why}); {left} events still wait here")
            return False
        self._say(f"{delivery.folder}: {number} events were sent to {to}")
        return True

    def _open(self, address: str) -> Store:
        if address not in self._stores:
            try:
                self._stores[address] = open_store(address, self._complain)
            except Exception as error:
                self._stores[address] = error
        if isinstance(opened := self._stores[address], Exception):
            raise opened
        return opened


def _send_until_settled(delivery: Delivery, store: Store) -> int:
    """Send what is left, again where requests of before were still being written; returns the number of events."""
    sent, attempt = 0, 0
    while True:
        try:
            for number in delivery.send(store):
                sent += number
            return sent
        except Exception as error:
            attempt += 1
            if attempt == ATTEMPTS or not is_conflict(error):
                raise
            time.sleep(PAUSE)


def meant_store(folder: Path) -> str:
    """The address of the store that a run was last logged to, with the password, which is nowhere on disk."""
    given = absolute(default_store())
    *_, last = [None, *reading.descriptions(folder)]
    address = last.store if last else without_secrets(given)
    if without_secrets(given) == address:
        return given
    if sqlite_file(address) is None and redact.MARK in address:
        what = "the password" if f":{redact.MARK}@" in address else f"what {redact.MARK} stands for"
        raise TrackingError(f"{folder} was logged to {address}: set MLFLOW_TRACKING_URI to that with {what}")
    return address
