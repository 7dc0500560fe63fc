"""Pixels of arrays: where their channels are, and which values are black and white."""

from __future__ import annotations

from typing import Literal, TypeAlias

from torch import Tensor

from allmodes.data.base import DataError
from allmodes_schemas import Shape

Layout: TypeAlias = Literal["auto", "NHWC", "NCHW"]
Range: TypeAlias = tuple[float, float]

CHANNELS = (1, 3)
BLACK_AND_WHITE = (-1.0, 1.0)
"""Values of black and white in training."""


def has_channels_last(name: str, shape: Shape, layout: Layout) -> bool:
    """Whether images (N, ...) have their channels last: by `layout`, or by 1 or 3 channels.

    Raises:
        DataError: If they could be at either place or at none.
    """
    if layout != "auto" or len(shape) == 3:
        return layout == "NHWC"
    first, last = shape[1] in CHANNELS, shape[3] in CHANNELS
    if first == last:
        raise DataError(f"data: {name} has shape {shape}: set layout to NHWC or NCHW")
    return last


def check_range(name: str, low: float, high: float, given: Range | None) -> None:
    """Check the lowest and highest value of images against a range that is given, or that of floats in [-1, 1].

    Raises:
        DataError: If they lie beyond, or no range is given and none is negative: these are most likely in [0, 1].
    """
    least, most = given or BLACK_AND_WHITE
    if least <= low and high <= most and (given or low < 0):
        return
    have = f"data: {name} has values from {low:g} to {high:g}"
    if given:
        raise DataError(f"{have}, beyond range: [{least:g}, {most:g}]")
    tops = [top for top in (1, 255) if low >= 0 and high <= top]
    guess = f", such as [0, {tops[0]}]" if tops else ""
    remedy = {"range": [0, tops[0]]} if tops else {}
    raise DataError(f"{have}, but images are bytes or floats in [-1, 1]: set range: [low, high]{guess}", remedy)


def rescale(x: Tensor, given: Range | None) -> Tensor:
    """Map a range of values to [-1, 1]."""
    low, high = given or BLACK_AND_WHITE
    return x if (low, high) == BLACK_AND_WHITE else (x - low) * (2 / (high - low)) - 1
