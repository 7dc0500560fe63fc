"""Random transforms of items, differentiable, with one draw for each item; all but noise see images (B, C, H, W).

`color`, `translation` and `cutout` are those of DiffAugment (Zhao et al., NeurIPS 2020, arXiv 2006.10738), `flip`,
`turn` and `noise` three of ADA's (Karras et al., NeurIPS 2020, arXiv 2006.06676). u is uniform on [0, 1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from allmodes import Noise

NOISE = 0.1
"""Standard deviation of the width of added noise, beside data of size 1."""


def color(x: Tensor, noise: Noise) -> Tensor:
    """Brightness x + u - 1/2; then 2u times the distance from grey (saturation), u + 1/2 times that from the mean."""
    brightness, saturation, contrast = (noise.uniform(name, len(x), 1, 1, 1) for name in "bsc")
    x = x + brightness - 0.5
    grey = x.mean(1, keepdim=True)
    x = grey + 2 * saturation * (x - grey)
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (contrast + 0.5) * (x - mean)


def translation(x: Tensor, noise: Noise) -> Tensor:
    """Shifts by up to an eighth of a side, zeros coming in."""
    for axis in (2, 3):
        most = round(x.shape[axis] / 8)
        shift = (noise.uniform(f"shift{axis}", len(x), 1) * (2 * most + 1)).long() - most  # (B, 1)
        x = _moved(x, torch.arange(x.shape[axis], device=x.device) - shift, axis)
    return x


def cutout(x: Tensor, noise: Noise) -> Tensor:
    """Zeros in a rectangle of half the sides around a random pixel."""
    hidden = torch.ones_like(x[:, :1], dtype=torch.bool)
    for axis in (2, 3):
        side = x.shape[axis]
        centre = (noise.uniform(f"centre{axis}", len(x), 1) * (side + 1)).long()
        start = torch.arange(side, device=x.device) - centre + side // 4  # (B, side)
        hidden = hidden & _along((start >= 0) & (start < side // 2), axis)
    return torch.where(hidden, 0, x)


def flip(x: Tensor, noise: Noise) -> Tensor:
    """Left to right, for every second item."""
    return torch.where(noise.uniform("flip", len(x), 1, 1, 1) < 0.5, x.flip(3), x)


def turn(x: Tensor, noise: Noise) -> Tensor:
    """A random number of quarter turns."""
    times = (4 * noise.uniform("turn", len(x), 1, 1, 1)).long()
    return sum(torch.where(times == i, x.rot90(i, (2, 3)), 0) for i in range(4))  # type: ignore[return-value]


def add_noise(x: Tensor, noise: Noise) -> Tensor:
    """Normal noise of a random width, for items of any shape."""
    width = NOISE * noise.normal("width", len(x), *[1] * (x.dim() - 1)).abs()
    return x + width * noise.normal("noise", *x.shape)


TRANSFORMS: Mapping[str, Callable[[Tensor, Noise], Tensor]] = {
    "color": color, "translation": translation, "cutout": cutout, "flip": flip, "turn": turn, "noise": add_noise
}  # fmt: skip


def _moved(x: Tensor, sources: Tensor, axis: int) -> Tensor:
    """Rows or columns from other places (B, side), zeros from outside."""
    inside = (sources >= 0) & (sources < x.shape[axis])
    index = _along(sources.clamp(0, x.shape[axis] - 1), axis).expand(x.shape)
    return torch.where(_along(inside, axis), x.gather(axis, index), 0)


def _along(values: Tensor, axis: int) -> Tensor:
    """Values (B, side) along an axis of images."""
    return values[:, None, :, None] if axis == 2 else values[:, None, None, :]
