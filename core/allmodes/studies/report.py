"""The report of a study: tables, statistics, curves, figures and a page in its folder, and in MLflow."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from allmodes.registry.registry import Registry, installed
from allmodes.runs.run import RunError
from allmodes.studies import choices, curves, statistics, tables
from allmodes.studies.comparison import Comparison, Group
from allmodes.studies.curves import Points
from allmodes.studies.headline import find_headline
from allmodes.studies.stored import is_comparison, load_written
from allmodes.studies.study import write_page
from allmodes.text import redact

if TYPE_CHECKING:
    from allmodes.studies.galleries import Gallery
    from allmodes.tracking.forwarding import Forwarder

Warn = Callable[[str], None]
PAGE = "report.html"


def report(
    folder: str | Path,
    *,
    labels: Mapping[str, str] | None = None,
    columns: str | Sequence[str] = (),
    baseline: str = "",
    figures: bool = True,
    registry: Registry | None = None,
) -> Comparison:
    """Make tables, statistics, curves, figures and `report.html` again in a comparison's folder, without training.

    It may be finished, half finished, or in training. Of a run's folder, or an experiment's, `report.html` alone.

    Args:
        folder: The folder of a comparison, an experiment or a run.
        labels: What tables and figures call a method or a column, by its name; an empty label undoes one.
        columns: Metrics and costs that tables show, by name or pattern, in that order; `all` for all of them.
        baseline: The method that statistics compare the others with. Labels, columns and baseline are those of the
            command before unless given, and are kept for the next.
        figures: Whether samples and curves are drawn.
        registry: The plugins; by default all that are installed.

    Raises:
        SpecError: Where the folder cannot be read, or a label, a column or the baseline names nothing in it.
        RunError: Where the folder cannot be written.
    """
    comparison = load_comparison(
        folder, choices.Shown(labels or {}, choices.parse_columns(columns), baseline), registry
    )
    problems: list[str] = []
    try:
        if is_comparison(comparison.study):
            write_page(comparison.study)
        files = write_report(comparison, None, problems.append, figures)
    except OSError as error:
        raise RunError(f"{comparison.folder}: cannot write the report: {error.strerror or error}") from None
    for problem in problems:
        warnings.warn(redact.text(problem), stacklevel=2)
    if not any(file.name == PAGE for file in files):
        raise RunError(f"{comparison.folder}: {PAGE} was not written")
    return comparison


def load_comparison(
    folder: str | Path, given: choices.Shown = choices.AS_IS, registry: Registry | None = None
) -> Comparison:
    """Load the comparison of a folder, shown as it was or as given; nothing is written or trained.

    Raises SpecError as `report` does.
    """
    comparison = Comparison(load_written(folder, registry or installed()))
    measured = [name for group in comparison.groups for name in group.metrics]
    given = choices.settle(given, comparison.study.entries, measured)
    return Comparison(replace(comparison.study, shown=given.over(comparison.study.shown), said=given))


def write_report(comparison: Comparison, forwarder: Forwarder | None, warn: Warn, figures: bool = True) -> list[Path]:
    """Write what a study's folder holds of the runs so far, and attach it in MLflow; returns the files.

    A full disk, and a figure that fails, cost a warning.
    """
    study, galleries = comparison.study, list["Gallery | None"]()
    try:
        points = curves.read(comparison)
        files = _write_texts(comparison, points) if is_comparison(study) else []
        galleries = _make_galleries(comparison, warn) if figures else []
        files += _write_figures(comparison, galleries, points, warn) if figures and is_comparison(study) else []
        files += _write_html(comparison, galleries, figures, warn)
    except OSError as error:
        warn(f"{study.folder}: cannot write tables or figures: {error.strerror or error}")
        return []
    if forwarder:
        best = find_headline(comparison)
        tags = {"allmodes.best_method": best.method, "allmodes.best_by": best.by} if best.method else {}
        forwarder.attach([run.folder for run in study.runs], files, files[0].read_text(), best.numbers, tags)
    return files


def _write_texts(comparison: Comparison, points: Sequence[tuple[Group, Points]]) -> list[Path]:
    return [*tables.write(comparison), *statistics.write(comparison), *curves.write(comparison.folder, points)]


def _write_html(
    comparison: Comparison, galleries: Sequence[Gallery | None], with_curves: bool, warn: Warn
) -> list[Path]:
    """Write the page; a failure, such as that of a plugin's metric to be drawn, costs a warning."""
    from allmodes.studies.page.write import write_page as write_html

    try:
        return [write_html(comparison, galleries, with_curves)]
    except Exception as error:
        warn(f"no report.html: {type(error).__name__}: {error}")
        return []


def _make_galleries(comparison: Comparison, warn: Warn) -> list[Gallery | None]:
    """Draw samples of the runs that have finished; a failure, such as data that are missing here, costs a warning."""
    from allmodes.studies.galleries import make_galleries

    try:
        return make_galleries(comparison)
    except Exception as error:
        warn(f"no samples in figures: {type(error).__name__}: {error}")
        return []


def _write_figures(
    comparison: Comparison,
    galleries: Sequence[Gallery | None],
    points: Sequence[tuple[Group, Points]],
    warn: Warn,
) -> list[Path]:
    """Write the figures, if any run has finished; a failure costs a warning."""
    from allmodes.studies.curve_figures import draw_curves
    from allmodes.studies.figure import draw_figure
    from allmodes.studies.varied_figure import draw_varied

    try:
        return draw_figure(comparison, galleries) + draw_curves(comparison, points) + draw_varied(comparison)
    except Exception as error:
        warn(f"no figure: {type(error).__name__}: {error}")
        return []
