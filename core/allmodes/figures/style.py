"""Sizes and colours of figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 110
SIDE = 5.0
"""Width and height of a figure with one panel, in inches."""
PANEL_SIDE = 3.4
"""Width and height of each of several panels, in inches."""
PANELS_PER_ROW = 4
GENERATED, REAL, INK = "#2a6fbb", "#b5b5b5", "#333333"


def new_figure(width: float = SIDE, height: float = SIDE) -> Figure:
    """Make a figure of a size in inches, with a canvas of its own (Agg): no global state or display is touched."""
    from allmodes.figures.shown import ShownFigure

    return ShownFigure(figsize=(width, height), dpi=DPI, layout="constrained")


def plain(text: str) -> str:
    """Let matplotlib take a text as it is, without formulas between dollar signs."""
    return text.replace("$", r"\$")


def set_title(axes: Axes, title: str) -> None:
    """Write a title above the only panel of a figure."""
    axes.set_title(plain(title), fontsize=11, color=INK)


def colours(n: int) -> list[Any]:
    """Return n colours that can be told apart, as far as that is possible."""
    from matplotlib import colormaps

    if n <= 20:
        return [colormaps["tab10" if n <= 10 else "tab20"](i) for i in range(n)]
    return [colormaps["hsv"](i / n) for i in range(n)]
