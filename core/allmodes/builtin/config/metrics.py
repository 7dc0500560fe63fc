"""Configs of the core's metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes.builtin.config.features import ClassifierConfig, PixelsConfig
from allmodes_schemas import FeatureConfig, Key, MetricConfig, Need, Problem, Sane, Spec

LABELS = Need("labels", remedy="take data with labels")
HIGHER, LOWER, SHARE = Key("higher"), Key("lower"), Key("higher", unit="share")


class ModesConfig(MetricConfig):
    """Modes captured, share of high quality, KL and within-mode variance, for data whose modes are known."""

    kind: Literal["modes"] = "modes"
    needs: ClassVar[tuple[Need, ...]] = (Need("truth", remedy="take data of kind ring, grid, circle or mixture"),)

    @override
    def numbers(self) -> Mapping[str, Key]:
        return {
            "modes": Key("higher", counts=True, label="modes"),
            "high_quality": Key("higher", unit="share", label="high quality"),
            "kl": LOWER,
            "variance_ratio": Key(),
            "high_quality_points": Key(),
            "high_quality_radius": Key(constant=True),
        }

    @override
    def build(self) -> Any:
        from allmodes.metrics import Modes

        return Modes()


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


class ClassCoverageConfig(MetricConfig):
    """Classes among the samples by their nearest training items, and the KL of their shares."""

    kind: Literal["class_coverage"] = "class_coverage"
    needs: ClassVar[tuple[Need, ...]] = (LABELS,)
    items: int = Field(10_000, ge=1)
    """Training items at most among which the nearest is looked for."""

    @override
    def numbers(self) -> Mapping[str, Key]:
        return {"classes": Key("higher", counts=True, label="classes"), "class_kl": LOWER}

    @override
    def build(self) -> Any:
        from allmodes.metrics import ClassCoverage

        return ClassCoverage(self.items)


class ShareConfig(MetricConfig):
    """Share of samples that fall into one mode or class, beside its true share: whether a small one is found."""

    kind: Literal["share"] = "share"
    needs: ClassVar[tuple[Need, ...]] = (LABELS,)
    label: int = Field(ge=0)
    """The mode or class, counted from 0."""
    classifier: ClassifierConfig | None = None
    """Settings of the classifier of classes; none: its defaults. Not used where modes are known."""

    @override
    def title(self) -> str:
        return f"share_{self.label}"

    @override
    def numbers(self) -> Mapping[str, Key]:
        return {f"share_{self.label}": Key(unit="share"), f"true_share_{self.label}": Key(unit="share")}

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        classes = spec.data.classes()
        if classes is not None and self.label >= classes:
            where = (*spec.where(self), "label")
            yield Problem(where, f"the labels of data {spec.data.kind} are 0 to {classes - 1}: take one of them")

    @override
    def build(self) -> Any:
        from allmodes.metrics import Share

        return Share(self.label, self.classifier or ClassifierConfig())


class FeatureMetricConfig(MetricConfig):
    """Base config of the comparisons of samples and real items in a feature space."""

    features: FeatureConfig = PixelsConfig()
    """The feature space, which the names of the numbers end with."""

    def names(self) -> Mapping[str, Key]:
        """The numbers that the metric gives, by key without the title of the features."""
        return {}

    def key(self, name: str) -> str:
        """The key of a number: its name and the title of the features."""
        return f"{name}_{self.features.title()}"

    @override
    def title(self) -> str:
        return self.key(self.kind)

    @override
    def numbers(self) -> Mapping[str, Key]:
        return {self.key(name): key for name, key in self.names().items()}


class ReferencedConfig(FeatureMetricConfig):
    """Base config of the feature metrics that compare with held-out or with training items."""

    reference: Literal["held_out", "train"] = "held_out"
    """Whether samples are compared with held-out items or with as many different ones of those trained on."""


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


class PrecisionRecallConfig(ReferencedConfig):
    """Shares of samples near real items, and of real items near samples, by nearest neighbours of features."""

    kind: Literal["precision_recall"] = "precision_recall"
    k: int = Field(3, ge=1)
    """The neighbour that the ball around an item reaches to."""

    @override
    def names(self) -> Mapping[str, Key]:
        return {"precision": SHARE, "recall": SHARE}

    @override
    def build(self) -> Any:
        from allmodes.metrics import PrecisionRecall

        return PrecisionRecall(self.features, self.k, self.reference)


class DensityCoverageConfig(ReferencedConfig):
    """Density and coverage by nearest neighbours of features, robust to outliers."""

    kind: Literal["density_coverage"] = "density_coverage"
    k: int = Field(5, ge=1)
    """The neighbour that the ball around a real item reaches to."""

    @override
    def names(self) -> Mapping[str, Key]:
        return {"density": Key(), "coverage": SHARE}

    @override
    def build(self) -> Any:
        from allmodes.metrics import DensityCoverage

        return DensityCoverage(self.features, self.k, self.reference)


class ClippedDensityCoverageConfig(ReferencedConfig):
    """Clipped density and coverage: shares of good samples, in which no item counts for more than one."""

    kind: Literal["clipped_density_coverage"] = "clipped_density_coverage"
    k: int = Field(5, ge=1)
    """The neighbour that the ball around a real item reaches to."""

    @override
    def names(self) -> Mapping[str, Key]:
        return {"clipped_density": SHARE, "clipped_coverage": SHARE}

    @override
    def build(self) -> Any:
        from allmodes.metrics import ClippedDensityCoverage

        return ClippedDensityCoverage(self.features, self.k, self.reference)


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
        return {"ndb": Key("lower", unit="share"), "jsd": LOWER}

    @override
    def build(self) -> Any:
        from allmodes.metrics import Ndb

        return Ndb(self.features, self.bins, self.alpha, self.reference)


class MemorisationConfig(FeatureMetricConfig):
    """Distance of samples from the training items over that of held-out items: 1 is no memory, 0 a copy."""

    kind: Literal["memorisation"] = "memorisation"

    @override
    def names(self) -> Mapping[str, Key]:
        return {"memorisation": Key(), "copies": Key(unit="share")}

    @override
    def key(self, name: str) -> str:
        return name if isinstance(self.features, PixelsConfig) else super().key(name)

    @override
    def build(self) -> Any:
        from allmodes.metrics import Memorisation

        return Memorisation(self.features)


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


class ClusteringConfig(MetricConfig):
    """Agreement (accuracy, purity, NMI, ARI) of an auxiliary's clusters of real items with their labels."""

    kind: Literal["clustering"] = "clustering"
    needs: ClassVar[tuple[Need, ...]] = (LABELS,)
    auxiliary: str
    """The auxiliary that maps items to scores of clusters, or to a code."""
    part: int | str | None = None
    """Which part of its output, by position or name; none: the whole."""
    by: Literal["argmax", "kmeans"] = "argmax"
    """A cluster for each score, or k-means with as many clusters as classes."""

    @override
    def title(self) -> str:
        return f"clustering_{self.by}"

    @override
    def numbers(self) -> Mapping[str, Key]:
        keys = {"acc": SHARE, "purity": SHARE, "nmi": HIGHER, "ari": HIGHER}
        return {f"{name}_{self.by}": key for name, key in keys.items()}

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        auxiliary = spec.auxiliaries.get(self.auxiliary)
        where = (*spec.where(self), "auxiliary")
        if auxiliary is None:
            have = ", ".join(spec.auxiliaries) or "none"
            yield Problem(where, f"there is no auxiliary {self.auxiliary!r}: take one of those defined ({have})")
        elif auxiliary.sees != "data":
            yield Problem(where, f"auxiliary {self.auxiliary!r} reads the discriminator's features: take one of data")

    @override
    def build(self) -> Any:
        from allmodes.metrics import Clustering

        return Clustering(self.auxiliary, self.part, self.by)


class ConditionalConfig(MetricConfig):
    """A picture with a row of draws for each mode of the latent, and how pure the modes are."""

    kind: Literal["conditional"] = "conditional"
    needs: ClassVar[tuple[Need, ...]] = (Need("part", "mode", "a prior that has modes"),)
    samples: int = Field(100, ge=2, le=10_000)
    """Draws of each mode."""
    classifier: ClassifierConfig | None = None
    """The classifier that names items where the data's modes are not known; none: the picture alone."""

    @override
    def numbers(self) -> Mapping[str, Key]:
        return {"conditional_purity": SHARE, "conditional_classes": HIGHER}

    @override
    def build(self) -> Any:
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
    ClippedDensityCoverageConfig,
    SlicedWassersteinConfig,
    VendiConfig,
    RkeConfig,
    DiversityGapConfig,
    NdbConfig,
    MemorisationConfig,
    IvomConfig,
    ClusteringConfig,
    ConditionalConfig,
)
