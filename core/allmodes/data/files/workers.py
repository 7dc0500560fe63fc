"""Worker processes that read ahead.

Processes and not threads: threads that decode small images wait for the interpreter, and were half as fast as one.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator, Sequence
from types import FrameType
from typing import Any, ClassVar

from torch.utils.data import DataLoader, Dataset

from allmodes.data.base import DataError
from allmodes.data.files.source import Items, ItemSource

ENDING = (signal.SIGINT, signal.SIGTERM)
AHEAD = 2
"""Batches that each worker reads ahead."""
PATIENCE = 1.0
"""Seconds for workers to end."""
LONGEST = 103 - len("/pymp-12345678/listener-12345678")
"""Bytes of a folder in which multiprocessing can make its sockets, on every Unix: macOS takes 103 for all of it."""


class _Reader(Dataset[Items | str]):
    """A source whose items are whole batches; an error is passed on as its message, without torch's traceback."""

    def __init__(self, source: ItemSource) -> None:
        self.source = source

    def __getitem__(self, positions: Sequence[int]) -> Items | str:
        try:
            return self.source.read(positions)
        except DataError as error:
            return str(error)


def read_batches(
    source: ItemSource, batches: Iterable[Sequence[int]], workers: int = 0, pinned: bool = False
) -> Iterator[Items]:
    """Read the items of each batch of positions in order, which may have no end; closing it ends the workers.

    Raises:
        DataError: If an item cannot be read, a worker dies, or workers have no place for a socket.
    """
    if not workers:
        yield from (source.read(positions) for positions in batches)
        return
    _check_sockets()
    loader: DataLoader[Any] = DataLoader(
        _Reader(source),
        sampler=batches,
        batch_size=None,  # a batch comes whole from the reader
        num_workers=workers,
        collate_fn=_keep,
        prefetch_factor=AHEAD,
        pin_memory=pinned,
        worker_init_fn=_defer_signals,
        # What cannot be pickled, such as a data set defined in a notebook, reaches a forked worker.
        multiprocessing_context="fork" if sys.platform == "linux" else None,
    )
    yield from _Running(_start(loader))


def _check_sockets() -> None:
    """Refuse a folder for temporary files in which workers would hang: its name is too long for their sockets."""
    folder = tempfile.gettempdir()
    if sys.platform != "win32" and len(os.fsencode(folder)) > LONGEST:
        raise DataError(
            f"data: the folder for temporary files, {folder}, has a name too long for worker processes (at most "
            f"{LONGEST} bytes): set TMPDIR to a shorter one, or workers to 0"
        )


def _start(loader: DataLoader[Any]) -> Iterator[Items | str]:
    """Start the workers, without torch's handler that raises a worker's death in the middle of other code.

    It is still raised, within seconds, while waiting for the next batch.
    """
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        return iter(loader)
    before = signal.getsignal(signal.SIGCHLD)
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # inherited by a worker until it has set its handlers
    try:
        return iter(loader)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        signal.signal(signal.SIGCHLD, before)


class _Running(Iterator[Items]):
    """Items that workers read.

    The workers end with this object, with `end()`, at an error, or before this process waits for them at its exit.
    """

    alive: ClassVar[weakref.WeakSet[_Running]] = weakref.WeakSet()

    def __init__(self, items: Iterator[Items | str]) -> None:
        self.items: Iterator[Items | str] | None = items
        self.alive.add(self)

    def __next__(self) -> Items:
        if self.items is None:
            raise StopIteration
        try:
            return self._read(self.items)
        except DataError:
            self.end()  # a traceback, which may be kept for long, refers to this object
            raise

    @staticmethod
    def _read(items: Iterator[Items | str]) -> Items:
        try:
            read = next(items)
        except (RuntimeError, OSError, EOFError) as error:  # the death of a worker shows in one of these
            what = f"data: a worker process ended ({error})"
            raise DataError(f"{what}: set workers to fewer, or to 0 to read without") from error
        if isinstance(read, str):
            raise DataError(read)
        return read

    def end(self) -> None:
        """Make torch's iterator end its workers, even while a traceback still refers to it.

        One that hangs is killed: it reads what nobody wants any more, and torch would wait ten seconds for each.
        """
        if self.items is None:
            return
        timer = threading.Timer(PATIENCE, self.kill)
        timer.start()
        try:
            self.shut_down()
        finally:
            timer.cancel()

    close = end  # what a generator that is closed calls

    def kill(self) -> None:
        """Kill the workers."""
        for worker in getattr(self.items, "_workers", ()):
            worker.kill()

    def shut_down(self) -> None:
        """Let torch tell its workers to end, and wait for them."""
        if shutdown := getattr(self.items, "_shutdown_workers", None):
            shutdown()
        self.items = None


@atexit.register
def _end_all() -> None:
    for running in list(_Running.alive):
        running.kill()  # no thread can begin any more that would do so later
        running.shut_down()


def _keep(read: Any) -> Any:
    return read


def _defer_signals(worker: int) -> None:
    """Ignore the first Ctrl-C or SIGTERM, which reach the whole group: the turn in progress still needs its batches."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_at_next_signal)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def _end_at_next_signal(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
