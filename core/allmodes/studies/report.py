"""The report of a study: tables, statistics, curves and figures in its folder, and in MLflow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from allmodes.studies import curves, statistics, tables
from allmodes.studies.comparison import Comparison, Group
from allmodes.studies.curves import Points

if TYPE_CHECKING:
    from allmodes.tracking.forwarding import Forwarder

Warn = Callable[[str], None]


def write_report(comparison: Comparison, forwarder: Forwarder | None, warn: Warn, figures: bool = True) -> None:
    """Write tables and figures of the runs so far and attach them in MLflow; a full disk costs a warning."""
    study = comparison.study
    try:
        files = tables.write(comparison)
        page = files[0].read_text()
        points = curves.read(comparison)
        files += statistics.write(comparison) + curves.write(study.folder, points)
        files += _write_figures(comparison, points, warn) if figures else []
    except OSError as error:
        warn(f"{study.folder}: cannot write tables or figures: {error.strerror or error}")
        return
    if forwarder:
        forwarder.attach([run.folder for run in study.runs], files, page)


def _write_figures(comparison: Comparison, points: Sequence[tuple[Group, Points]], warn: Warn) -> list[Path]:
    """Write the figures, if any run has finished; a failure costs a warning."""
    from allmodes.studies.curve_figures import draw_curves
    from allmodes.studies.figure import draw_figure

    try:
        return draw_figure(comparison) + draw_curves(comparison.folder, points)
    except Exception as error:
        warn(f"no figure: {type(error).__name__}: {error}")
        return []
