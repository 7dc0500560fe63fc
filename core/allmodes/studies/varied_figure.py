"""The figure of a sweep along one number: a panel for each metric, with means and standard errors over it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from allmodes.figures.files import save
from allmodes.figures.style import GENERATED, INK, REAL, new_figure, plain
from allmodes.runs import averages
from allmodes.studies.comparison import Comparison, Group, Row
from allmodes_schemas import Key

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDE = 20
"""The ratio of the largest to the smallest value from which a logarithmic axis is taken."""


def draw_varied(comparison: Comparison) -> list[Path]:
    """Draw `varied.png`, and `varied-2.png` for a second group; none where other things differ than one number."""
    files: list[Path] = []
    for number, group in enumerate(comparison.groups, 1):
        rows, metrics = find_rows(group), [name for name in group.tabulated if group.numbers.get(name, Key()).better]
        if len(rows) > 1 and metrics:
            stem = f"varied-{number}" if number > 1 else "varied"
            files.append(_draw(group, rows, metrics, comparison.folder / f"{stem}.png"))
    return files


def find_rows(group: Group) -> list[tuple[float, Row]]:
    """The rows with finished seeds and the number that varies in them, in its order; none where other things vary."""
    if len(group.varied) != 1 or not all(group.varied[0] in row.varied for row in group.rows):
        return []
    each = [(row.varied[group.varied[0]], row) for row in group.rows]
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value, _ in each):
        return []
    return sorted(((float(value), row) for value, row in each if row.finished), key=lambda one: one[0])


def _draw(group: Group, rows: Sequence[tuple[float, Row]], metrics: Sequence[str], path: Path) -> Path:
    figure = new_figure(max(4.0, 2.6 * len(metrics)), 2.8)
    values = [value for value, _ in rows]
    panels = figure.subplots(1, len(metrics), squeeze=False)
    for axes, metric in zip(panels.flat, metrics, strict=True):
        _draw_metric(axes, metric, rows, group.floors.get(metric))
        axes.set_xlabel(plain(group.varied[0]), fontsize=8)
        if min(values) > 0 and max(values) / min(values) >= WIDE:
            axes.set_xscale("log")
    return save(figure, path)


def _draw_metric(axes: Axes, metric: str, rows: Sequence[tuple[float, Row]], floor: float | None) -> None:
    values = [row.values(metric) for _, row in rows]
    errors = [averages.standard_error(one) for one in values]
    axes.errorbar(
        [value for value, _ in rows],
        [averages.mean(one) for one in values],
        yerr=[0.0 if math.isnan(error) else error for error in errors],
        color=GENERATED,
        marker="o",
        markersize=3,
        linewidth=1,
        capsize=2,
    )
    for (value, _), one in zip(rows, values, strict=True):
        axes.plot([value] * len(one), one, ".", color=REAL, markersize=3)
    if floor is not None:
        axes.axhline(floor, color=INK, linewidth=0.8, linestyle=":")
    axes.set_title(plain(metric), fontsize=8, color=INK)
    axes.tick_params(labelsize=7)
