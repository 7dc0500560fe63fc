"""Configs of metrics of diversity: how many different samples there are, and where they are missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import override

from allmodes.builtin.config.feature_metrics import FeatureMetricConfig, ReferencedConfig
from allmodes_schemas import Key

Bandwidth = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class VendiConfig(FeatureMetricConfig):
    """Vendi score: the effective number of different samples, by cosine similarity or distance of features."""

    kind: Literal["vendi"] = "vendi"
    samples: int = Field(2500, ge=2, le=20_000)
    """Samples looked at, at most; time grows as their cube."""
    kernel: Literal["cosine", "gaussian"] = "cosine"
    """What makes samples alike: the angle between their features, or their distance."""
    bandwidth: Bandwidth = 0.5
    """Width of the Gaussian kernel, in median distances between real items."""
    truncate: int | None = Field(None, ge=1)
    """Largest eigenvalues that are kept, so that the score converges as samples grow in number; none: all."""

    @override
    def title(self) -> str:
        return self.key(self._name())

    @override
    def names(self) -> Mapping[str, Key]:
        return {self._name(): Key()}

    def _name(self) -> str:
        return "vendi" if self.truncate is None else "truncated_vendi"

    @override
    def build(self) -> Any:
        from allmodes.metrics import Vendi

        return Vendi(self.features, self.samples, self.kernel, self.bandwidth, self.truncate)


class RkeConfig(FeatureMetricConfig):
    """Renyi kernel entropy: the effective number of modes among the samples, by a Gaussian kernel of features."""

    kind: Literal["rke"] = "rke"
    samples: int = Field(2500, ge=2, le=20_000)
    """Samples looked at, at most; time grows as their square."""
    bandwidth: Bandwidth = 0.5
    """Width of the kernel, in median distances between real items."""

    @override
    def names(self) -> Mapping[str, Key]:
        return {"rke": Key()}

    @override
    def build(self) -> Any:
        from allmodes.metrics import Rke

        return Rke(self.features, self.samples, self.bandwidth)


class DiversityGapConfig(FeatureMetricConfig):
    """How much less diverse samples are than as many held-out items, in nats of Vendi's and of Renyi's entropy."""

    kind: Literal["diversity_gap"] = "diversity_gap"
    samples: int = Field(1000, ge=2, le=20_000)
    """Items looked at on each side, at most; time grows as their cube."""
    bandwidth: Bandwidth = 0.5
    """Width of the kernel, in median distances between real items."""

    @override
    def names(self) -> Mapping[str, Key]:
        return {"vendi_gap": Key(), "rke_gap": Key()}

    @override
    def build(self) -> Any:
        from allmodes.metrics import DiversityGap

        return DiversityGap(self.features, self.samples, self.bandwidth)


class NdbConfig(ReferencedConfig):
    """Share of statistically different bins: cells of k-means that samples fill too seldom or too often."""

    kind: Literal["ndb"] = "ndb"
    bins: int = Field(100, ge=2, le=10_000)
    """Cells of k-means."""
    alpha: float = Field(0.05, gt=0, lt=1)
    """Level of the test of each bin."""
    reference: Literal["held_out", "train"] = "train"
    """Whether the bins and their shares are those of held-out items or of as many of those trained on."""

    @override
    def names(self) -> Mapping[str, Key]:
        return {"ndb": Key("lower", unit="share"), "jsd": Key("lower")}

    @override
    def build(self) -> Any:
        from allmodes.metrics import Ndb

        return Ndb(self.features, self.bins, self.alpha, self.reference)
