"""A SQLite store's file, refused at once where it cannot be written."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

SQLITE_WAIT = 20.0  # s for another process that writes to the SQLite store, as long as MLflow itself waits


def check_writable(file: Path) -> None:
    """Fail soon on a SQLite file that cannot be written: MLflow would try again for 100 seconds."""
    with contextlib.closing(sqlite3.connect(file, timeout=SQLITE_WAIT)) as database:
        database.execute("BEGIN IMMEDIATE")
