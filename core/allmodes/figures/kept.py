"""Pictures of points of which all but the samples and the title is drawn once for each data set."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from allmodes.figures.files import write
from allmodes.figures.points import plane_of
from allmodes.figures.style import DPI, new_figure, plain, set_title

if TYPE_CHECKING:
    from allmodes.data.base import Data

HEIGHT = "lp"
"""A line of a title, as high as matplotlib takes any line to be."""


class PointPicture:
    """A figure of points over their truth, to be drawn with other samples and titles, pixel by pixel as a new one.

    Axes, legend and real points depend on the data alone, and are most of the work: they are drawn once and copied.
    Over them go the samples, what lies on those (rings, frame, note) and the title, of as many lines as the layout has
    room for.
    """

    def __init__(self, data: Data, lines: int) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        self.plane, self.figure = plane_of(data), new_figure()
        self.axes = self.figure.add_subplot()
        self.canvas = cast("Any", FigureCanvasAgg(self.figure))  # matplotlib declares no types for it
        self.dots, self.note = self.plane.draw(self.axes, torch.empty(0, *data.shape))
        set_title(self.axes, "\n".join([HEIGHT] * lines))
        self.figure.draw_without_rendering()
        self.figure.set_layout_engine("none")  # all have their places
        above = self.axes.collections[self.axes.collections.index(self.dots) :]
        self._varied = [*above, *self.axes.spines.values(), self.note, self.axes.title]
        for artist in self._varied:
            artist.set_animated(True)
        self.canvas.draw()
        self._background = self.canvas.copy_from_bbox(self.figure.bbox)

    def save(self, samples: Tensor, title: str, path: Path) -> Path:
        """Draw samples (N, *data.shape) with a title to a PNG."""
        points = self.plane.project(samples)
        self.dots.set_offsets(points.numpy())
        self.note.set_text(self.plane.outside(points))
        self.axes.title.set_text(plain(title))
        self.canvas.restore_region(self._background)
        for artist in self._varied:
            self.axes.draw_artist(artist)
        return write(self._png(), path)

    def _png(self) -> bytes:
        from matplotlib.image import imsave

        picture, quickly = BytesIO(), {"compress_level": 1}  # a sixth larger in a third of the time
        plain: Any = {"Software": None}  # else the same figure gives another file
        imsave(picture, self.canvas.buffer_rgba(), format="png", dpi=DPI, metadata=plain, pil_kwargs=quickly)
        return picture.getvalue()


_KEPT: WeakKeyDictionary[Data, dict[int, PointPicture]] = WeakKeyDictionary()


def picture_of(data: Data, title: str) -> PointPicture:
    """The picture of a data set for titles of that many lines, made when it is first asked for."""
    lines, kept = title.count("\n") + 1 if title else 0, _KEPT.setdefault(data, {})
    if lines not in kept:
        kept[lines] = PointPicture(data, lines)
    return kept[lines]
