"""A SQLite store's file: made whole or not at all, and refused at once where it cannot be used."""

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
SETTLED = 5.0  # s without a change after which nobody is at work on a file
LEFT = 600.0  # s without a change after which a file that was to become a database was left by a process that died
BESIDE = ("", "-journal", "-wal", "-shm")  # SQLite's files for one database

Fill = Callable[[Path], None]


class StoreError(Exception):
    """A store that cannot be used as it is; the message says what to do about it."""


def check_writable(file: Path) -> None:
    """Fail soon on a SQLite file that cannot be written: MLflow would try again for 100 seconds."""
    with contextlib.closing(sqlite3.connect(file, timeout=SQLITE_WAIT)) as database:
        database.execute("BEGIN IMMEDIATE")


def make_whole(file: Path, fill: Fill, say: Callable[[str], None]) -> None:
    """See that a file is there and not half made, so that a process that is killed leaves all of a database or none.

    What another process left half made holds no runs; it is set aside, and said.

    Args:
        file: The database.
        fill: Makes a store's tables in a file, or raises where it cannot go on with what is there.
        say: Told of what was set aside.

    Raises StoreError where there is a folder, a damaged file or one of another kind.
    """
    if not file.exists() or file.stat().st_size == 0:
        _make(file, fill)
        return
    if _checked(file):
        return
    before = file.stat()
    with take_turns(file.parent, file.name):  # of several processes that find it half made, one mends it
        if _is_still(file, before) and (error := _half_made(file, fill)):
            aside = _set_aside(file).name
            say(f"{file} was left half made, without a run in it ({error}): it is {aside} now, and a new one is made")
            _make(file, fill)


def _checked(file: Path) -> bool:
    """Whether a database that can be written holds anything."""
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
    """Whether nobody has put another file in its place."""
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(file.stat(), before)
    return False


def holds_something(file: Path) -> bool:
    """Whether there is anything in a store besides what every new one holds."""
    with contextlib.closing(sqlite3.connect(file, timeout=SQLITE_WAIT)) as database:
        known = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        asked = {"experiments": "name != 'Default'"} | dict.fromkeys(("runs", "registered_models", "trace_info"), "1")
        return any(
            database.execute(f"SELECT 1 FROM {table} WHERE {which} LIMIT 1").fetchone()  # noqa: S608  (our own words)
            for table, which in asked.items()
            if table in known
        )


def _half_made(file: Path, fill: Fill) -> str | None:
    """What a copy of a database lacks to be a store; asked again while somebody is at work on it."""
    while True:
        error, quiet = _tried(file, fill), time.time() - file.stat().st_mtime
        if error is None or not 0 <= quiet < SETTLED:
            return error
        time.sleep(SETTLED - quiet)


def _tried(file: Path, fill: Fill) -> str | None:
    copy = _beside(file)
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
            if time.time() - left.stat().st_mtime > LEFT:
                left.unlink()
    new = _beside(file)
    try:
        fill(new)
        with new.open("rb") as made:
            os.fsync(made.fileno())
        _put(new, file.resolve())
    finally:
        _remove(new)


def _put(new: Path, file: Path) -> None:
    """Rename, but never over what another process made meanwhile."""
    try:
        os.link(new, file)
    except FileExistsError:
        if file.stat().st_size == 0:
            new.replace(file)
    except OSError:  # a file system without links
        new.replace(file)


def _beside(file: Path) -> Path:
    return file.with_name(f".{file.name}-{os.getpid()}-{secrets.token_hex(2)}")


def _set_aside(file: Path) -> Path:
    """Give a database another name, with what SQLite keeps beside it."""
    number = next(n for n in range(1, 10**6) if not file.with_name(f"{file.name}.half-made-{n}").exists())
    aside = file.with_name(f"{file.name}.half-made-{number}")
    for end in BESIDE:
        with contextlib.suppress(FileNotFoundError):
            file.with_name(file.name + end).replace(aside.with_name(aside.name + end))
    return aside


def _remove(file: Path) -> None:
    for end in BESIDE:
        file.with_name(file.name + end).unlink(missing_ok=True)
