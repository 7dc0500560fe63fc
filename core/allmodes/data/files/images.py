"""Images as files hold them, decoded one by one to bytes of one size and number of channels."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from allmodes.data.base import DataError
from allmodes.data.files.source import Items, ItemSource, Subset
from allmodes_schemas import Shape

Channels: TypeAlias = Literal["auto", "rgb", "grey"]
File: TypeAlias = Path | bytes
Pixels: TypeAlias = np.ndarray[Any, np.dtype[np.uint8]]

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM")
"""What Pillow may read: all are pixels, none is a program such as EPS."""
SUFFIXES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".jpe",
    ".jfif",
    ".jif",
    ".webp",
    ".bmp",
    ".dib",
    ".gif",
    ".tif",
    ".tiff",
    ".pbm",
    ".pgm",
    ".ppm",
    ".pnm",
)
KINDS = "png, jpg, jpeg, jfif, webp, bmp, gif, tif, pgm, ppm"
GREY = ("1", "L", "LA", "La")
COLOUR = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
ORIENTATION = 0x0112
"""EXIF tag: 5 to 8 are turned by a quarter."""
FIRST = 100
"""Images, about, whose headers decide whether all are grey."""
DECODED = 2**20
"""Pixels of the largest image that is decoded to see whether it is transparent."""
LISTED = 3
"""Unreadable images that a warning names."""


@dataclass(frozen=True)
class ImageFormat:
    """What all images are made alike to.

    Attributes:
        grey: One channel, not three.
        size: Height and width in pixels to resize to (bilinear, antialiased), or None to take images as they are.
        crop: Whether the central square is resized, or the whole image stretched to a square.
        pixels: Width and height of the first image, which all have where no size is given.
        first: The image that decided, named where another differs.
        chosen: Whether the user chose the channels.
    """

    grey: bool
    size: int | None
    crop: bool
    pixels: tuple[int, int]
    first: str
    chosen: bool

    @property
    def shape(self) -> Shape:
        """Channels, height, width."""
        width, height = (self.size, self.size) if self.size else self.pixels
        return (1 if self.grey else 3, height, width)

    def check(self, image: Image.Image, where: str) -> None:
        """Refuse an image that cannot be made alike."""
        if not self.size and (pixels := _upright(image)) != self.pixels:
            sizes = f"{self.first} has {_times(self.pixels)} px but {where} has {_times(pixels)} px"
            raise DataError(f"data: {sizes}: set size, to which all are resized")
        if self.grey and not self.chosen and image.mode not in GREY:
            raise DataError(f"data: {where} is in colour but {self.first} is grey: set channels to rgb or grey")

    def apply(self, image: Image.Image) -> Image.Image:
        """Turn upright, convert, crop, resize."""
        if _orientation(image) != 1:
            ImageOps.exif_transpose(image, in_place=True)
        image = image.convert("L" if self.grey else "RGB")
        if not self.size or image.size == (self.size, self.size):
            return image
        if self.crop:
            image = _central_square(image)
        return image.resize((self.size, self.size), Image.Resampling.BILINEAR)


@dataclass(frozen=True)
class ImageOptions:
    """What the user wants of images."""

    size: int | None = None
    crop: bool = True
    channels: Channels = "auto"
    skip_unreadable: bool = False


class Images(ItemSource):
    """Images whose files a subclass knows. `settle` decides their look, and must come before they are read.

    Attributes:
        look: What all are made alike to.
        notes: What is not learned of them, as far as `settle` saw.
    """

    dtype = torch.uint8
    look: ImageFormat
    notes: tuple[str, ...] = ()

    def file(self, position: int) -> File:
        """The path of an image, or its bytes."""
        raise NotImplementedError(f"{type(self).__name__} does not define file(position)")

    def where(self, position: int) -> str:
        """What messages call an image."""
        raise NotImplementedError(f"{type(self).__name__} does not define where(position)")

    def settle(self, wanted: ImageOptions, positions: Sequence[int]) -> None:
        """Decide from the headers of about a hundred of these images what all are made alike to."""
        grey, sizes, losses = [], [], dict[str, str]()
        for i in positions[:: max(1, len(positions) // FIRST)]:
            with opened(self.file(i), self.where(i)) as image:
                grey.append(image.mode in GREY)
                sizes.append(_upright(image))
                losses |= {lost: self.where(i) for lost in _lost(image) if lost not in losses}
        self.notes = tuple(f"{lost}, as of {where}" for lost, where in losses.items())
        one_channel = all(grey) if wanted.channels == "auto" else wanted.channels == "grey"
        first, chosen = self.where(positions[0]), wanted.channels != "auto"
        self.alike(ImageFormat(one_channel, wanted.size, wanted.crop, sizes[0], first, chosen))

    def alike(self, look: ImageFormat) -> None:
        """Take this look, such as that of the images that are trained on."""
        self.look, self.shape = look, look.shape

    def read(self, positions: Sequence[int]) -> Items:
        """Decode images."""
        x = [decode(self.file(i), self.where(i), self.look) for i in positions]
        return Items(torch.from_numpy(np.stack(x)), self.labels_at(positions))

    def check(self, positions: Iterable[int]) -> None:
        """ImageFormat at the headers."""
        for i in positions:
            with opened(self.file(i), self.where(i)) as image:
                self.look.check(image, self.where(i))


def made_alike(images: Images, wanted: ImageOptions, look: ImageFormat | None = None) -> ItemSource:
    """Images with one look: one that is given, or that of the first; without the unreadable ones if that is wanted.

    Raises:
        DataError: If no image can be read.
    """
    kept = _readable(images) if wanted.skip_unreadable else list(range(len(images)))
    if not kept:
        raise DataError(f"data: none of the {len(images)} images of {images.name} can be read")
    images.settle(wanted, kept) if look is None else images.alike(look)
    return images if len(kept) == len(images) else Subset(images, torch.tensor(kept))


def _readable(images: Images) -> list[int]:
    """Positions of the images that can be decoded, which takes as long as reading them all; the rest is warned of."""
    bad = [i for i in range(len(images)) if broken(images, i)]
    if bad:
        named = ", ".join(images.where(i) for i in bad[:LISTED]) + (", ..." if len(bad) > LISTED else "")
        what = f"data: {len(bad)} of {len(images)} images cannot be read and are left out: {named}"
        warnings.warn(what, stacklevel=2)
    return sorted(set(range(len(images))) - set(bad))


def opened(file: File, where: str) -> Image.Image:
    """An image of which only the header has been read.

    Raises:
        DataError: If it is none, is too large, or has more than 8 bits per channel.
    """
    try:
        image = Image.open(io.BytesIO(file) if isinstance(file, bytes) else file, formats=FORMATS)
    except Exception as error:  # Pillow raises many types for a damaged header
        raise _unreadable(where, error) from None
    if image.width * image.height > (Image.MAX_IMAGE_PIXELS or np.inf):
        image.close()
        raise _too_large(where, f"has {_times(image.size)} px")
    if image.mode not in (*GREY, *COLOUR):
        image.close()
        raise DataError(f"data: {where} has pixels of mode {image.mode}: convert it to 8 bits per channel")
    return image


def decode(file: File, where: str, look: ImageFormat) -> Pixels:
    """An image as bytes (C, H, W).

    Raises:
        DataError: If it cannot be read or made alike.
    """
    with opened(file, where) as image:
        look.check(image, where)
        try:
            pixels = np.array(look.apply(image))
        except Exception as error:  # Pillow raises many types for a damaged image
            raise _unreadable(where, error) from None
    return pixels[None] if look.grey else pixels.transpose(2, 0, 1)


def broken(images: Images, position: int) -> bool:
    """Whether an image cannot be decoded."""
    try:
        with opened(images.file(position), images.where(position)) as image:
            image.load()
    except Exception:  # as above
        return True
    return False


def is_image(file: bytes) -> bool:
    """Whether bytes are those of an image, as far as its header tells."""
    try:
        opened(file, "").close()
    except DataError:
        return False
    return True


def _lost(image: Image.Image) -> Iterator[str]:
    """What an image has and is not learned."""
    try:
        if getattr(image, "is_animated", False) and image.format != "MPO":  # a camera's preview is no loss
            yield "only the first of several frames is learned"
        if image.has_transparency_data and not _is_opaque(image):
            yield "transparency is dropped"
    except Exception:  # a damaged image is named when it is decoded
        return


def _is_opaque(image: Image.Image) -> bool:
    """Whether nothing is seen through an image; large ones are not decoded for that."""
    small = image.width * image.height <= DECODED
    return small and "A" in image.getbands() and image.getchannel("A").getextrema()[0] == 255


def _upright(image: Image.Image) -> tuple[int, int]:
    """Width and height once a camera's orientation is undone."""
    return (image.height, image.width) if _orientation(image) >= 5 else (image.width, image.height)


def _central_square(image: Image.Image) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def _orientation(image: Image.Image) -> int:
    """How the camera was turned: 1 if it was not, or does not say."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # Pillow would decode the whole image to look behind its pixels
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged metadata do not damage the image
        return 1


def unreadable(where: str, why: str) -> DataError:
    """What is said of an image that cannot be read."""
    return DataError(f"data: {where} cannot be read ({why}): repair or remove it, or set skip_unreadable: true")


def _unreadable(where: str, error: Exception) -> DataError:
    if isinstance(error, Image.DecompressionBombError):
        return _too_large(where, "is a decompression bomb or very large")
    return unreadable(where, f"it is none of {KINDS}" if isinstance(error, UnidentifiedImageError) else str(error))


def _too_large(where: str, what: str) -> DataError:
    limit = f"{Image.MAX_IMAGE_PIXELS or 0:,} px"
    return DataError(f"data: {where} {what}; at most {limit} are read: make it smaller, or set skip_unreadable: true")


def _times(pixels: tuple[int, int]) -> str:
    return f"{pixels[0]} x {pixels[1]}"
