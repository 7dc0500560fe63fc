"""Points in a plane: their own coordinates, or the data's first two principal axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from allmodes.figures.style import GENERATED, INK, REAL, colours, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    from allmodes.data.base import Data

REAL_POINTS = 2000
"""Real points that limits are taken from, and that are drawn where modes are not known."""
AXES_POINTS = 512
"""Real points that principal axes are taken from."""


def draw_point_rows(items: Tensor, data: Data, names: Sequence[str]) -> Figure:
    """Draw points (R, n, *shape) in a colour for each row."""
    figure, plane = new_figure(), plane_of(data)
    axes = figure.add_subplot()
    for i, (row, colour) in enumerate(zip(items, colours(len(items)), strict=True)):
        x, y = plane.project(row).T.tolist()
        axes.scatter(x, y, s=7, color=colour, linewidths=0, label=names[i] if names else None)
    plane.frame(axes, legend=bool(names))
    return figure


@dataclass(frozen=True)
class Plane:
    """A view of points in two coordinates, with the true modes or real points."""

    origin: Tensor  # (D,)
    directions: Tensor  # (D, 2)
    truth: Tensor  # (M, 2): landmarks of the true modes, or real points
    modes_known: bool
    note: str
    centre: Tensor  # (2,)
    half: float

    def project(self, x: Tensor) -> Tensor:
        """Map points (N, D) to the plane (N, 2)."""
        return (_points(x) - self.origin) @ self.directions

    def draw(self, axes: Axes, samples: Tensor) -> tuple[PathCollection, Text]:
        """Draw samples over the truth, within the plane's limits; returns the samples' dots and a note on them."""
        points = self.project(samples)
        if not self.modes_known:
            self._dots(axes, self.truth, REAL, alpha=1.0, label="real")
        dots = self._dots(axes, points, GENERATED, alpha=0.35, label="generated")
        if self.modes_known:
            self._rings(axes)
        self.frame(axes)
        note = axes.text(0.02, 0.02, self.outside(points), transform=axes.transAxes, fontsize=8, color=INK)
        return dots, note

    def draw_paths(self, axes: Axes, items: Tensor, behind: str = "real") -> None:
        """Draw ways (R, n, *shape) over the truth in a colour each, a dot for each item and a ring where it begins.

        `behind` is what the truth is called where modes are not known.
        """
        if not self.modes_known:
            self._dots(axes, self.truth, REAL, alpha=1.0, label=behind)
        for way, colour in zip(items, colours(len(items)), strict=True):
            x, y = self.project(way).T.tolist()
            axes.plot(x, y, color=colour, linewidth=1, marker="o", markersize=3)
            axes.plot(x[:1], y[:1], color=colour, marker="o", markersize=8, fillstyle="none")
        if self.modes_known:
            self._rings(axes)
        self.frame(axes)
        note = self.outside(self.project(items.flatten(0, 1)))
        axes.text(0.02, 0.02, note, transform=axes.transAxes, fontsize=8, color=INK)

    def outside(self, points: Tensor) -> str:
        """Say which share of points (N, 2) lies outside the axes or is NaN, if any does."""
        share = 1 - float(((points - self.centre).abs() <= self.half).all(1).float().mean())
        return f"{100 * share:.1f} % outside" if share > 0 else ""

    def frame(self, axes: Axes, legend: bool = True) -> None:
        """Set limits and ticks, and add a legend."""
        (x, y), half = self.centre.tolist(), self.half
        axes.set(xlim=(x - half, x + half), ylim=(y - half, y + half), aspect="equal")
        axes.tick_params(labelsize=8, length=2, color=REAL, labelcolor=INK)
        axes.locator_params(nbins=5)
        axes.spines[:].set_color(REAL)
        if legend:
            self._legend(axes)

    def _dots(self, axes: Axes, points: Tensor, color: str, alpha: float, label: str) -> PathCollection:
        x, y = points.T.numpy()
        return axes.scatter(x, y, s=7, color=color, alpha=alpha, linewidths=0, label=label)

    def _rings(self, axes: Axes) -> None:
        x, y = self.truth.T.tolist()
        size = 60 / max(1.0, len(self.truth) / 25)  # rings of a hundred modes must not hide each other
        axes.scatter(x, y, s=size, facecolors="none", edgecolors=INK, linewidths=0.8, label="true modes")

    def _legend(self, axes: Axes) -> None:
        legend = axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=2, frameon=False,
            title=self.note, title_fontsize=8, fontsize=8, labelcolor=INK,
        )  # fmt: skip
        for handle in legend.legend_handles:
            if handle is not None:
                handle.set_alpha(1.0)


def plane_of(data: Data) -> Plane:
    """Choose a plane and its limits by the data alone, so that figures of different steps can be compared."""
    real = _points(data.draw(REAL_POINTS, torch.Generator(data.device).manual_seed(0)).x)
    origin, directions = _directions(real)
    projected = (real - origin) @ directions
    landmarks = None if data.truth is None else (_points(data.truth.landmarks()) - origin) @ directions
    low, high = projected.amin(0), projected.amax(0)
    return Plane(
        origin,
        directions,
        truth=projected if landmarks is None else landmarks,
        modes_known=landmarks is not None,
        note="along the data's first two principal axes" if real.shape[1] > 2 else "",
        centre=(low + high) / 2,
        half=0.6 * float((high - low).max()) or 1.0,
    )


def _directions(real: Tensor) -> tuple[Tensor, Tensor]:
    """Return an origin (D,) and two directions (D, 2): the coordinates themselves in 2-D, else the principal axes."""
    dim = real.shape[1]
    if dim <= 2:
        return torch.zeros(dim), torch.eye(dim, 2)
    few = real[:AXES_POINTS]
    axes = torch.linalg.svd(few - few.mean(0), full_matrices=False).Vh[:2]  # (2, D)
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    return few.mean(0), (axes * largest.sign()).T  # the sign of an axis is arbitrary: fix it


def _points(x: Tensor) -> Tensor:
    return x.detach().float().cpu().flatten(1)
