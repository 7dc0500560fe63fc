"""Files and folders that take the place of others: whole, and on disk before they do."""

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

    JSON has no NaN and no infinity: a number that is withheld or not finite is null, and read as NaN by
    `journal.numbers`.
    """
    return replace_text(path, json.dumps(plain(values), indent=1, default=str))


def plain(value: Any) -> Any:
    """A value in what JSON has a word for: null for what is withheld or not finite."""
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def replace_text(path: Path, text: str) -> Path:
    """Replace a text file (UTF-8)."""
    return replace(path, text.encode())


def replace(path: Path, content: bytes | memoryview) -> Path:
    """Write a file beside its place, wait until it is on disk, and rename: a loss of power leaves the old or the new.

    On any error what was there before stays, and nothing is left beside it.
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
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    return path


def replace_folder(beside: Path, folder: Path) -> Path:
    """Let a folder, once all in it is on disk, take the place of what is there, if anything."""
    _sync_all(beside)
    if not folder.exists():
        beside.replace(folder)
    else:
        _swap(beside, folder)
    _sync_folder(folder.parent)
    return folder


def sync(path: Path) -> None:
    """Wait until a file is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _swap(beside: Path, folder: Path) -> None:
    """What was there stands aside meanwhile: no system replaces a full folder in one step."""
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
    """The names in a folder; Windows opens no folders, and some network file systems sync none."""
    with suppress(OSError):
        sync(folder)
