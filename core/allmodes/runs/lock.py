"""One process at a time in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock

from allmodes.runs.run import RunError
from allmodes.system.paths import near

_mine = set[Path]()
"""Folders that this process is alone in."""
_threads = RLock()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder for as long as the block lasts; the death of the process lets go of it.

    Where this process lets others in `in_turn`, it does not wait for itself.

    Raises RunError where another process holds it. Systems and file systems without locks let everybody in.
    """
    handle = _locked(folder)
    _mine.add(folder.resolve())
    try:
        yield
    finally:
        _mine.discard(folder.resolve())
        if handle is not None:
            os.close(handle)


@contextmanager
def in_turn(folder: Path) -> Iterator[bool]:
    """Let one process at a time into the block; the others wait. Where there are no locks, everybody is let in.

    Of a file, tells whether nobody put another in its place meanwhile.
    """
    if folder.resolve() in _mine:
        with _threads:
            yield True
        return
    handle = None
    with suppress(ImportError, OSError):  # Windows, some network file systems
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield handle is None or _is_there(folder, handle)
    finally:
        if handle is not None:
            os.close(handle)


def _is_there(place: Path, handle: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(place.stat(), os.fstat(handle))
    return False


def _locked(folder: Path) -> int | None:
    try:
        import fcntl
    except ImportError:  # Windows
        return None
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise RunError(
            f"{near(folder)} is being trained by another process: wait until it has ended, or end it"
        ) from None
    except OSError:  # some network file systems know no locks
        os.close(handle)
        return None
    return handle
