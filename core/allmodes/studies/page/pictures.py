"""Pictures within a page: samples as PNG and curves as SVG, each as an address that holds the picture itself."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from allmodes.figures.draw import draw_samples
from allmodes.figures.files import render
from allmodes.figures.images import enlarge, real_images
from allmodes.studies.comparison import Comparison
from allmodes.studies.galleries import Gallery

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 420
"""Pixels along the side of a block of images."""


@dataclass(frozen=True)
class Picture:
    """A picture with its title and a note; `is_pixels` where it is enlarged without smoothing."""

    title: str
    source: str
    note: str = ""
    is_pixels: bool = False


def picture_samples(comparison: Comparison, gallery: Gallery) -> Iterator[Picture]:
    """Yield a picture of each method's samples: as points over the truth, or as images, after one of real images."""
    are_images = len(gallery.data.shape) == 3
    if are_images:
        yield Picture("real data", _address(_block(real_images(gallery.data)), "png"), is_pixels=True)
    with TemporaryDirectory() as folder:
        for method, samples in gallery.samples.items():
            picture = _block(samples) if are_images else _points(samples, gallery, Path(folder, "samples.png"))
            numbers = gallery.numbers[method]
            yield Picture(comparison.label(method), _address(picture, "png"), numbers, are_images)


def picture_curves(comparison: Comparison, names: Sequence[str]) -> Iterator[Picture]:
    """Yield a picture of each number over the training; those that were not measured have none."""
    for name in names:
        try:
            figure = comparison.plot(name)
        except ValueError:
            continue
        yield Picture(name, _address(render(figure, "svg"), "svg+xml"))


def _points(samples: Tensor, gallery: Gallery, file: Path) -> bytes:
    return draw_samples(samples, gallery.data, file).read_bytes()


def _block(samples: Tensor) -> bytes:
    from PIL import Image

    picture = BytesIO()
    Image.fromarray(enlarge(samples, BLOCK)).save(picture, "png", optimize=True)
    return picture.getvalue()


def _address(picture: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{b64encode(picture).decode('ascii')}"
