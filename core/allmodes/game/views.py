"""What the discriminator sees: items packed side by side, and points between real and generated ones."""

from __future__ import annotations

import torch
from torch import Tensor


def pack(items: Tensor, size: int) -> Tensor:
    """Join `size` consecutive items along the first axis of an item: (B, c, ...) to (B/size, size*c, ...)."""
    return items if size == 1 else items.reshape(len(items) // size, size * items.shape[1], *items.shape[2:])


def interpolate(real: tuple[Tensor, ...], fake: tuple[Tensor, ...], t: Tensor) -> tuple[Tensor, ...]:
    """Points between two views (B/pack, ...), with one t in [0, 1) for each score (B/pack,): fake at 0, real at 1."""
    pairs = zip(real, fake, strict=True)
    return tuple([torch.lerp(f, r, t.reshape(-1, *[1] * (r.dim() - 1))) for r, f in pairs])
