"""Configs of metrics of modes and classes: which are there, how often, and how pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from allmodes.builtin.config.features import ClassifierConfig
from allmodes_schemas import Key, MetricConfig, Need, Problem, Spec

LABELS = Need("labels", remedy="take data with labels")
HIGHER, LOWER, SHARE = Key("higher"), Key("lower"), Key("higher", unit="share")


class ModesConfig(MetricConfig):
    """Modes captured, share of high quality, KL and within-mode variance, for data whose modes are known."""

    kind: Literal["modes"] = "modes"
    needs: ClassVar[tuple[Need, ...]] = (Need("truth"),)

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
