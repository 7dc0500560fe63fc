"""Figures of curves: all methods together over iterations, and a panel for each over what it cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from allmodes.figures.files import save
from allmodes.figures.style import GENERATED, INK, REAL, new_figure, plain
from allmodes.studies.comparison import Comparison, Group
from allmodes.studies.curves import Curve, Points, curves_of
from allmodes.studies.inference import interval
from allmodes_schemas import Key

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FOLDER = "curves"
AXES = {"images": "real images seen", "cpu_seconds": "CPU seconds"}
PER_ROW, SIDE = 5, (2.6, 2.0)

Label = Callable[[str], str]


def draw_curves(comparison: Comparison, each: Sequence[tuple[Group, Points]]) -> list[Path]:
    """Draw each metric of each group over iterations, images seen and processor time; returns the files.

    All metrics over iterations, with all methods, are in `curves/iterations.pdf`. `curves/<metric>-images.png` and
    `curves/<metric>-cpu_seconds.png` have a panel for each method; `<metric>-2-...` for a second group.
    """
    files: list[Path] = []
    for number, (group, points) in enumerate(each, 1):
        for metric, curves in find_curves(group, points).items():
            stem = comparison.folder / FOLDER / (f"{metric}-{number}" if number > 1 else metric)
            for x in AXES:
                figure = draw_apart(group, metric, curves, x, comparison.label)
                files.append(save(figure, stem.with_name(f"{stem.name}-{x}.png")))
    if files:
        files.append(save(comparison.plot(), comparison.folder / FOLDER / "iterations.pdf"))
    return files


def find_curves(group: Group, points: Points) -> dict[str, dict[str, Curve]]:
    """The curves that have figures, by metric and method: of metrics with a good direction and several evaluations."""
    each = {name: curves_of(methods) for name, methods in points.items() if group.numbers.get(name, Key()).better}
    return {name: curves for name, curves in each.items() if curves}


def draw_apart(group: Group, metric: str, curves: Mapping[str, Curve], x: str, label: Label) -> Figure:
    """Draw a panel for each method over a cost, with all others in grey behind it."""
    columns, rows = min(PER_ROW, len(curves)), ceil(len(curves) / PER_ROW)
    figure = new_figure(max(4.0, columns * SIDE[0]), 0.8 + rows * SIDE[1])
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes, method in zip(panels.flat, curves, strict=False):
        for other in curves.values():
            axes.plot(getattr(other, x), other.values.mean(0), color=REAL, linewidth=0.5, alpha=0.6)
        _draw_method(axes, curves[method], x)
        if metric in group.floors:
            axes.axhline(group.floors[metric], color=INK, linewidth=0.8, linestyle=":")
        axes.set_title(plain(label(method)), fontsize=8, color=INK)
        axes.tick_params(labelsize=7)
    for axes in panels.flat[len(curves) :]:
        axes.set_visible(False)
    _scale(panels.flat[0], group, metric)
    figure.supxlabel(AXES[x], fontsize=9, color=INK)
    title = f"{metric} on {group.title}: mean, and its 95 % interval over seeds; dotted: real data"
    figure.suptitle(plain(title), fontsize=9, color=INK)
    return figure


def _scale(axes: Axes, group: Group, metric: str) -> None:
    if group.numbers.get(metric, Key()).unit == "share":
        axes.set_ylim(0, 1)


def _draw_method(axes: Axes, curve: Curve, x: str) -> None:
    at, (low, high) = getattr(curve, x), interval(curve.values)
    axes.plot(at, curve.values.mean(0), color=GENERATED, linewidth=1.4)
    axes.fill_between(at, low, high, color=GENERATED, alpha=0.25, linewidth=0)
