"""The report of a study: tables and figures in its folder, and in MLflow."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from allmodes.studies import tables
from allmodes.studies.comparison import Comparison

if TYPE_CHECKING:
    from allmodes.tracking.forwarding import Forwarder

Warn = Callable[[str], None]


def write_report(comparison: Comparison, forwarder: Forwarder | None, warn: Warn) -> None:
    """Write tables and figures of the runs so far and attach them in MLflow; a full disk costs a warning."""
    study = comparison.study
    try:
        files = tables.write(comparison)
        page = files[0].read_text()
        files += _write_figures(comparison, warn)
    except OSError as error:
        warn(f"{study.folder}: cannot write tables or figures: {error.strerror or error}")
        return
    if forwarder:
        forwarder.attach([run.folder for run in study.runs], files, page)


def _write_figures(comparison: Comparison, warn: Warn) -> list[Path]:
    """Write the figures, if any run has finished; a failure costs a warning."""
    from allmodes.studies.figure import draw_figure

    try:
        return draw_figure(comparison)
    except Exception as error:
        warn(f"no figure: {type(error).__name__}: {error}")
        return []
