"""Configs of the core's metrics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from allmodes.builtin.config.features import ClassifierConfig, PixelsConfig
from allmodes_schemas import FeatureConfig, MetricConfig, Need, Problem, Sane, Spec


class ModesConfig(MetricConfig):
    """Modes captured, share of high quality, KL and within-mode variance, for mixtures whose modes are known."""

    kind: Literal["modes"] = "modes"
    needs: ClassVar[tuple[Need, ...]] = (Need("truth", remedy="take data of kind ring, grid, circle or mixture"),)

    def build(self) -> Any:
        """The metric."""
        from allmodes.metrics import Modes

        return Modes()


class WassersteinConfig(MetricConfig):
    """Exact 1-Wasserstein distance of samples and held-out items, by optimal transport."""

    kind: Literal["wasserstein"] = "wasserstein"
    samples: int = Field(2500, ge=2, le=20_000)
    """Points on each side at most; time grows as about their 2.5th power, memory as their square."""

    def build(self) -> Any:
        """The metric."""
        from allmodes.metrics import Wasserstein

        return Wasserstein(self.samples)


class ClassCoverageConfig(MetricConfig):
    """Classes among the samples by their nearest training items, and the KL of their shares."""

    kind: Literal["class_coverage"] = "class_coverage"
    needs: ClassVar[tuple[Need, ...]] = (Need("labels", remedy="take data with labels"),)
    items: int = Field(10_000, ge=1)
    """Training items at most among which the nearest is looked for."""

    def build(self) -> Any:
        """The metric."""
        from allmodes.metrics import ClassCoverage

        return ClassCoverage(self.items)


class ShareConfig(MetricConfig):
    """Share of samples that fall into one mode or class, beside its true share: whether a small one is found."""

    kind: Literal["share"] = "share"
    needs: ClassVar[tuple[Need, ...]] = (Need("labels", remedy="take data with labels"),)
    label: int = Field(ge=0)
    """The mode or class, counted from 0."""
    classifier: ClassifierConfig | None = None
    """Settings of the classifier that tells classes apart; none: its defaults. Not used where modes are known."""

    def title(self) -> str:
        """The kind and the label: several may be looked at beside each other."""
        return f"share_{self.label}"

    def check(self, spec: Spec) -> Iterable[Problem]:
        """The label must be one of the data's, where their number is known."""
        classes = spec.data.classes()
        if classes is not None and self.label >= classes:
            where = ("evaluation", "metrics", spec.evaluation.metrics.index(self), "label")
            yield Problem(where, f"the labels of data {spec.data.kind} are 0 to {classes - 1}: take one of them")

    def build(self) -> Any:
        """The metric."""
        from allmodes.metrics import Share

        return Share(self.label, self.classifier or ClassifierConfig())


class FeatureMetricConfig(MetricConfig):
    """A comparison of samples and real items in a feature space: what its kinds share."""

    features: FeatureConfig = PixelsConfig()
    """The feature space, which the names of the numbers end with."""

    def title(self) -> str:
        """The kind and the features: several spaces may be used beside each other."""
        return f"{self.kind}_{self.features.title()}"


class ReferencedConfig(FeatureMetricConfig):
    """A feature metric that may compare with either split: what its kinds share."""

    reference: Literal["held_out", "train"] = "held_out"
    """Whether samples are compared with held-out items or with as many of those trained on."""


class FidConfig(ReferencedConfig):
    """Frechet distance of features (FID, when the features are Inception's)."""

    kind: Literal["fid"] = "fid"

    def build(self) -> Any:
        """The metric."""
        from allmodes.metrics import Fid

        return Fid(self.features, self.reference)


class KidConfig(ReferencedConfig):
    """Kernel distance of features: unbiased squared MMD with a cubic kernel."""

    kind: Literal["kid"] = "kid"
    subsets: Annotated[int, Sane(100_000)] = Field(100, ge=1)
    """Random subsets over which mean and standard deviation are taken."""
    size: int = Field(1000, ge=2)
    """Items of a subset, on each side; all, if there are fewer."""

    def build(self) -> Any:
        """The metric."""
        from allmodes.metrics import Kid

        return Kid(self.features, self.subsets, self.size, self.reference)


class PrecisionRecallConfig(ReferencedConfig):
    """Shares of samples near real items, and of real items near samples, by nearest neighbours of features."""

    kind: Literal["precision_recall"] = "precision_recall"
    k: int = Field(3, ge=1)
    """The neighbour that the ball around an item reaches to."""

    def build(self) -> Any:
        """The metric."""
        from allmodes.metrics import PrecisionRecall

        return PrecisionRecall(self.features, self.k, self.reference)


