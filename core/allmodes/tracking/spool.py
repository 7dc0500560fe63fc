"""The events of a run that MLflow has not got yet: what is selected of its log behind a cursor.

One process at a time sends a run: it holds a lock file beside the log, from the start of training until all is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from filelock import FileLock, Timeout

from allmodes.runs.journal import Journal
from allmodes.runs.run_folder import RunFolder
from allmodes.tracking import old_spool, reading
from allmodes.tracking.events import Damaged, Description, Event, GoneBack, Numbers, Start, parse
from allmodes.tracking.selection import Selection

METRICS_PER_BATCH = 1000  # MLflow's own limit

Sized = tuple[Event | None, int]
"""The event of a line, and the line's size in bytes."""


@dataclass
class Group:
    """Events that a store takes in one call, the lines that they are selected from, and the selection after them."""

    events: list[Event]
    lines: Sequence[Sized]
    after: Selection


class Spool:
    """The queue of one run's events that wait to be sent, first in, first out.

    Positions count bytes: first those of a spool of older versions, where there is one, then those of the log.

    Args:
        log: The run's log, which may hold lines in memory that the disk refused.
        warn: Called for damaged lines.
    """

    def __init__(self, log: Journal, warn: Callable[[str], None]) -> None:
        self._folder, self._warn = log.path.parent, warn
        self._file = log.lines
        self._old = [(old_spool.parse(line), len(line)) for line in old_spool.lines(self._folder)]
        self._lock = FileLock(RunFolder(self._folder).tracking_lock, timeout=0, thread_local=False)
        self.closed = self.held = False
        self.restart()

    @property
    def kept(self) -> int:
        """The cursor, as far as it is on disk: for the receipt."""
        return _size(self._old[: self._old_taken]) + self._file.kept

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

    def restart(self) -> None:
        """Go to the beginning."""
        self._old_taken = self._file.taken = 0
        self.selection = Selection()

    def resume(self, sent: int) -> set[str]:
        """Go behind the bytes that were sent, or to the beginning if that is within a line.

        Returns the names of the run, which has several if its folder was renamed.
        """
        self.restart()
        end, names = 0, set[str]()
        for event, size in reading.read(self._folder, self._warn):
            names |= {event.run} if isinstance(event, Description) else set()
            end += size
            if end <= sent:
                self.take(Group([], [(event, size)], self.selection))
                self.selection.take(event)
        if self.kept != sent:
            self.restart()
        return names

    def look_ahead(self) -> tuple[int, Selection]:
        """Number of events that were not sent, and the selection after them."""
        after = self.selection.copy()
        lines = [*self._old[self._old_taken :], *_parse_lines(self._file.rest())]
        return sum(after.take(event) is not None for event, _ in lines), after

    def waiting(self) -> list[Group]:
        """The next events, about as many as one chunk of the log holds; none while another process sends them."""
        if self.closed or self.held:
            return []
        return _groups(self._old[self._old_taken :] or _parse_lines(self._file.next()), self.selection)

    def take(self, group: Group) -> None:
        """Move the cursor over the next group."""
        if self._old_taken < len(self._old):
            self._old_taken += len(group.lines)
        else:
            self._file.take(_size(group.lines))
        self.selection = group.after

    def close(self) -> None:
        """Let other processes send the run."""
        self.closed = True
        if self._lock.is_locked:
            self._lock.release()


def _parse_lines(lines: Iterable[bytes]) -> list[Sized]:
    return [(parse(line), len(line)) for line in lines]


def _size(lines: Iterable[Sized]) -> int:
    return sum(size for _, size in lines)


def _groups(lines: Sequence[Sized], before: Selection) -> list[Group]:
    """Group numbers together up to MLflow's limit, and other events one by one."""
    selection, groups, first, weight = before.copy(), list[Group](), 0, 0
    events: list[Event] = []
    for place, (event, _) in enumerate(lines):
        if events and weight + _weight(event) > METRICS_PER_BATCH:
            groups.append(Group(events, lines[first:place], selection.copy()))
            events, first, weight = [], place, 0
        weight += _weight(event)
        events += [new] if (new := selection.take(event)) else []
    return [*groups, Group(events, lines[first:], selection)] if lines else []


def _weight(event: Event | None) -> int:
    """Number of metrics; a whole batch for other events that the store gets, none for what it does not."""
    if event is None or isinstance(event, Start | GoneBack | Damaged):
        return 0
    return max(1, len(event.values)) if isinstance(event, Numbers) else METRICS_PER_BATCH
