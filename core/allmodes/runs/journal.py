"""A run's log `metrics.jsonl`: one line of JSON for each event, written once and only appended to.

A line of numbers is `{"iteration": n, "<key>": x, ..., "time": ms}`. Other lines have a key `event`:

- `start`: an attempt begins at an iteration, 0 or that of the checkpoint from which a run is resumed. Readers of
  numbers leave out what earlier attempts wrote beyond it; older versions, which wrote no such line, cut the file.
- `rewind`: the run goes back to the iteration of a checkpoint, which for readers of numbers is the same.
- `mlflow`: the attempt is tracked, and how MLflow describes it. The observer of MLflow adds this line, not training, so
  that an attempt without tracking has nothing to send and this package knows nothing of MLflow.
- `figure` and `end`. Numbers behind an `end` come from measuring the run again.

`allmodes.tracking` reads the same lines from the position that is kept in `mlflow.json`.
"""

from __future__ import annotations

import json
import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from allmodes.runs import claims
from allmodes.runs.line_file import LineFile
from allmodes.runs.older_numbers import renew
from allmodes.system import durable, json_pages
from allmodes.text import redact

NAMED = 5
"""Damaged lines that a warning names one by one."""
MARKS = ("time", "tracked")
"""Keys of a line of numbers that are not numbers of the run."""
BEGINNINGS = ("start", "rewind")
"""Events from whose iteration training goes on."""
LARGEST = 2**63 - 1
"""The largest iteration or time that a line can have, as in databases; a larger one comes of damage."""

Warn = Callable[[str], None]
Line = tuple[int, dict[str, Any] | None]
"""The number of a line, from 1, and its values; None where the line is damaged."""


class Journal:
    """Writes a run's log. If the disk is full, it warns once and keeps lines in memory until writing works again."""

    def __init__(self, path: Path, warn: Warn) -> None:
        self.path, self.lines = path, LineFile(path, warn)

    def start(self, iteration: int) -> None:
        """Note that an attempt begins: numbers of earlier ones beyond this iteration count no longer."""
        self.add("start", iteration=iteration)

    def write(self, iteration: int, metrics: Mapping[str, float], tracked: bool = True) -> None:
        """Append the numbers of an iteration; those that are not `tracked` are never sent to MLflow."""
        claims.confirm()
        marks = {"time": now()} | ({} if tracked else {"tracked": False})
        self.lines.append(json.dumps(durable.plain({"iteration": iteration, **metrics, **marks})))

    def figure(self, iteration: int, path: Path, tracked: bool = True) -> None:
        """Note that a picture was written; its name before the iteration is that of the series."""
        run = self.path.parent
        inside = path.relative_to(run) if path.is_relative_to(run) else path.absolute()
        self.add("figure", iteration=iteration, path=inside.as_posix(), **({} if tracked else {"tracked": False}))

    def end(self, ending: Mapping[str, Any]) -> None:
        """Note how the attempt ended, from the fields of an Outcome, at a `time` in ms or now."""
        names = ("time", "iteration", "status", "results", "floors", "engine", "references")
        error = redact.text(ending["error"]) if ending["error"] else None
        further = {name: ending[name] for name in ("stopped", "stopped_by", "kept", "rewinds") if ending.get(name)}
        self.add("end", **{name: ending[name] for name in names if name in ending}, error=error, **further)

    def add(self, event: str, **values: Any) -> None:
        """Append another event, which is kept even if memory is full."""
        claims.confirm()
        self.lines.append(json.dumps(durable.plain({"event": event, "time": now(), **values})), needed=True)

    def rewind(self, iteration: int, **values: Any) -> None:
        """Note that the run goes back to an iteration: numbers beyond it count no longer."""
        self.add("rewind", iteration=iteration, **values)

    def settle(self) -> None:
        """Wait until the log is on disk, lest a loss of power leave a checkpoint without the numbers before it."""
        with suppress(OSError):
            durable.sync(self.path)


def now() -> int:
    """The time in ms."""
    return time.time_ns() // 1_000_000


def read(path: Path, warn: Warn = warnings.warn) -> list[dict[str, Any]]:
    """The numbers of a run by iteration, without those that a later attempt replaced.

    Damaged lines are left out, with one warning that names them.
    """
    found: list[Line] = []
    try:
        if path.exists():
            with path.open("rb") as file:
                for number, text in enumerate(file, 1):
                    found = _with(found, number, text)
    except OSError as error:
        warn(f"{path} cannot be read ({error.strerror or error}): its numbers are left out")
        return []
    if damaged := [number for number, line in found if line is None]:
        warn(left_out(path, damaged))
    return [line for _, line in found if line is not None]


def left_out(path: Path, lines: Sequence[int]) -> str:
    """The warning of a file's damaged lines, by their numbers from 1."""
    if len(lines) == 1:
        return f"{path}:{lines[0]}: the line is damaged and left out"
    more = f" and {len(lines) - NAMED} more" if len(lines) > NAMED else ""
    return f"{path}: lines {', '.join(map(str, lines[:NAMED]))}{more} are damaged and left out"


def numbers(page: Mapping[str, float | None]) -> dict[str, float]:
    """Numbers as they were before they were written, by their names of today: null is NaN."""
    return {renew(name): math.nan if value is None else value for name, value in page.items()}


def _with(found: list[Line], number: int, text: bytes) -> list[Line]:
    """The lines of numbers so far with one more, or without those that it replaces."""
    if not text.strip():
        return found
    line = _parse(text)
    if line is None or "event" not in line:
        found.append((number, line))
        return found
    return _up_to(line["iteration"], found) if line["event"] in BEGINNINGS else found


def _up_to(iteration: int, found: Sequence[Line]) -> list[Line]:
    """Lines up to an iteration; damaged ones only in front of one that is kept, since the others came later."""
    kept = [place for place, (_, line) in enumerate(found) if line is not None and line["iteration"] <= iteration]
    return [
        (number, line)
        for number, line in found[: max(kept, default=-1) + 1]
        if line is None or line["iteration"] <= iteration
    ]


def _parse(text: bytes) -> dict[str, Any] | None:
    """A line's numbers with its iteration, or its event; None where it is damaged: no JSON, or JSON of another form."""
    with suppress(ValueError):
        line = json_pages.decode(text)
        if isinstance(line, dict) and "event" in line:
            return line if line["event"] not in BEGINNINGS or _is_iteration(line.get("iteration")) else None
        if isinstance(line, dict) and _is_iteration(line.get("iteration")):
            values = {name: value for name, value in line.items() if name not in MARKS}
            return values if all(map(_is_number, values.values())) else None
    return None


def _is_iteration(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))
