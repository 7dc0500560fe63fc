"""A run's numbers on disk: one line of JSON for each time that something was measured."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from allmodes.system import durable, json_pages

NAMED = 5
"""Damaged lines that a warning names one by one."""

Warn = Callable[[str], None]


class Journal:
    """Appends to `metrics.jsonl`. A disk that takes nothing costs one warning; lines wait until it does again."""

    def __init__(self, path: Path, warn: Warn) -> None:
        self.path, self._warn = path, warn
        self._waiting: list[str] = []
        self._warned = False

    def write(self, iteration: int, metrics: Mapping[str, float]) -> None:
        """Append the numbers of an iteration."""
        self._waiting.append(json.dumps(durable.plain({"iteration": iteration, **metrics})) + "\n")
        try:
            _append(self.path, "".join(self._waiting))
        except OSError as error:
            self._complain(error)
        else:
            self._waiting.clear()
            self._warned = False

    def rewind(self, iteration: int) -> None:
        """Forget what was written after an iteration: a resumed run writes it again. So is a damaged line."""
        try:
            kept = [line for line in _read(self.path, self._warn) if line["iteration"] <= iteration]
            durable.replace_text(self.path, "".join(json.dumps(line) + "\n" for line in kept))
        except OSError as error:
            self._complain(error)

    def settle(self) -> None:
        """Wait until it is on disk: a checkpoint must not survive a loss of power that the numbers before do not."""
        with suppress(OSError):
            durable.sync(self.path)

    def _complain(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            self._warn(f"{self.path} cannot be written ({error.strerror or error}); the run goes on, the lines wait")


def read(path: Path, warn: Warn = warnings.warn) -> list[dict[str, Any]]:
    """The lines of a journal, without those that are damaged, which one warning names."""
    try:
        return _read(path, warn)
    except OSError as error:
        warn(f"{path} cannot be read ({error.strerror or error}): its numbers are left out")
        return []


def left_out(path: Path, lines: Sequence[int]) -> str:
    """The warning of a file's damaged lines, by their numbers from 1."""
    if len(lines) == 1:
        return f"{path}:{lines[0]}: the line is damaged and left out"
    more = f" and {len(lines) - NAMED} more" if len(lines) > NAMED else ""
    return f"{path}: lines {', '.join(map(str, lines[:NAMED]))}{more} are damaged and left out"


def numbers(page: Mapping[str, float | None]) -> dict[str, float]:
    """Numbers as they were before they were written: null is NaN."""
    return {name: math.nan if value is None else value for name, value in page.items()}


def _read(path: Path, warn: Warn) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    with path.open("rb") as file:
        found = [(number, _parsed(text)) for number, text in enumerate(file, 1) if text.strip()]
    if damaged := [number for number, line in found if line is None]:
        warn(left_out(path, damaged))
    return [line for _, line in found if line is not None]


def _parsed(text: bytes) -> dict[str, Any] | None:
    """A line's numbers, or None where it is damaged: no JSON, or JSON of another form."""
    with suppress(ValueError):
        line = json_pages.decoded(text)
        if isinstance(line, dict) and type(line.get("iteration")) is int and all(map(_is_number, line.values())):
            return line
    return None


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _append(path: Path, text: str) -> None:
    """Append all of it or nothing: half a line would hide what comes after it from whoever reads the file."""
    with path.open("a+b", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        left = (b"" if _ends_a_line(file, end) else b"\n") + text.encode()
        try:
            while left:
                left = left[file.write(left) :]
        except OSError:
            file.truncate(end)
            raise


def _ends_a_line(file: Any, end: int) -> bool:
    """Whether what is there ends with its line: behind one that was cut short, the next begins its own."""
    if end == 0:
        return True
    file.seek(end - 1)
    return bool(file.read(1) == b"\n")
