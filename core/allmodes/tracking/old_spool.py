"""Reads `tracking.jsonl`, in which older versions kept what MLflow should get; nothing is written to it.

Its lines come before those of the log, and a receipt counts its bytes first: a receipt of an older version stays good.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from allmodes.runs.run_folder import RunFolder
from allmodes.system import json_pages
from allmodes.tracking.events import Damaged, Description, End, Event, Figure, Numbers


def lines(folder: Path) -> list[bytes]:
    """The lines of the file in a run's folder, if there is one; the last may be cut short."""
    with suppress(OSError), RunFolder(folder).tracking.open("rb") as file:
        return file.readlines()
    return []


def parse(line: bytes) -> Event | None:
    """The event of a line."""
    if not line.strip():
        return None
    try:
        page = json_pages.decode(line)
        return _KINDS[page["what"]](page)
    except (ValueError, LookupError, TypeError):
        return Damaged()


def _figure(page: Mapping[str, Any]) -> Figure:
    return Figure.model_validate({**page, "event": "figure", "iteration": page["step"]})


def _end(page: Mapping[str, Any]) -> End:
    fields = {"event": "end", "iteration": page["step"], "status": page["status"].lower()}
    return End.model_validate({**page, **fields})


_KINDS: Mapping[str, Callable[[Mapping[str, Any]], Event]] = {
    "start": Description.model_validate,
    "metrics": lambda page: Numbers.model_validate({**page, "iteration": page["step"]}),
    "figure": _figure,
    "end": _end,
}
