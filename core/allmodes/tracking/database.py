"""Creates a SQLite store's file, whole or not at all, and refuses at once a file that cannot be used."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import time
from collections.abc import Callable
from glob import escape
from pathlib import Path

from allmodes.runs.lock import take_turns

SQLITE_WAIT = 20.0  # s for another process that writes to the SQLite store, as long as MLflow itself waits
QUIET = 5.0  # s without a change after which no process is writing a file
ABANDONED = 600.0  # s without a change after which a temporary file was left by a process that died
BESIDE = ("", "-journal", "-wal", "-shm")  # SQLite's files for one database

Fill = Callable[[Path], None]


class StoreError(Exception):
    """A store that cannot be used as it is; the message has the remedy."""


def check_writable(file: Path) -> None:
    """Raise sqlite3.Error soon if a file cannot be written: MLflow would try again for 100 seconds."""
    with contextlib.closing(sqlite3.connect(file, timeout=SQLITE_WAIT)) as database:
        database.execute("BEGIN IMMEDIATE")


def make_whole(file: Path, fill: Fill, warn: Callable[[str], None]) -> None:
    """Create a database that does not exist, so that a process that is killed leaves all of it or nothing.

    A file that another process left half made, without runs, is renamed, with a warning.

    Args:
        file: The database.
        fill: Creates a store's tables in a file, or raises where it cannot complete them.
        warn: Called for a file that was renamed.

    Raises StoreError for a folder, a damaged file or a file of another kind.
    """
    if not file.exists() or file.stat().st_size == 0:
        _make(file, fill)
        return
    if _check(file):
        return
    before = file.stat()
    with take_turns(file.parent, file.name):  # of several processes that find it half made, one mends it
        if _is_still(file, before) and (error := _half_made(file, fill)):
            aside = _set_aside(file).name
            warn(f"{file} was left half made, without a run in it ({error}): it is {aside} now, and a new one is made")
            _make(file, fill)


def _check(file: Path) -> bool:
    """Check that a file is a database that can be written; returns whether it holds anything."""
    try:
        if file.is_dir():
            raise sqlite3.DatabaseError("a folder is not a database")
        check_writable(file)
        return holds_something(file)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{error}: move {file} away, and a new one is made in its place") from None


def _is_still(file: Path, before: os.stat_result) -> bool:
    """Whether the file is still the one that was opened."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(file.stat(), before)
    return False


def holds_something(file: Path) -> bool:
    """Whether a store holds more than a new one."""
    with contextlib.closing(sqlite3.connect(file, timeout=SQLITE_WAIT)) as database:
        known = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        asked = {"experiments": "name != 'Default'"} | dict.fromkeys(("runs", "registered_models", "trace_info"), "1")
        return any(
            database.execute(f"SELECT 1 FROM {table} WHERE {which} LIMIT 1").fetchone()  # noqa: S608  (our own words)
            for table, which in asked.items()
            if table in known
        )


def _half_made(file: Path, fill: Fill) -> str | None:
    """The error of completing a copy of a database; tried again while another process is writing it."""
    while True:
        error, quiet = _try_to_complete(file, fill), time.time() - file.stat().st_mtime
        if error is None or not 0 <= quiet < QUIET:
            return error
        time.sleep(QUIET - quiet)


def _try_to_complete(file: Path, fill: Fill) -> str | None:
    copy = _temporary(file)
    try:
        with contextlib.closing(sqlite3.connect(file)) as there, contextlib.closing(sqlite3.connect(copy)) as here:
            there.backup(here)
        fill(copy)
    except Exception as error:  # MLflow and SQLAlchemy raise several types
        return str(error).splitlines()[0][:100] or type(error).__name__
    finally:
        _remove(copy)
    return None


def _make(file: Path, fill: Fill) -> None:
    for left in file.parent.glob(f".{escape(file.name)}-*-*"):
        with contextlib.suppress(FileNotFoundError):  # another process may be at the same
            if time.time() - left.stat().st_mtime > ABANDONED:
                left.unlink()
    new = _temporary(file)
    try:
        fill(new)
        with new.open("rb") as made:
            os.fsync(made.fileno())
        _move_to(new, file.resolve())
    finally:
        _remove(new)


def _move_to(new: Path, file: Path) -> None:
    """Rename a file, but never over a database that another process created meanwhile."""
    try:
        os.link(new, file)
    except FileExistsError:
        if file.stat().st_size == 0:
            new.replace(file)
    except OSError:  # a file system without links
        new.replace(file)


def _temporary(file: Path) -> Path:
    return file.with_name(f".{file.name}-{os.getpid()}-{secrets.token_hex(2)}")


def _set_aside(file: Path) -> Path:
    """Rename a database, with the files that SQLite keeps beside it."""
    number = next(n for n in range(1, 10**6) if not file.with_name(f"{file.name}.half-made-{n}").exists())
    aside = file.with_name(f"{file.name}.half-made-{number}")
    for end in BESIDE:
        with contextlib.suppress(FileNotFoundError):
            file.with_name(file.name + end).replace(aside.with_name(aside.name + end))
    return aside


def _remove(file: Path) -> None:
    for end in BESIDE:
        file.with_name(file.name + end).unlink(missing_ok=True)
