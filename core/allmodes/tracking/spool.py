"""The events of a run that MLflow has not got yet: the lines of its log behind a cursor.

One process at a time sends a run: it holds a lock file beside the log, from the start of training until all is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path

from filelock import FileLock, Timeout

from allmodes.runs import journal
from allmodes.runs.journal import Journal
from allmodes.runs.run_folder import RunFolder
from allmodes.tracking import old_spool
from allmodes.tracking.events import Damaged, Description, Event, parse

Sized = tuple[Event | None, int]
"""The event of a line, and the line's size in bytes."""


class Spool:
    """What waits of one run, first in, first out.

    Positions count bytes: first those of a spool of older versions, where there is one, then those of the log.

    Args:
        log: The run's log, which may hold lines in memory that the disk refused.
    """

    def __init__(self, log: Journal) -> None:
        self._folder = log.path.parent
        self._file = log.lines
        self._old = [(old_spool.parse(line), len(line)) for line in old_spool.lines(self._folder)]
        self._old_size, self._old_taken = sum(size for _, size in self._old), 0
        self._lock = FileLock(RunFolder(self._folder).tracking_lock, timeout=0, thread_local=False)
        self.closed = self.held = False

    @property
    def kept(self) -> int:
        """The cursor, as far as it is on disk: for the receipt."""
        return sum(size for _, size in self._old[: self._old_taken]) + self._file.kept

    def hold(self) -> bool:
        """Try to become the one process that sends the run; where locks do not work, everybody does."""
        self.held = False
        try:
            if not self._lock.is_locked and self._folder.is_dir():
                self._lock.acquire()
        except Timeout:
            self.held = True
        except (OSError, NotImplementedError):  # some network file systems; a folder that cannot be written
            pass
        return not self.held

    def go_to(self, position: int) -> None:
        """Set the cursor to the end of a line."""
        left, self._old_taken = position, 0
        while self._old_taken < len(self._old) and left > 0:
            left -= self._old[self._old_taken][1]
            self._old_taken += 1
        self._file.taken = max(0, left)

    def waiting(self) -> list[Sized]:
        """The next events, about as many as one chunk of the log holds."""
        if self.closed or self.held:
            return []
        return self._old[self._old_taken :] or [(parse(line), len(line)) for line in self._file.next()]

    def rest(self) -> Iterator[Sized]:
        """All events behind the cursor."""
        return chain(self._old[self._old_taken :], ((parse(line), len(line)) for line in self._file.rest()))

    def take(self, count: int, size: int) -> None:
        """Move the cursor over the next lines, so many and of this size together."""
        if self._old_taken < len(self._old):
            self._old_taken += count
        else:
            self._file.take(size)

    def close(self) -> None:
        """Let go of the run."""
        self.closed = True
        if self._lock.is_locked:
            self._lock.release()


def read(folder: Path, warn: Callable[[str], None] = lambda _: None) -> Iterator[Sized]:
    """All events of a run on disk, in order; a warning for each file names its damaged lines."""
    files = RunFolder(folder)
    log = files.metrics
    for path, form, lines in (
        (files.tracking, old_spool.parse, old_spool.lines(folder)),
        (log, parse, log.open("rb") if log.is_file() else ()),
    ):
        damaged = []
        for number, line in enumerate(lines, 1):
            event = form(line)
            damaged += [number] if isinstance(event, Damaged) else []
            yield event, len(line)
        if damaged:
            warn(journal.left_out(path, damaged))


def descriptions(folder: Path) -> Iterator[Description]:
    """The descriptions of a run's tracked attempts, found without reading the other lines."""
    log = RunFolder(folder).metrics
    found: list[Event | None] = [old_spool.parse(line) for line in old_spool.lines(folder) if b'"start"' in line]
    if log.is_file():
        with log.open("rb") as file:
            found += [parse(line) for line in file if b'"mlflow"' in line]
    return (event for event in found if isinstance(event, Description))
