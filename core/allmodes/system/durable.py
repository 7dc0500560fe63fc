"""Files and folders that are written whole and synced to disk before they replace others."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any


def write_json(path: Path, values: Mapping[str, Any]) -> Path:
    """Replace a page of JSON.

    JSON has no NaN and no infinity: a number that is withheld or not finite becomes null, which `journal.numbers`
    reads as NaN.
    """
    return replace_text(path, json.dumps(plain(values), indent=1, default=str))


def plain(value: Any) -> Any:
    """Convert a value to what JSON can hold: a number that is withheld or not finite becomes null."""
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def replace_text(path: Path, text: str) -> Path:
    """Replace a text file (UTF-8)."""
    return replace(path, text.encode())


def replace(path: Path, content: bytes | memoryview) -> Path:
    """Write a file under another name, sync it to disk and rename it: a loss of power leaves the old or the new.

    On any error the old file stays, and nothing is left beside it. An OSError names the file.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder where a file should be: move it away", str(path))
    beside = path.with_name(f".{path.name}-{os.getpid()}")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException as error:
        beside.unlink(missing_ok=True)
        if isinstance(error, OSError):  # a full disk names no file, others name the one that nobody knows
            error.filename = str(path)
        raise
    _sync_folder(path.parent)
    return path


def replace_folder(beside: Path, folder: Path) -> Path:
    """Sync a folder to disk and rename it to another, which it replaces if there is one."""
    _sync_all(beside)
    if not folder.exists():
        beside.replace(folder)
    else:
        _swap(beside, folder)
    _sync_folder(folder.parent)
    return folder


def sync(path: Path) -> None:
    """Wait until a file or folder is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _swap(beside: Path, folder: Path) -> None:
    """Replace a folder in two renames: no system replaces one that is not empty in one step."""
    aside = folder.with_name(f".{folder.name}-old-{os.getpid()}")
    _remove(aside)
    folder.replace(aside)
    beside.replace(folder)
    _remove(aside)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _sync_all(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_dir():
            _sync_folder(path)
        else:
            sync(path)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    """Sync the names in a folder, where the system can: Windows opens no folders, some network disks sync none."""
    with suppress(OSError):
        sync(folder)
