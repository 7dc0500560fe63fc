"""Images that are decoded one by one to bytes of one size and number of channels."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from PIL import Image, ImageOps
from typing_extensions import override

from allmodes.data.base import DataError
from allmodes.data.files.image_files import (
    GREY,
    File,
    explain,
    find_losses,
    open_image,
    orientation,
    quiet_pillow,
    times,
    upright_size,
)
from allmodes.data.files.source import Items, ItemSource, Subset, spread
from allmodes_schemas import Shape

Channels: TypeAlias = Literal["auto", "rgb", "grey"]
Pixels: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]

FIRST = 100
"""Images, about, whose headers decide whether all are grey."""
LISTED = 3
"""Unreadable images that a warning names."""


@dataclass(frozen=True)
class ImageOptions:
    """The user's choice of size, crop and channels, and whether unreadable images are left out."""

    size: int | None = None
    crop: bool = True
    channels: Channels = "auto"
    skip_unreadable: bool = False


@dataclass(frozen=True)
class ImageFormat:
    """The form that all images are given.

    Attributes:
        grey: One channel, not three.
        options: Size in pixels, and whether the central square is resized, or the whole image stretched to a square.
        pixels: Width and height of the first image, which all have where no size is given.
        first: The image that decided, named where another differs.
    """

    grey: bool
    options: ImageOptions
    pixels: tuple[int, int]
    first: str

    @property
    def shape(self) -> Shape:
        """Channels, height, width."""
        size = self.options.size
        width, height = (size, size) if size else self.pixels
        return (1 if self.grey else 3, height, width)

    def check(self, image: Image.Image, where: str) -> None:
        """Refuse an image that cannot be given this form."""
        if not self.options.size and (pixels := upright_size(image)) != self.pixels:
            sizes = f"{self.first} has {times(self.pixels)} px but {where} has {times(pixels)} px"
            raise DataError(f"data: {sizes}: set size, to which all are resized", {"size": min(*pixels, *self.pixels)})
        if self.grey and self.options.channels == "auto" and image.mode not in GREY:
            what = f"{where} is in colour but {self.first} is grey"
            raise DataError(f"data: {what}: set channels to rgb or grey", {"channels": "rgb"})

    def apply(self, image: Image.Image) -> Image.Image:
        """Turn upright, convert, crop, resize."""
        size = self.options.size
        if orientation(image) != 1:
            ImageOps.exif_transpose(image, in_place=True)
        image = image.convert("L" if self.grey else "RGB")
        if not size or image.size == (size, size):
            return image
        if self.options.crop:
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            image = image.crop((left, top, left + side, top + side))
        return image.resize((size, size), Image.Resampling.BILINEAR)

    @quiet_pillow()
    def decode(self, file: File, where: str) -> Pixels:
        """Decode an image to bytes (C, H, W).

        Raises:
            DataError: If it cannot be read or made alike.
        """
        with open_image(file, where) as image:
            self.check(image, where)
            try:
                pixels = np.array(self.apply(image))
            except Exception as error:  # Pillow raises many types for a damaged image
                raise explain(where, error) from None
        return pixels[None] if self.grey else pixels.transpose(2, 0, 1)


class Images(ItemSource):
    """Images whose files a subclass knows. `make_alike` sets their format before they are read.

    Attributes:
        format: The form that all are given.
        notes: What is not learned of them, as far as the images show that decide the format.
    """

    dtype = torch.uint8
    notes: tuple[str, ...] = ()

    def file(self, position: int) -> File:
        """The path of an image, or its bytes."""
        raise NotImplementedError(f"{type(self).__name__} does not define file(position)")

    def where(self, position: int) -> str:
        """Return the name of an image for messages."""
        raise NotImplementedError(f"{type(self).__name__} does not define where(position)")

    @property
    def format(self) -> ImageFormat:
        """The form that all images are given."""
        return self._format

    @format.setter
    def format(self, format: ImageFormat) -> None:
        self._format, self.shape = format, format.shape

    def choose_format(self, options: ImageOptions, positions: Sequence[int]) -> None:
        """Choose a format by the headers of about a hundred of these images."""
        grey, sizes, losses = [], [], dict[str, str]()
        for i in (positions[j] for j in spread(len(positions), FIRST)):
            with open_image(self.file(i), self.where(i)) as image:
                grey.append(image.mode in GREY)
                sizes.append(upright_size(image))
                losses |= {lost: self.where(i) for lost in find_losses(image) if lost not in losses}
        self.notes = tuple(f"{lost}, as of {where}" for lost, where in losses.items())
        one_channel = all(grey) if options.channels == "auto" else options.channels == "grey"
        self.format = ImageFormat(one_channel, options, sizes[0], self.where(positions[0]))

    @override
    def read(self, positions: Sequence[int]) -> Items:
        x = [self.format.decode(self.file(i), self.where(i)) for i in positions]
        return Items(torch.from_numpy(np.stack(x)), self.labels_at(positions))

    @override
    def check(self, positions: Iterable[int]) -> None:
        for i in positions:
            with open_image(self.file(i), self.where(i)) as image:
                self.format.check(image, self.where(i))


def make_alike(images: Images, options: ImageOptions, format: ImageFormat | None = None) -> ItemSource:
    """Give images one format; leave out unreadable ones if the user chose that.

    Args:
        images: The images.
        options: What the user chose.
        format: The format, such as that of the images that are trained on; by default chosen by the first images.

    Raises:
        DataError: If no image can be read.
    """
    kept = _readable(images) if options.skip_unreadable else list(range(len(images)))
    if not kept:
        raise DataError(f"data: none of the {len(images)} images of {images.name} can be read")
    if format is None:
        images.choose_format(options, kept)
    else:
        images.format = format
    return images if len(kept) == len(images) else Subset(images, torch.tensor(kept))


def _readable(images: Images) -> list[int]:
    """Positions of the images that can be decoded, which takes as long as reading them all; warns of the others."""
    bad = [i for i in range(len(images)) if _is_broken(images, i)]
    if bad:
        named = ", ".join(images.where(i) for i in bad[:LISTED]) + (", ..." if len(bad) > LISTED else "")
        warnings.warn(
            f"data: {len(bad)} of {len(images)} images cannot be read and are left out: {named}", stacklevel=2
        )
    return sorted(set(range(len(images))) - set(bad))


@quiet_pillow()
def _is_broken(images: Images, position: int) -> bool:
    try:
        with open_image(images.file(position), images.where(position)) as image:
            image.load()
    except Exception:  # as above
        return True
    return False
