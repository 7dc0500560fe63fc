"""Batches of real items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """Real items: x (B, *shape), labels (B,) and index (B,) where the data have them, and further named streams."""

    x: Tensor
    labels: Tensor | None = None
    index: Tensor | None = None
    streams: Mapping[str, Batch] = field(default_factory=dict)
