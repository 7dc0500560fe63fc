"""A SQLite store's file: opened by one process at a time, and refused at once where it cannot be written."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

SQLITE_WAIT = 20.0  # s for another process that writes to the SQLite store, as long as MLflow itself waits


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Let one process at a time into the block: MLflow fails where two create a store's tables at once."""
    handle = None
    with contextlib.suppress(OSError, ImportError):  # Windows and some network file systems lock no folders
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)  # which lets go, as does the death of the process


def check_writable(file: Path) -> None:
    """Fail soon on a SQLite file that cannot be written: MLflow would try again for 100 seconds."""
    with contextlib.closing(sqlite3.connect(file, timeout=SQLITE_WAIT)) as database:
        database.execute("BEGIN IMMEDIATE")
