"""Images in blocks, each enlarged by a whole number and without smoothing, so that one sees what was generated."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import pad

from allmodes.figures.style import DPI, INK, SIDE, new_figure, plain

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from allmodes.data.base import Data

CELL = 64
"""Pixels that an image has at least in each direction."""
GRID = 8
"""Images along each side of a block, at most; where they are large, so many as fit, but two."""
WIDE, NARROW = 700, 540
"""Pixels along each side of a block, for one picture of samples and for each of several."""
MARGIN, LINE, BLOCKS_PER_ROW = 12, 20, 3


def draw_blocks(blocks: Sequence[tuple[str, Tensor]], title: str = "", most: int = WIDE) -> Figure:
    """Draw blocks of images (N, C, S, S) in [-1, 1], each below its name, so many of each as fit into `most` pixels."""
    pixels = [enlarge(samples, most) for _, samples in blocks]
    side, columns = max(one.shape[0] for one in pixels), min(len(blocks), BLOCKS_PER_ROW)
    above, names = LINE * _lines([title]), LINE * _lines([name for name, _ in blocks])
    pitch = side + names + MARGIN  # from a row of blocks to the next
    width = columns * (side + MARGIN) + MARGIN
    height = ceil(len(blocks) / columns) * pitch + above + MARGIN
    figure = _exact_figure(width, height)
    figure.text(0.5, 1 - MARGIN / 2 / height, plain(title), fontsize=11, color=INK, ha="center", va="top")
    for i, ((name, _), block) in enumerate(zip(blocks, pixels, strict=True)):
        x, y = MARGIN + (i % columns) * (side + MARGIN), height - above - (i // columns + 1) * pitch
        axes = figure.add_axes((x / width, y / height, side / width, side / height))
        axes.imshow(block, interpolation="nearest")
        axes.set_axis_off()
        axes.set_title(plain(name), fontsize=10, color=INK, pad=4)
    return figure


def real_images(data: Data) -> Tensor:
    """The real images (64, C, S, S) that stand beside generated ones: the same for the same data."""
    return data.draw(GRID * GRID, torch.Generator(data.device).manual_seed(0)).x


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


def enlarge(samples: Tensor, most: int = WIDE) -> npt.NDArray[np.uint8]:
    """Join the first images (N, C, S, S) in [-1, 1] to a square block (P, P, 3), each at least 64 pixels wide.

    Each pixel of an image is a square of whole pixels. A block has as many images along its sides as fit into `most`
    pixels, from two to eight; it is white where there are fewer samples.
    """
    size = samples.shape[-1]
    zoom = max(1, ceil(CELL / size))
    count = min(GRID, max(2, most // (zoom * (size + _gap(size)))))
    return join(samples[: count * count], count, count, zoom)


def join(samples: Tensor, rows: int, columns: int, zoom: int) -> npt.NDArray[np.uint8]:
    """Join images (N, C, S, S) in [-1, 1], row by row, to pixels (H, W, 3), `zoom` of them along each of an image's."""
    grid = tile(samples, rows, columns)
    colours = grid[..., None].expand(*grid.shape[:2], 3) if grid.ndim == 2 else grid
    return (255 * colours).round().byte().repeat_interleave(zoom, 0).repeat_interleave(zoom, 1).numpy()


def tile(samples: Tensor, rows: int, columns: int) -> Tensor:
    """Join images (N, C, S, S) in [-1, 1], row by row, to one (H, W) or (H, W, 3) in [0, 1]; white where some lack."""
    images = samples.detach().float().cpu().nan_to_num(0.0).clamp(-1, 1) / 2 + 0.5
    images = images if images.shape[1] == 3 else images[:, :1]
    gap = _gap(images.shape[-1])
    framed = pad(images, (0, gap, 0, gap), value=1.0)
    framed = torch.cat([framed, framed.new_ones(rows * columns - len(framed), *framed.shape[1:])])
    placed = framed.reshape(rows, columns, *framed.shape[1:])  # (row, column, C, S, S)
    grid = placed.permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)  # (rows S, columns S, C)
    return grid[:-gap, :-gap].squeeze(-1)


def _gap(size: int) -> int:
    return max(1, size // 16)


def _lines(texts: Sequence[str]) -> int:
    return max(text.count("\n") + 1 if text else 0 for text in texts)


def _exact_figure(width: int, height: int) -> Figure:
    """Make a figure of a size in pixels, whose axes lie on whole pixels: nothing is smoothed or moved."""
    figure = new_figure((width + 0.01) / DPI, (height + 0.01) / DPI)
    figure.set_layout_engine("none")
    return figure


def _show(axes: Axes, grid: Tensor) -> None:
    axes.imshow(grid.numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest")
