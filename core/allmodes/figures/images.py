"""Images in a grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import pad

from allmodes.figures.style import SIDE, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GRID = 8
"""Images along each side of a grid of samples."""


def draw_grid(axes: Axes, samples: Tensor) -> None:
    """Draw the first 64 images (N, C, S, S) in [-1, 1] into axes."""
    _show(axes, tile(samples[: GRID * GRID], GRID, GRID))
    axes.set_axis_off()


def draw_image_rows(items: Tensor, names: Sequence[str]) -> Figure:
    """Draw images (R, n, C, S, S) in [-1, 1] as rows with names."""
    grid = tile(items.flatten(0, 1), len(items), items.shape[1])
    figure = new_figure(SIDE, max(1.0, SIDE * grid.shape[0] / grid.shape[1]))
    axes = figure.add_subplot()
    _show(axes, grid)
    axes.set_xticks([])
    height = grid.shape[0] / len(items)
    axes.set_yticks([(i + 0.5) * height for i in range(len(names))], names, fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def tile(samples: Tensor, rows: int, columns: int) -> Tensor:
    """Join images (N, C, S, S) in [-1, 1], row by row, to one (H, W) or (H, W, 3) in [0, 1]; white where some lack."""
    images = samples.detach().float().cpu().nan_to_num(0.0).clamp(-1, 1) / 2 + 0.5
    images = images if images.shape[1] == 3 else images[:, :1]
    gap = max(1, images.shape[-1] // 16)
    framed = pad(images, (0, gap, 0, gap), value=1.0)
    framed = torch.cat([framed, framed.new_ones(rows * columns - len(framed), *framed.shape[1:])])
    placed = framed.reshape(rows, columns, *framed.shape[1:])  # (row, column, C, S, S)
    grid = placed.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)  # (rows S, columns S, C)
    return grid[:-gap, :-gap].squeeze(-1)


def _show(axes: Axes, grid: Tensor) -> None:
    axes.imshow(grid.numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
