"""Configs of metrics of distance between samples and real items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import override

from allmodes.builtin.config.feature_metrics import FeatureMetricConfig, ReferencedConfig
from allmodes_schemas import Key, MetricConfig, Sane

LOWER = Key("lower")


class WassersteinConfig(MetricConfig):
    """Exact 1-Wasserstein distance of samples and held-out items, by optimal transport."""

    kind: Literal["wasserstein"] = "wasserstein"
    samples: int = Field(2500, ge=2, le=20_000)
    """Points on each side at most; time grows as about their 2.5th power, memory as their square."""

    @override
    def numbers(self) -> Mapping[str, Key]:
        return {"w1": Key("lower", label="W1")}

    @override
    def build(self) -> Any:
        from allmodes.metrics import Wasserstein

        return Wasserstein(self.samples)


class FidConfig(ReferencedConfig):
    """Frechet distance of features (FID, when the features are Inception's)."""

    kind: Literal["fid"] = "fid"

    @override
    def names(self) -> Mapping[str, Key]:
        return {"fid": LOWER}

    @override
    def build(self) -> Any:
        from allmodes.metrics import Fid

        return Fid(self.features, self.reference)


class KidConfig(ReferencedConfig):
    """Kernel distance of features: unbiased squared MMD with a cubic kernel."""

    kind: Literal["kid"] = "kid"
    subsets: Annotated[int, Sane(100_000)] = Field(100, ge=1)
    """Random subsets over which mean and standard deviation are taken."""
    size: int = Field(1000, ge=2)
    """Items of a subset, on each side; all, if there are fewer."""

    @override
    def names(self) -> Mapping[str, Key]:
        return {"kid": LOWER, "kid_std": Key()}

    @override
    def build(self) -> Any:
        from allmodes.metrics import Kid

        return Kid(self.features, self.subsets, self.size, self.reference)


class SlicedWassersteinConfig(FeatureMetricConfig):
    """Wasserstein distance along random directions of the features."""

    kind: Literal["sliced_wasserstein"] = "sliced_wasserstein"
    projections: Annotated[int, Sane(100_000)] = Field(1000, ge=1)
    """Random directions."""
    p: Literal[1, 2] = 2
    """Order of the distance."""

    @override
    def names(self) -> Mapping[str, Key]:
        return {f"sliced_w{self.p}": LOWER}

    @override
    def build(self) -> Any:
        from allmodes.metrics import SlicedWasserstein

        return SlicedWasserstein(self.features, self.projections, self.p)


class IvomConfig(MetricConfig):
    """Inference via optimisation: mean error of the best latent for held-out items; the budget is part of it."""

    kind: Literal["ivom"] = "ivom"
    images: Annotated[int, Sane(100_000)] = Field(64, ge=1)
    """Held-out items to reproduce."""
    restarts: Annotated[int, Sane(1000)] = Field(3, ge=1)
    """Draws of the prior from which the search starts; the best counts for each item."""
    iterations: Annotated[int, Sane(100_000)] = Field(100, ge=1)
    """Iterations of L-BFGS at most, from each start."""

    @override
    def numbers(self) -> Mapping[str, Key]:
        return {"ivom": LOWER}

    @override
    def build(self) -> Any:
        from allmodes.metrics import Ivom

        return Ivom(self.images, self.restarts, self.iterations)
