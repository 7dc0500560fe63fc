"""What is measured of a model of the user's data: metrics that see missing modes, and how often."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from allmodes.data.finite import FiniteData

SAMPLES, TRANSPORTED = 2500, 1000
TIMES = 4
"""Evaluations in a run."""
CONV = {"kind": "random_conv"}


def metrics_for(data: FiniteData) -> Iterator[tuple[Any, str]]:
    """Metrics for data, each with what it shows."""
    if len(data.shape) == 3:
        yield {"kind": "density_coverage", "features": CONV}, "coverage falls with every image that is missing"
        yield {"kind": "kid", "features": CONV}, "distance of features: less is better, 0 is best"
    else:
        yield {"kind": "wasserstein", "samples": TRANSPORTED}, "distance from held-out rows: less is better"
        yield "density_coverage", "coverage falls with every region that is missing"
    if data.classes:
        yield "class_coverage", "classes among the samples, and whether their shares are right"
    yield "memorisation", "1: no memory of the training items; 0: copies, which the others call good"


def evaluation_of(data: FiniteData, iterations: int) -> dict[str, Any]:
    """How often is measured, and with how many samples: not more than real items, which would be drawn twice."""
    return {"every": max(1, iterations // TIMES), "samples": max(2, min(SAMPLES, data.test_items))}
