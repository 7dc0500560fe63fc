"""Curves over iterations: a panel for each number, with every run, their mean, an interval and a floor."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap
from typing import TYPE_CHECKING, TypeAlias

from allmodes.figures.style import INK, colours, new_figure, plain

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Array: TypeAlias = npt.NDArray[np.float64]

PER_ROW, WIDTH, HEIGHT = 3, 3.6, 2.6
"""Panels in a row, and the size of one in inches."""

Runs: TypeAlias = Sequence[Mapping[int, float]]
"""Values by iteration, of each seed."""


@dataclass(frozen=True)
class Panel:
    """What one panel shows.

    Attributes:
        title: The number's name.
        runs: Values by iteration of each seed, by what the legend calls them, such as a method.
        floor: What real data score, where that is known.
        is_share: Whether the number lies between 0 and 1.
        bands: Lower and upper ends of an interval by name, at the iterations that all seeds have; in its place, curves
            of seeds are drawn where a name has none.
    """

    title: str
    runs: Mapping[str, Runs]
    floor: float | None = None
    is_share: bool = False
    bands: Mapping[str, tuple[Array, Array]] = field(default_factory=dict)


def draw_curves(panels: Sequence[Panel]) -> Figure:
    """Draw panels, three in a row, with a colour for each name and one legend.

    Raises ValueError if there are no panels.
    """
    if not panels:
        raise ValueError("nothing to draw: nothing was measured yet")
    columns, rows = min(PER_ROW, len(panels)), math.ceil(len(panels) / PER_ROW)
    figure = new_figure(max(4.5, columns * WIDTH), rows * HEIGHT + 0.4)
    names = list(dict.fromkeys(name for panel in panels for name in panel.runs))
    palette = dict(zip(names, colours(len(names)), strict=True))
    for i, panel in enumerate(panels):
        _draw(figure.add_subplot(rows, columns, i + 1), panel, palette)
    _add_legend(figure)
    return figure


def common(runs: Runs) -> tuple[list[int], Array]:
    """The iterations that all seeds have, and the values (seeds, points) at those."""
    import numpy as np

    at = sorted(set.intersection(*(set(run) for run in runs))) if runs else []
    return at, np.array([[run[iteration] for iteration in at] for run in runs], dtype=float).reshape(len(runs), -1)


def _draw(axes: Axes, panel: Panel, palette: Mapping[str, object]) -> None:
    for name, runs in panel.runs.items():
        _draw_runs(axes, name, runs, palette[name], panel.bands.get(name))
    if panel.floor is not None:
        axes.axhline(panel.floor, color=INK, linewidth=1, linestyle=":", label="real data")
    axes.set_title(
        "\n".join(part for line in plain(panel.title).split("\n") for part in wrap(line, 50)), fontsize=9, color=INK
    )
    axes.tick_params(labelsize=7, labelcolor=INK)
    axes.set_xlabel("iteration", fontsize=8, color=INK)
    axes.locator_params(axis="x", integer=True, nbins=5)
    if panel.is_share:
        axes.set_ylim(-0.02, 1.02)
    if not any(math.isfinite(value) for runs in panel.runs.values() for run in runs for value in run.values()):
        axes.set(xticks=[], yticks=[])
        axes.text(0.5, 0.75, "withheld: too little to measure", transform=axes.transAxes, ha="center", fontsize=8)


def _add_legend(figure: Figure) -> None:
    """Explain the lines of all panels once, below them."""
    lines = {str(line.get_label()): line for axes in figure.axes for line in axes.lines}
    shown = {label: line for label, line in lines.items() if not label.startswith("_")}
    figure.legend(
        shown.values(), shown.keys(), loc="outside lower center", ncols=4, fontsize=8, frameon=False, labelcolor=INK
    )


def _draw_runs(axes: Axes, name: str, runs: Runs, colour: object, band: tuple[Array, Array] | None) -> None:
    """Draw the mean of several seeds over an interval or over each of them, or the only one."""
    at, values = common(runs)
    is_one = len(runs) == 1
    for run in runs if band is None and not is_one else ():
        axes.plot(list(run), list(run.values()), color=colour, linewidth=0.8, alpha=0.45)
    if band is not None:
        axes.fill_between(at, *band, color=colour, alpha=0.2, linewidth=0)
    mark = "." if len(at) < 3 else ""
    axes.plot(
        at, values.mean(0), color=colour, linewidth=1.6, marker=mark, label=plain(name if is_one else f"{name}, mean")
    )
