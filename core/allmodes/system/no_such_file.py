"""The error message for a file or folder that does not exist."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

from allmodes.text.printable import printable
from allmodes.text.suggest import did_you_mean

NEIGHBOURS = 1000
"""Entries of a folder, at most, that are searched for a similar name."""


def no_such_file(reference: str | Path) -> str:
    """Write `x/y.yaml: no such file or folder in /home/me/x`, with the most similar name there."""
    path = Path(reference).absolute()
    if not holds(path.parent.is_dir):
        return printable(f"{reference}: no such file or folder: there is no folder {path.parent}")
    near = did_you_mean(path.name, _entries(path.parent))
    return printable(f"{reference}: no such file or folder in {path.parent}{near}")


def holds(asked: Callable[[], bool]) -> bool:
    """Whether a check of a path holds; False for names that no file can have and folders that cannot be opened."""
    try:
        return asked()
    except (OSError, ValueError):
        return False


def _entries(folder: Path) -> list[str]:
    try:
        return [path.name for path in islice(folder.iterdir(), NEIGHBOURS)]
    except OSError:
        return []


__all__ = ["holds", "no_such_file"]
