"""The numbers that are checked: what each judges, and how its values become goodness, 1 for real data."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from allmodes import (
    ClassCoverageConfig,
    ClippedDensityCoverageConfig,
    DensityCoverageConfig,
    DiversityGapConfig,
    FidConfig,
    KidConfig,
    MemorisationConfig,
    MetricConfig,
    ModesConfig,
    NdbConfig,
    PrecisionRecallConfig,
    RkeConfig,
    SlicedWassersteinConfig,
    VendiConfig,
    WassersteinConfig,
)

Role = Literal["fidelity", "diversity", "both"]


@dataclass(frozen=True)
class Number:
    """A number.

    Attributes:
        role: What it judges; `both` where it compares distributions as wholes.
        scale: `value` where real data score 1 and the worst 0 as it is, `inverse` where 0 and 1, `gap` for a logarithm
            of the goodness, `ratio` where it is compared with real data's own score, `distance` where it has no bound:
            its goodness is 1 at real data's own score and 0 at the worst of a sweep.
    """

    role: Role
    scale: Literal["value", "inverse", "nats", "gap", "ratio", "distance"]

    def goodness(self, values: Sequence[float], real: Sequence[float]) -> list[float]:
        """Convert the values along a sweep, given real data's own at each point."""
        pairs = list(zip(values, real, strict=True))
        worst = max((value - own for value, own in pairs if math.isfinite(value - own)), default=0.0)
        convert = {
            "value": lambda v, own: v,
            "inverse": lambda v, own: 1 - v,
            "nats": lambda v, own: 1 - v / math.log(2),
            "gap": lambda v, own: math.exp(-v),
            "ratio": lambda v, own: v / own if own else math.nan,
            "distance": lambda v, own: 1 - (v - own) / worst if worst > 0 else 1.0,
        }[self.scale]
        return [convert(value, own) for value, own in pairs]

    @property
    def bounded(self) -> bool:
        """Whether the worst value is known."""
        return self.scale != "distance"


NUMBERS: Mapping[str, Number] = {
    "precision_items": Number("fidelity", "value"),
    "density_items": Number("fidelity", "value"),
    "clipped_density_items": Number("fidelity", "value"),
    "high_quality": Number("fidelity", "ratio"),
    "recall_items": Number("diversity", "value"),
    "coverage_items": Number("diversity", "value"),
    "clipped_coverage_items": Number("diversity", "value"),
    "vendi_items": Number("diversity", "ratio"),
    "truncated_vendi_items": Number("diversity", "ratio"),
    "rke_items": Number("diversity", "ratio"),
    "vendi_gap_items": Number("diversity", "gap"),
    "rke_gap_items": Number("diversity", "gap"),
    "modes": Number("diversity", "ratio"),
    "kl": Number("diversity", "distance"),
    "classes": Number("diversity", "ratio"),
    "class_kl": Number("diversity", "distance"),
    "fid_items": Number("both", "distance"),
    "kid_items": Number("both", "distance"),
    "w1": Number("both", "distance"),
    "sliced_w2_items": Number("both", "distance"),
    "ndb_items": Number("both", "inverse"),
    "jsd_items": Number("both", "nats"),
}

ANY: Sequence[MetricConfig] = (
    PrecisionRecallConfig(), DensityCoverageConfig(), ClippedDensityCoverageConfig(), FidConfig(),
    KidConfig(subsets=10), WassersteinConfig(samples=500), SlicedWassersteinConfig(projections=100), VendiConfig(),
    VendiConfig(samples=500, kernel="gaussian", truncate=50), RkeConfig(), DiversityGapConfig(samples=500),
    NdbConfig(bins=50),
)  # fmt: skip
"""Metrics of all data."""

OF_MODES: Sequence[MetricConfig] = (ModesConfig(), ClassCoverageConfig())
"""Metrics of data whose modes are known."""

OF_MEMORY: Sequence[MetricConfig] = (MemorisationConfig(),)
"""Metrics that the checks of the paper say nothing of; a copy is theirs to see."""
