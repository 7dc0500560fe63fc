"""Image files: opened, checked and decoded by Pillow."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, UnidentifiedImageError

from allmodes.data.base import DataError

File: TypeAlias = Path | bytes

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM")
"""Formats that Pillow may read: all are pixels, none is a program such as EPS."""
KINDS = "png, jpg, jpeg, jfif, webp, bmp, gif, tif, pgm, ppm"
SUFFIXES = tuple(f".{kind}" for kind in (*KINDS.split(", "), "jpe", "jif", "dib", "tiff", "pbm", "pnm"))
GREY = ("1", "L", "LA", "La")
COLOUR = ("P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")
ORIENTATION = 0x0112
"""EXIF tag: 5 to 8 are turned by a quarter."""
DECODED = 2**20
"""Pixels of the largest image that is decoded to see whether it is transparent."""


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Without Pillow's own warnings within the block: `find_losses` says what is lost of an image, errors the rest."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\b")
        yield


@quiet_pillow()
def open_image(file: File, where: str) -> Image.Image:
    """Open an image and read its header.

    Raises:
        DataError: If it is not an image, is too large, or has more than 8 bits per channel.
    """
    try:
        image = Image.open(io.BytesIO(file) if isinstance(file, bytes) else file, formats=FORMATS)
    except Exception as error:  # Pillow raises many types for a damaged header
        raise explain(where, error) from None
    try:
        if image.width * image.height > (Image.MAX_IMAGE_PIXELS or np.inf):
            raise _too_large(where, f"has {times(image.size)} px")
        check_mode(image, where)
    except DataError:
        image.close()
        raise
    return image


def check_mode(image: Image.Image, where: str) -> None:
    """Check that an image has 8 bits per channel, as far as its mode shows.

    Raises:
        DataError: If it has others.
    """
    if image.mode not in (*GREY, *COLOUR):
        raise DataError(f"data: {where} has pixels of mode {image.mode}: convert it to 8 bits per channel")


def is_image(file: bytes) -> bool:
    """Whether bytes are those of an image, as far as its header shows."""
    try:
        open_image(file, "").close()
    except DataError:
        return False
    return True


def find_losses(image: Image.Image) -> Iterator[str]:
    """Find what an image has that is not learned."""
    try:
        if getattr(image, "is_animated", False) and image.format != "MPO":  # a camera's preview is no loss
            yield "only the first of several frames is learned"
        if image.has_transparency_data and not _is_opaque(image):
            yield "transparency is dropped"
    except Exception:  # a damaged image is named when it is decoded
        return


@quiet_pillow()
def orientation(image: Image.Image) -> int:
    """EXIF orientation of the camera: 1 if it was upright, or is unknown."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # Pillow would decode the whole image to look behind its pixels
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged metadata do not damage the image
        return 1


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height once a camera's orientation is undone."""
    return (image.height, image.width) if orientation(image) >= 5 else (image.width, image.height)


def explain(where: str, error: Exception) -> DataError:
    """The error for an image that Pillow cannot read."""
    if isinstance(error, Image.DecompressionBombError):
        return _too_large(where, "is a decompression bomb or very large")
    return unreadable(where, f"it is none of {KINDS}" if isinstance(error, UnidentifiedImageError) else str(error))


def unreadable(where: str, why: str) -> DataError:
    """The error for an image that cannot be read."""
    what = f"data: {where} cannot be read ({why}): repair or remove it, or set skip_unreadable: true"
    return DataError(what, {"skip_unreadable": True})


def times(pixels: tuple[int, int]) -> str:
    """`640 x 480`."""
    return f"{pixels[0]} x {pixels[1]}"


@quiet_pillow()
def _is_opaque(image: Image.Image) -> bool:
    """Whether an image is opaque although it has an alpha channel; large ones are not decoded for that."""
    small = image.width * image.height <= DECODED
    return small and "A" in image.getbands() and image.getchannel("A").getextrema()[0] == 255


def _too_large(where: str, what: str) -> DataError:
    limit = f"{Image.MAX_IMAGE_PIXELS or 0:,} px"
    have = f"data: {where} {what}; at most {limit} are read: make it smaller, or set skip_unreadable: true"
    return DataError(have, {"skip_unreadable": True})
