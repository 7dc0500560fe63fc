"""Paths as they are meant: `~` is the home folder, and a relative one is settled where the command begins."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


def place(path: str | Path) -> Path:
    """The absolute path, which a later change of folder does not move; `.` and `..` become names of folders."""
    path = at_home(path)
    return path.resolve() if ".." in path.parts else path.absolute()


def at_home(path: str | Path) -> Path:
    """The path with the home folder in the place of `~`; one that names no user's home stays as it is."""
    with suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


def homely(path: str) -> str:
    """`at_home` for paths that are text, patterns among them: what is said of data says them as they were written."""
    return str(at_home(path)) if path.startswith("~") else path


def near(path: Path) -> Path:
    """The path as somebody in the working folder would write it."""
    with suppress(OSError, ValueError):  # no such folder any more, or not within it
        return path.relative_to(Path.cwd())
    return path
