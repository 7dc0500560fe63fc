"""One process at a time in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from allmodes.run import RunError


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold a folder for as long as the block lasts; the death of the process lets go of it.

    Raises RunError where another process holds it. Systems and file systems without locks let everybody in.
    """
    handle = _locked(folder)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


@contextmanager
def in_turn(folder: Path) -> Iterator[None]:
    """Let one process at a time into the block; the others wait. Where there are no locks, everybody is let in."""
    handle = None
    with suppress(ImportError, OSError):  # Windows, some network file systems
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


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
        raise RunError(f"{folder} is being trained by another process: wait until it has ended, or end it") from None
    except OSError:  # some network file systems know no locks
        os.close(handle)
        return None
    return handle
