"""Pictures of generated samples beside the truth: points in a plane, or images in a grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import pad

from allmodes.system import durable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from allmodes.data import Data

Panel: TypeAlias = "Callable[[Axes, Tensor], None]"
"""Draws samples (N, *shape) into axes."""

DPI = 110
SIDE = 5.0
PANEL_SIDE = 3.4
COLUMNS = 4
GRID = 8
REAL_POINTS = 2000
AXES_POINTS = 512
GENERATED, REAL, INK = "#2a6fbb", "#b5b5b5", "#333333"


def draw_samples(samples: Tensor, data: Data, path: Path, title: str = "") -> Path:
    """Draw samples as points over the true modes (or over real points), or as a grid of images, to a PNG.

    Axes and their limits depend on the data alone, so that pictures of different steps can be compared.

    Args:
        samples: Generated items (N, *data.shape); images in [-1, 1], of which the first 64 are shown.
        data: What was learned. Points of more than two dimensions are seen along its first two principal axes.
        path: The PNG to write, 550 x 550 px; folders are made.
        title: Line above the picture.

    Returns:
        The path.
    """
    figure = _figure(SIDE, SIDE)
    axes = figure.add_subplot()
    _panel(data)(axes, samples)
    axes.set_title(title, fontsize=11, color=INK)
    return save(figure, path)


def compare(panels: Sequence[tuple[str, Tensor]], data: Data, path: Path) -> Path:
    """Draw one panel for each method, side by side (four to a row) within the same limits, to a PNG.

    Args:
        panels: Titles and generated items (N, *data.shape), at least one.
        data: What was learned.
        path: The PNG to write; folders are made.

    Returns:
        The path.

    Raises:
        ValueError: If there are no panels.
    """
    if not panels:
        raise ValueError("nothing to compare: give at least one panel")
    columns, rows = min(len(panels), COLUMNS), ceil(len(panels) / COLUMNS)
    figure, draw = _figure(columns * PANEL_SIDE, rows * PANEL_SIDE), _panel(data)
    for i, (title, samples) in enumerate(panels):
        axes = figure.add_subplot(rows, columns, i + 1)
        draw(axes, samples)
        axes.set_title(title, fontsize=10, color=INK)
    return save(figure, path)


def _panel(data: Data) -> Panel:
    """How the data's items are drawn."""
    return _draw_images if len(data.shape) == 3 else _plane(data).draw


def draw_rows(items: Tensor, data: Data, names: Sequence[str] = ()) -> Figure:
    """Items (R, n, *data.shape) as rows of images, or as points with a colour for each row; `names` are the rows'."""
    if len(data.shape) == 3:
        return _rows_of_images(items, names)
    figure, plane = _figure(SIDE, SIDE), _plane(data)
    axes = figure.add_subplot()
    colours = _colours(len(items))
    for i, row in enumerate(items):
        x, y = plane.see(row).T.tolist()
        axes.scatter(x, y, s=7, color=colours[i], linewidths=0, label=names[i] if names else None)
    plane.frame(axes, names=bool(names))
    return figure


def draw_matrix(values: Tensor, rows: Sequence[str], columns: Sequence[str]) -> Figure:
    """Shares (R, C) from 0 to 1 as a table, darker where they are larger."""
    figure = _figure(1.5 + 0.5 * len(columns), 0.8 + 0.3 * len(rows))
    axes = figure.add_subplot()
    axes.imshow(values.numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for i, row in enumerate(values.tolist()):
        for j, value in enumerate(row):
            axes.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=7, color="w" if value > 0.5 else INK)
    axes.set_xticks(range(len(columns)), columns, fontsize=8)
    axes.set_yticks(range(len(rows)), rows, fontsize=8)
    return figure


# Points


@dataclass(frozen=True)
class _Plane:
    """A view of points in two coordinates, with what is known of the truth."""

    origin: Tensor  # (D,)
    directions: Tensor  # (D, 2)
    truth: Tensor  # (M, 2): centres of the true modes, or real points
    modes_known: bool
    note: str
    centre: Tensor  # (2,)
    half: float

    def see(self, x: Tensor) -> Tensor:
        """From points (N, D) to the plane (N, 2)."""
        return (_points(x) - self.origin) @ self.directions

    def draw(self, axes: Axes, samples: Tensor) -> None:
        """Samples over the truth, within the plane's limits."""
        seen = self.see(samples)
        if not self.modes_known:
            self._dots(axes, self.truth, REAL, alpha=1.0, label="real")
        self._dots(axes, seen, GENERATED, alpha=0.35, label="generated")
        if self.modes_known:
            self._rings(axes)
        self.frame(axes)
        self._tell_outside(axes, seen)

    def _dots(self, axes: Axes, seen: Tensor, color: str, alpha: float, label: str) -> None:
        x, y = seen.T.tolist()
        axes.scatter(x, y, s=7, color=color, alpha=alpha, linewidths=0, label=label)

    def _rings(self, axes: Axes) -> None:
        x, y = self.truth.T.tolist()
        size = 60 / max(1.0, len(self.truth) / 25)  # rings of a hundred modes must not hide each other
        axes.scatter(x, y, s=size, facecolors="none", edgecolors=INK, linewidths=0.8, label="true modes")

    def frame(self, axes: Axes, names: bool = True) -> None:
        """Limits and ticks, and what the colours mean."""
        (x, y), half = self.centre.tolist(), self.half
        axes.set(xlim=(x - half, x + half), ylim=(y - half, y + half), aspect="equal")
        axes.tick_params(labelsize=8, length=2, color=REAL, labelcolor=INK)
        axes.locator_params(nbins=5)
        axes.spines[:].set_color(REAL)
        if names:
            self._explain(axes)

    def _explain(self, axes: Axes) -> None:
        legend = axes.legend(
            loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=2, frameon=False,
            title=self.note, title_fontsize=8, fontsize=8, labelcolor=INK,
        )  # fmt: skip
        for handle in legend.legend_handles:
            if handle is not None:
                handle.set_alpha(1.0)

    def _tell_outside(self, axes: Axes, seen: Tensor) -> None:
        """Limits hide samples that went astray (or are not numbers), so say how many."""
        outside = 1 - float(((seen - self.centre).abs() <= self.half).all(1).float().mean())
        if outside > 0:
            text = f"{100 * outside:.1f} % outside"
            axes.text(0.02, 0.02, text, transform=axes.transAxes, fontsize=8, color=INK)


