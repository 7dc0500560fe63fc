"""Figures of curves: a panel for each method, with the other methods in grey behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from allmodes.figures.files import save
from allmodes.figures.style import GENERATED, INK, REAL, new_figure
from allmodes.studies.comparison import Group
from allmodes.studies.curves import Curve, Points, curves_of
from allmodes.studies.inference import interval
from allmodes_schemas import Key

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FOLDER = "curves"
AXES = {"images": "real images seen", "cpu_seconds": "CPU seconds"}
PER_ROW, SIDE = 5, (2.6, 2.0)


def draw_curves(folder: Path, each: Sequence[tuple[Group, Points]]) -> list[Path]:
    """Draw each metric of each group against images seen and against processor time into a folder; returns the files.

    They are `curves/<metric>-images.png` and `curves/<metric>-cpu_seconds.png`, `<metric>-2-...` for a second group.
    Only metrics that have a good direction and were measured at several iterations have figures.
    """
    files: list[Path] = []
    for number, (group, points) in enumerate(each, 1):
        for metric, methods in points.items():
            if group.numbers.get(metric, Key()).better and (curves := curves_of(methods)):
                stem = folder / FOLDER / f"{metric}-{number}" if number > 1 else folder / FOLDER / metric
                files += [_draw(group, metric, curves, x, stem) for x in AXES]
    return files


def _draw(group: Group, metric: str, curves: Mapping[str, Curve], x: str, stem: Path) -> Path:
    columns, rows = min(PER_ROW, len(curves)), ceil(len(curves) / PER_ROW)
    figure = new_figure(max(4.0, columns * SIDE[0]), 0.8 + rows * SIDE[1])
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes, method in zip(panels.flat, curves, strict=False):
        for other in curves.values():
            axes.plot(getattr(other, x), other.values.mean(0), color=REAL, linewidth=0.5, alpha=0.6)
        _draw_method(axes, curves[method], x)
        if metric in group.floors:
            axes.axhline(group.floors[metric], color=INK, linewidth=0.8, linestyle=":")
        axes.set_title(method, fontsize=8, color=INK)
        axes.tick_params(labelsize=7)
    for axes in panels.flat[len(curves) :]:
        axes.set_visible(False)
    if group.numbers.get(metric, Key()).unit == "share":
        panels.flat[0].set_ylim(0, 1)
    figure.supxlabel(AXES[x], fontsize=9, color=INK)
    figure.suptitle(
        f"{metric} on {group.title}: mean, and its 95 % interval over seeds; dotted: real data", fontsize=9, color=INK
    )
    return save(figure, stem.with_name(f"{stem.name}-{x}.png"))


def _draw_method(axes: Axes, curve: Curve, x: str) -> None:
    at, (low, high) = getattr(curve, x), interval(curve.values)
    axes.plot(at, curve.values.mean(0), color=GENERATED, linewidth=1.4)
    axes.fill_between(at, low, high, color=GENERATED, alpha=0.25, linewidth=0)
