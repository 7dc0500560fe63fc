"""Locks between processes, on files that the end of a process releases."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from allmodes.runs import claims
from allmodes.runs.run import RunError
from allmodes.system.paths import near

LOCKS = Path("/proc/locks")
"""Where Linux lists who has locked which file."""


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Lock a folder until the end of the block or of the process.

    Raises RunError where another process has locked it. File systems without locks let everybody in.
    """
    lock = FileLock(folder / ".lock", timeout=0)
    try:
        _acquire(lock)
    except Timeout:
        raise RunError(
            f"{near(folder)} is being trained by another process: wait until it has ended, or end it"
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def take_turns(folder: Path, name: str = "turn") -> Iterator[None]:
    """Wait until no other process is in a block of this name in the folder. Without file locks, everybody is let in.

    It does not wait for whoever has locked the folder. Where the user says that there are no locks, claims take their
    place, which are slower.
    """
    if _are_off():
        with claims.turn(folder, name):
            yield
        return
    lock = FileLock(folder / f".{name}.lock")
    _acquire(lock)
    try:
        yield
    finally:
        lock.release()


def is_locked(folder: Path) -> bool | None:
    """Whether a process has locked a folder, without touching the lock; None where the system does not tell."""
    try:
        file = (folder / ".lock").stat()
        place = f"{os.major(file.st_dev):02x}:{os.minor(file.st_dev):02x}:{file.st_ino}"
        return any(place in line.split() for line in LOCKS.read_text().splitlines())
    except FileNotFoundError:
        return None if not LOCKS.exists() else False
    except (OSError, AttributeError):  # os.major is not there on Windows
        return None


def _acquire(lock: FileLock) -> None:
    """Acquire a lock, unless the file system has no locks or no room for the file, or the user says so. Raises Timeout.

    Some network disks take a lock and let everybody in, or never answer: ALLMODES_LOCKS=off does without.
    """
    if _are_off():
        return
    try:
        lock.acquire()
    except Timeout:  # an OSError itself
        raise
    except (NotImplementedError, OSError):
        pass


def _are_off() -> bool:
    return os.environ.get("ALLMODES_LOCKS") == "off"