class DensityCoverageConfig(ReferencedConfig):
    """Density and coverage by nearest neighbours of features, robust to outliers."""

    kind: Literal["density_coverage"] = "density_coverage"
    k: int = Field(5, ge=1)
    """The neighbour that the ball around a real item reaches to."""

    def build(self) -> Any:
        """The metric."""
        from allmodes.metrics import DensityCoverage

        return DensityCoverage(self.features, self.k, self.reference)


class SlicedWassersteinConfig(FeatureMetricConfig):
    """Wasserstein distance along random directions of the features."""

    kind: Literal["sliced_wasserstein"] = "sliced_wasserstein"
    projections: Annotated[int, Sane(100_000)] = Field(1000, ge=1)
    """Random directions."""
    p: Literal[1, 2] = 2
    """Order of the distance."""

    def build(self) -> Any:
        """The metric."""
        from allmodes.metrics import SlicedWasserstein

        return SlicedWasserstein(self.features, self.projections, self.p)


class VendiConfig(FeatureMetricConfig):
    """Vendi score: the effective number of different samples, by cosine similarity of features."""

    kind: Literal["vendi"] = "vendi"
    samples: int = Field(2500, ge=2, le=20_000)
    """Samples looked at, at most."""

    def build(self) -> Any:
        """The metric."""
        from allmodes.metrics import Vendi

        return Vendi(self.features, self.samples)


class IvomConfig(MetricConfig):
    """Inference via optimisation: mean error of the best latent for held-out items; the budget is part of it."""

    kind: Literal["ivom"] = "ivom"
    images: Annotated[int, Sane(100_000)] = Field(64, ge=1)
    """Held-out items to reproduce."""
    restarts: Annotated[int, Sane(1000)] = Field(3, ge=1)
    """Draws of the prior from which the search starts; the best counts for each item."""
    iterations: Annotated[int, Sane(100_000)] = Field(100, ge=1)
    """Iterations of L-BFGS at most, from each start."""

    def build(self) -> Any:
        """The metric."""
        from allmodes.metrics import Ivom

        return Ivom(self.images, self.restarts, self.iterations)


class ClusteringConfig(MetricConfig):
    """Agreement (accuracy, purity, NMI, ARI) of an auxiliary's clusters of real items with their labels."""

    kind: Literal["clustering"] = "clustering"
    needs: ClassVar[tuple[Need, ...]] = (Need("labels", remedy="take data with labels"),)
    auxiliary: str
    """The auxiliary that maps items to scores of clusters, or to a code."""
    part: int | str | None = None
    """Which part of its output, by position or name; none: the whole."""
    by: Literal["argmax", "kmeans"] = "argmax"
    """A cluster for each score, or k-means with as many clusters as classes."""

    def title(self) -> str:
        """The kind and how clusters are made."""
        return f"clustering_{self.by}"

    def check(self, spec: Spec) -> Iterable[Problem]:
        """The auxiliary must be there, and see items."""
        auxiliary = spec.auxiliaries.get(self.auxiliary)
        where = ("evaluation", "metrics", spec.evaluation.metrics.index(self), "auxiliary")
        if auxiliary is None:
            have = ", ".join(spec.auxiliaries) or "none"
            yield Problem(where, f"there is no auxiliary {self.auxiliary!r}: take one of those defined ({have})")
        elif auxiliary.sees != "data":
            yield Problem(where, f"auxiliary {self.auxiliary!r} reads the discriminator's features: take one of data")

    def build(self) -> Any:
        """The metric."""
        from allmodes.metrics import Clustering

        return Clustering(self.auxiliary, self.part, self.by)


class ConditionalConfig(MetricConfig):
    """A picture with a row of draws for each mode of the latent, and how pure the modes are."""

    kind: Literal["conditional"] = "conditional"
    needs: ClassVar[tuple[Need, ...]] = (Need("part", "mode", "a prior that has modes"),)
    samples: int = Field(100, ge=2, le=10_000)
    """Draws of each mode."""
    classifier: ClassifierConfig | None = None
    """What names items, where the data's modes are not known; none: the picture alone."""

    def build(self) -> Any:
        """The metric."""
        from allmodes.metrics import Conditional

        return Conditional(self.samples, self.classifier)


KINDS: tuple[type[MetricConfig], ...] = (
    ModesConfig,
    WassersteinConfig,
    ClassCoverageConfig,
    ShareConfig,
    FidConfig,
    KidConfig,
    PrecisionRecallConfig,
    DensityCoverageConfig,
    SlicedWassersteinConfig,
    VendiConfig,
    IvomConfig,
    ClusteringConfig,
    ConditionalConfig,
)
