"""The picture of the benchmarks: training items of each recipe, in a colour for each mode.

python docs/benchmarks.py
"""

from pathlib import Path

import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from allmodes import Data, installed
from allmodes.specs.loading import load

PICTURE = Path(__file__).parent / "images" / "benchmarks.png"
INK, EDGE = "#333333", "#888888"
PLANES = ("mixture", "thousand-modes", "rare-modes", "unequal-widths", "hierarchy", "arcs", "spirals")
POINTS, ROWS = 4000, 6


def main() -> None:
    """Draw eight data sets in the plane or in space, and two of images."""
    figure = Figure(figsize=(11, 4.7), dpi=110, layout="constrained")
    places = figure.subplots(2, 5)
    for name, axes in zip((*PLANES, "swiss-roll", "sprites", "sprites-16"), places.flat, strict=True):
        data = load(f"benchmarks/{name}", installed()).data.build()
        (draw_images if len(data.shape) == 3 else draw_points)(axes, data)
        axes.set_title(name, fontsize=9, color=INK)
        axes.set(aspect="equal", xticks=[], yticks=[])
        axes.spines[:].set_color(EDGE)
    figure.savefig(PICTURE)


def draw_points(axes: Axes, data: Data) -> None:
    """Items in their first two coordinates."""
    batch = data.draw(POINTS, torch.Generator().manual_seed(0))
    x, y = batch.x[:, :2].T.tolist()
    colours = [colormaps["tab20"](label % 20) for label in batch.labels.tolist()]
    axes.scatter(x, y, s=1.5, color=colours, linewidths=0)


def draw_images(axes: Axes, data: Data) -> None:
    """A square of images with a line between them."""
    images = data.draw(ROWS * ROWS, torch.Generator().manual_seed(0)).x[:, 0]
    framed = torch.nn.functional.pad(images, (0, 1, 0, 1), value=1.0)
    side = framed.shape[-1] * ROWS
    square = framed.view(ROWS, ROWS, *framed.shape[1:]).transpose(1, 2).reshape(side, side)
    axes.imshow(square.numpy(), cmap="gray", vmin=-1, vmax=1)


if __name__ == "__main__":
    main()
