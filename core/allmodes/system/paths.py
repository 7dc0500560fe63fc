"""Paths of users: `~` is the home folder, and relative paths are resolved when the command begins."""

from __future__ import annotations

import os
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

from platformdirs import user_cache_path


def place(path: str | Path) -> Path:
    """Make a path absolute, so that a later change of the working folder does not move it; `..` is resolved."""
    path = at_home(path)
    return path.resolve() if ".." in path.parts else path.absolute()


def at_home(path: str | Path) -> Path:
    """Replace `~` by the home folder; a path stays as it is if there is no such home."""
    with suppress(RuntimeError):
        return Path(path).expanduser()
    return Path(path)


def cache_folder() -> Path:
    """Return the cache folder: `$ALLMODES_CACHE`, or the user's cache folder of the platform."""
    return place(os.environ.get("ALLMODES_CACHE") or user_cache_path("allmodes"))


def homely(path: str) -> str:
    """Apply `at_home` to a path or pattern in text; others stay as the user wrote them, for messages."""
    return str(at_home(path)) if path.startswith("~") else path


def near(path: Path) -> Path:
    """Shorten a path within the working folder to a relative one."""
    with suppress(OSError, ValueError):  # no such folder any more, or not within it
        return path.relative_to(Path.cwd())
    return path


MLFLOW = ("runs:/", "models:/", "mlflow-artifacts:/")
"""Beginnings of MLflow's addresses, which are no paths."""

SPECS = (".yaml", ".yml", ".json")


FILES = frozenset(
    f".{ending}"
    for ending in (
        *("yaml", "yml", "json", "jsonl", "toml", "txt", "md", "py", "csv", "tsv", "npy", "npz", "parquet", "pq"),
        *("pt", "pth", "safetensors", "png", "jpg", "jpeg", "gz", "zip"),
    )
)
"""Endings of files, which kinds of plugins do not have."""


def looks_like_path(word: str) -> bool:
    """Whether a word was meant as a path: it has a separator, an ending of files, or a dot or ~ in front."""
    separators = {os.sep, os.altsep or os.sep, "/"}
    return bool(separators & set(word)) or word.startswith((".", "~")) or ends_like_a_file(word)


def ends_like_a_file(word: str) -> bool:
    """Whether a word has an ending of files, or one similar to a spec's: `a.ymal`, `a.yaml~`, `a.yaml.bak`."""
    endings = [ending.lower() for ending in Path(word).suffixes]
    return bool(FILES & set(endings)) or any(get_close_matches(ending, SPECS, 1, 0.8) for ending in endings)