def _plane(data: Data) -> _Plane:
    real = _points(data.draw(REAL_POINTS, torch.Generator(data.device).manual_seed(0)).x)
    origin, directions = _directions(real)
    seen = (real - origin) @ directions
    means = None if data.truth is None else (_points(data.truth.means) - origin) @ directions
    low, high = seen.amin(0), seen.amax(0)
    return _Plane(
        origin,
        directions,
        truth=seen if means is None else means,
        modes_known=means is not None,
        note="along the data's first two principal axes" if real.shape[1] > 2 else "",
        centre=(low + high) / 2,
        half=0.6 * float((high - low).max()) or 1.0,
    )


def _directions(real: Tensor) -> tuple[Tensor, Tensor]:
    """Origin (D,) and two directions (D, 2): the coordinates themselves in 2-D, else the principal axes."""
    dim = real.shape[1]
    if dim <= 2:
        return torch.zeros(dim), torch.eye(dim, 2)
    few = real[:AXES_POINTS]
    axes = torch.linalg.svd(few - few.mean(0), full_matrices=False).Vh[:2]  # (2, D)
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    return few.mean(0), (axes * largest.sign()).T  # the sign of an axis is arbitrary: fix it


def _points(x: Tensor) -> Tensor:
    return x.detach().float().cpu().flatten(1)


# Images


def _draw_images(axes: Axes, samples: Tensor) -> None:
    axes.imshow(_grid(samples).numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_axis_off()


def _grid(samples: Tensor) -> Tensor:
    """The first 64 images (N, C, S, S) in [-1, 1] as one, on white: (H, W) or (H, W, 3) in [0, 1]."""
    return _tiled(samples[: GRID * GRID], GRID, GRID)


def _tiled(samples: Tensor, rows: int, columns: int) -> Tensor:
    """Images (N, C, S, S) in [-1, 1], row by row, as one; white where there are too few."""
    images = samples.detach().float().cpu().nan_to_num(0.0).clamp(-1, 1) / 2 + 0.5
    images = images if images.shape[1] == 3 else images[:, :1]
    gap = max(1, images.shape[-1] // 16)
    framed = pad(images, (0, gap, 0, gap), value=1.0)
    framed = torch.cat([framed, framed.new_ones(rows * columns - len(framed), *framed.shape[1:])])
    placed = framed.reshape(rows, columns, *framed.shape[1:])  # (row, column, C, S, S)
    grid = placed.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)  # (rows S, columns S, C)
    return grid[:-gap, :-gap].squeeze(-1)


def _rows_of_images(items: Tensor, names: Sequence[str]) -> Figure:
    grid = _tiled(items.flatten(0, 1), len(items), items.shape[1])
    figure = _figure(SIDE, max(1.0, SIDE * grid.shape[0] / grid.shape[1]))
    axes = figure.add_subplot()
    axes.imshow(grid.numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    axes.set_xticks([])
    height = grid.shape[0] / len(items)
    axes.set_yticks([(i + 0.5) * height for i in range(len(names))], names, fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def _colours(n: int) -> list[Any]:
    from matplotlib import colormaps

    return [colormaps["tab20" if n <= 20 else "hsv"](i % 20 if n <= 20 else i / n) for i in range(n)]


# Files


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure  # its own canvas (Agg), so that no global state or display is touched

    return Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def save(figure: Figure, path: Path) -> Path:
    """Write beside and rename, so that nobody reads half a picture."""
    picture = BytesIO()
    kind = path.suffix.removeprefix(".") or "png"
    unsaid = {"png": "Software", "pdf": "CreationDate"}  # else the same picture gives another file
    figure.savefig(picture, format=kind, metadata={unsaid[kind]: None} if kind in unsaid else None)
    path.parent.mkdir(parents=True, exist_ok=True)
    return durable.replace(path, picture.getvalue())
