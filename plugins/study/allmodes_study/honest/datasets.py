"""The data of the honest study: at a scale of about 1, 8,192 training items each, fresh items to measure with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Dataset:
    """Data, with what `allmodes suggest` compares other data with.

    Attributes:
        description: One line.
        block: The slot `data` of a spec.
        modes: Number of modes, which some methods are told.
        dims: Number of coordinates.
        weight_ratio: Weight of the commonest mode over that of the rarest.
        width_ratio: Width of the widest mode over that of the narrowest.
        curved: Whether modes are pieces of curves rather than round.
    """

    description: str
    block: Mapping[str, Any]
    modes: int
    dims: int = 2
    weight_ratio: float = 1.0
    width_ratio: float = 1.0
    curved: bool = False


MIXTURE = "benchmarks.mixture"
TUNING = Dataset("16 Gaussians at random places in the plane", {"kind": MIXTURE, "seed": 1}, 16)
"""The only data that settings are chosen on."""
DATA: Mapping[str, Dataset] = {
    "grid": Dataset("25 Gaussians on a grid", {"kind": "grid", "spacing": 0.5, "std": 0.0125, "items": 8192}, 25),
    "ten": Dataset("16 Gaussians at random places in ten dimensions", {"kind": MIXTURE, "dims": 10}, 16, dims=10),
    "arcs": Dataset("4 thin half circles in the plane, in 16 pieces", {"kind": "benchmarks.arcs"}, 16, curved=True),
    "uneven": Dataset(
        "16 Gaussians in the plane, the commonest 30 times as common as the rarest, the widest 4 times as wide",
        {"kind": MIXTURE, "width_ratio": 4, "weight_ratio": 30},
        16,
        weight_ratio=30,
        width_ratio=4,
    ),
    "ring": Dataset("8 Gaussians on a ring", {"kind": "ring", "items": 8192}, 8),
}
"""What methods are compared on in this order, with the settings that were chosen on `TUNING`."""
