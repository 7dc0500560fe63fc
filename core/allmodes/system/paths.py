"""Paths as they are meant: `~` is the home folder, and a relative one is settled where the command begins."""

from __future__ import annotations

import os
from contextlib import suppress
from difflib import get_close_matches
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


SPECS = (".yaml", ".yml", ".json")


FILES = frozenset(
    f".{ending}"
    for ending in (
        *("yaml", "yml", "json", "jsonl", "toml", "txt", "md", "py", "csv", "tsv", "npy", "npz", "parquet", "pq"),
        *("pt", "pth", "safetensors", "png", "jpg", "jpeg", "gz", "zip"),
    )
)
"""Endings of what is a file, and no kind of a plugin."""


def looks_like_path(word: str) -> bool:
    """Whether somebody who typed this meant a file or folder: a separator, an ending, a dot or ~ in front."""
    separators = {os.sep, os.altsep or os.sep, "/"}
    return bool(separators & set(word)) or word.startswith((".", "~")) or ends_like_a_file(word)


def ends_like_a_file(word: str) -> bool:
    """Whether a word has an ending of files, or nearly that of a spec: `a.ymal`, `a.yaml~`, `a.yaml.bak`."""
    endings = [ending.lower() for ending in Path(word).suffixes]
    return bool(FILES & set(endings)) or any(get_close_matches(ending, SPECS, 1, 0.8) for ending in endings)
