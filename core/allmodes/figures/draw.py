"""Figures of samples beside the truth: one, one for each method, and rows of items."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from allmodes.figures.files import save
from allmodes.figures.images import NARROW, draw_blocks, draw_image_rows, real_images
from allmodes.figures.kept import picture_of
from allmodes.figures.points import draw_point_rows, plane_of
from allmodes.figures.style import INK, PANEL_SIDE, PANELS_PER_ROW, new_figure, plain, set_title

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from allmodes.data.base import Data


def draw_samples(samples: Tensor, data: Data, path: Path, title: str = "", beside: bool = True) -> Path:
    """Draw samples as points over the true modes (or over real points), or as images beside real ones, to a PNG.

    Axes and their limits depend on the data alone, so that figures of different steps can be compared.

    Args:
        samples: Generated items (N, *data.shape); images in [-1, 1], of which at most the first 64 are shown, each at
            least 64 pixels wide.
        data: The data set. Points of more than two dimensions are projected to its first two principal axes.
        path: The PNG to write, of points 550 x 550 px; folders are made.
        title: Line above the figure.
        beside: Whether images of the data stand beside samples that are images.

    Returns:
        The path.
    """
    if len(data.shape) == 3:
        blocks = [("generated", samples), ("real", real_images(data))] if beside else [("", samples)]
        return save(draw_blocks(blocks, title), path)
    if path.suffix in ("", ".png"):
        return picture_of(data, title).save(samples, title, path)
    figure = new_figure()
    axes = figure.add_subplot()
    plane_of(data).draw(axes, samples)
    set_title(axes, title)
    return save(figure, path)


def draw_panels(panels: Sequence[tuple[str, Tensor]], data: Data, path: Path) -> Path:
    """Draw one panel for each method, side by side, within the same limits, to a PNG; of images, real ones first.

    Args:
        panels: Titles and generated items (N, *data.shape), at least one.
        data: The data set.
        path: The PNG to write; folders are made.

    Returns:
        The path.

    Raises:
        ValueError: If there are no panels.
    """
    if not panels:
        raise ValueError("nothing to draw: give at least one panel")
    if len(data.shape) == 3:
        return save(draw_blocks([("real data", real_images(data)), *panels], most=NARROW), path)
    columns, rows = min(len(panels), PANELS_PER_ROW), ceil(len(panels) / PANELS_PER_ROW)
    figure, plane = new_figure(columns * PANEL_SIDE, rows * PANEL_SIDE), plane_of(data)
    for i, (title, samples) in enumerate(panels):
        axes = figure.add_subplot(rows, columns, i + 1)
        plane.draw(axes, samples)
        axes.set_title(plain(title), fontsize=10, color=INK)
    return save(figure, path)


def draw_rows(items: Tensor, data: Data, names: Sequence[str] = ()) -> Figure:
    """Draw items (R, n, *data.shape) as rows of images, or as points in a colour for each row, with the rows' names."""
    return draw_image_rows(items, names) if len(data.shape) == 3 else draw_point_rows(items, data, names)


def draw_matrix(values: Tensor, rows: Sequence[str], columns: Sequence[str]) -> Figure:
    """Draw shares (R, C) from 0 to 1 as a table, darker where they are larger."""
    figure = new_figure(1.5 + 0.5 * len(columns), 0.8 + 0.3 * len(rows))
    axes = figure.add_subplot()
    axes.imshow(values.numpy(), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for i, row in enumerate(values.tolist()):
        for j, value in enumerate(row):
            axes.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=7, color="w" if value > 0.5 else INK)
    axes.set_xticks(range(len(columns)), columns, fontsize=8)
    axes.set_yticks(range(len(rows)), rows, fontsize=8)
    return figure
