"""A run's numbers on disk: one line of JSON for each time that something was measured."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


class Journal:
    """Appends to `metrics.jsonl`. A disk that takes nothing costs one warning; lines wait until it does again."""

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self.path, self._warn = path, warn
        self._waiting: list[str] = []
        self._warned = False

    def write(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Append the numbers of an iteration."""
        self._waiting.append(json.dumps(plain({"iteration": iteration, **metrics})) + "\n")
        try:
            _append(self.path, "".join(self._waiting))
        except OSError as error:
            self._complain(error)
        else:
            self._waiting.clear()
            self._warned = False

    def rewind(self, iteration: int) -> None:
        """Forget what was written after an iteration: a resumed run writes it again. So is a line cut short."""
        kept = [line for line in read(self.path) if line["iteration"] <= iteration]
        replace_text(self.path, "".join(json.dumps(line) + "\n" for line in kept))

    def _complain(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            self._warn(f"{self.path} cannot be written ({error.strerror or error}); the run goes on, the lines wait")


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a journal, without one that was cut short."""
    lines: list[dict[str, Any]] = []
    for text in path.read_text().splitlines() if path.exists() else ():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            break
    return lines


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Write JSON beside the file and rename, so that it is never half written.

    JSON has no NaN and no infinity: a number that is withheld or not finite is null, and read as NaN by `numbers`.
    """
    replace_text(path, json.dumps(plain(values), indent=1, default=str))


def numbers(page: Mapping[str, float | None]) -> dict[str, float]:
    """Numbers as they were before they were written: null is NaN."""
    return {name: math.nan if value is None else value for name, value in page.items()}


def plain(value: Any) -> Any:
    """A value in what JSON has a word for: null for what is withheld or not finite."""
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def replace_text(path: Path, text: str) -> None:
    """Write a file beside its place and rename."""
    beside = path.with_name(f".{path.name}")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def _append(path: Path, text: str) -> None:
    """Append all of it or nothing: half a line would hide what comes after it from whoever reads the file."""
    left = text.encode()
    with path.open("ab", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        try:
            while left:
                left = left[file.write(left) :]
        except OSError:
            file.truncate(end)
            raise
