"""Blocks: many batches that are drawn or gathered by one call, so that a batch costs little more than a slice."""

from __future__ import annotations

import math

import torch

from allmodes.data.batch import Batch
from allmodes_schemas import Shape

BYTES = 2**18
"""Size of a block, unless one batch is larger: it stays in a processor's cache, and of images a block is no gain."""

BATCHES = 64
"""Batches of a block: with so many a call's own cost no longer counts, and a slow simulator is not far ahead."""


def batches_of_block(shape: Shape, batch_size: int) -> int:
    """How many batches of items of a shape, each with a label and a position, make a block; at least one."""
    item = 4 * math.prod(shape) + 16
    return max(1, min(BATCHES, BYTES // (batch_size * item)))


def split(block: Batch, batch_size: int) -> list[Batch]:
    """Cut a block, with its labels, positions and streams, into batches, which share its memory."""
    if len(block.x) == batch_size:
        return [block]
    # To autograd the items must not be views, or nobody could write into one batch of several.
    x = [part.data for part in torch.split(block.x, batch_size)]
    labels, index = ([None] * len(x) if t is None else torch.split(t, batch_size) for t in (block.labels, block.index))
    if not block.streams:
        return [Batch(*parts) for parts in zip(x, labels, index, strict=True)]
    cut = {name: split(stream, len(stream.x) * batch_size // len(block.x)) for name, stream in block.streams.items()}
    streams = [dict(zip(cut, batches, strict=True)) for batches in zip(*cut.values(), strict=True)]
    return [Batch(*parts) for parts in zip(x, labels, index, streams, strict=True)]
