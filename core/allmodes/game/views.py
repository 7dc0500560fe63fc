"""What the discriminator sees: views of further items, items packed side by side, points between real and generated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

SIDES = ("real", "fake", "between")
"""The sides of every step."""
Made: TypeAlias = Tensor | Callable[[], Tensor]
"""A tensor, or a function that makes it when it is first asked for."""


class View(NamedTuple):
    """Items (B, *shape) to judge beside real and generated ones, and their code (B, code_dim) where it is given."""

    items: Made
    code: Made | None


def find_view(views: Mapping[str, View], side: str) -> View:
    """The view of a name. Raises LookupError where there is none."""
    if side == "between":
        raise LookupError("the points 'between' are made of what the discriminator sees: ask for step.seen('between')")
    if side not in views:
        known = ", ".join((*SIDES, *views))
        raise LookupError(f"there is no side {side!r}: there are {known}, and step.view(name, items) returns a new one")
    return views[side]


def make(value: Made) -> Tensor:
    """The tensor, made now where it is a function's."""
    return value if isinstance(value, Tensor) else value()


def pack(items: Tensor, size: int) -> Tensor:
    """Join `size` consecutive items along the first axis of an item: (B, c, ...) to (B/size, size*c, ...).

    Raises ValueError where B is no multiple of size.
    """
    if len(items) % size:
        raise ValueError(f"{len(items)} items cannot be judged {size} at a time (discriminator.pack): take a multiple")
    return items if size == 1 else items.reshape(len(items) // size, size * items.shape[1], *items.shape[2:])


def interpolate(real: tuple[Tensor, ...], fake: tuple[Tensor, ...], t: Tensor) -> tuple[Tensor, ...]:
    """Points between two views (B/pack, ...), with one t in [0, 1) for each score (B/pack,): fake at 0, real at 1."""
    pairs = zip(real, fake, strict=True)
    return tuple([torch.lerp(f, r, t.reshape(-1, *[1] * (r.dim() - 1))) for r, f in pairs])
