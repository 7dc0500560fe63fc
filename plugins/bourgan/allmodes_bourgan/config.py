"""Settings of BourGAN's prior, loss and metric."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PositiveFloat, WithJsonSchema
from typing_extensions import override

from allmodes import FeatureConfig, ItemsConfig, Key, LossTermConfig, MetricConfig, PriorConfig, Problem, Ramp, Spec

METRICS = ("l2", "l1", "linf", "cosine")
MOST = 4096
"""Items that are embedded where nobody says how many, if there are so many."""


def _check_name(metric: str) -> str:
    name = metric.removeprefix("python:")
    if metric not in METRICS and (name == metric or not name.isidentifier()):
        raise ValueError(f"should be {', '.join(METRICS)}, or python:name for a function of yours, got {metric!r}")
    return metric


DistanceName = Annotated[
    str,
    AfterValidator(_check_name),
    WithJsonSchema({"anyOf": [{"enum": list(METRICS)}, {"type": "string", "pattern": r"^python:\w+$"}]}),
]
"""A metric of faiss, or `python:name`: a function that was passed to `Experiment` as `functions={"name": ...}`."""


def check_groups(
    prior: PriorConfig, spec: Spec, option: str, groups: int | None, subsample: int | None
) -> Iterator[Problem]:
    """Problems of more groups of items than there are items to group: those drawn, or those of the data."""
    items = getattr(spec.data, "items", None)
    known = {"subsample": subsample, "data.items": items if isinstance(items, int) else None}
    most, what = min(((n, name) for name, n in known.items() if n is not None), default=(None, ""))
    if groups is not None and most is not None and groups > most:
        message = f"{groups} {option} of {most} items ({what}): set {most} or fewer"
        yield Problem((*spec.where(prior), option), message)


class MetricMixtureConfig(PriorConfig):
    """Gaussians around items that are embedded into L2; the data and their metric decide the latent's dimension."""

    kind: Literal["bourgan.metric_mixture"] = "bourgan.metric_mixture"
    subsample: int | None = Field(None, ge=2)
    """Items to embed, drawn uniformly; by default 4096, or all where there are fewer."""
    metric: DistanceName = "l2"
    """Distance of the features: `l2`, `l1`, `linf`, `cosine` (the chord between directions), or `python:name`."""
    features: FeatureConfig = ItemsConfig()
    """The features between which distances are taken."""
    variant: Literal["official", "theory"] = "official"
    """`official`: 5 subsets a scale, coordinates centred and of unit variance on average, as in the authors' code;
    `theory`: log2(m) subsets a scale, scaled so that no distance shrinks."""
    sets_per_scale: int | None = Field(None, ge=1)
    """Subsets for each of the ceil(log2 m) scales, in place of the variant's number."""
    projection: int | None = Field(None, ge=1)
    """Dimensions of a random projection of the embedding (Johnson-Lindenstrauss); none: all coordinates are kept."""
    std: Literal["auto", "neighbours"] | Annotated[float, Field(ge=0)] = "auto"
    """Standard deviation around each embedded point, in every dimension, as a share of the embedding's spread (root
    mean square of its centred coordinates: 1 in `official`). The official code has 0.01 for its grid, and had 0.1;
    `auto`: 0.1, or less where that would reach beyond nearest neighbours or swamp clusters; `neighbours`: of each point
    its own, as far as its 10th neighbour is."""
    modes: int | None = Field(None, ge=1)
    """Clusters of the embedding, by k-means, which become the latent part `mode`; none: no such part."""
    items: bool = False
    """Whether the latent tells the item whose point it was drawn around, and the local scale of the items there, as
    parts `item` and `scale`; they are kept, and exported, with the model."""

    @property
    @override
    def offers(self) -> tuple[str, ...]:
        return ("weights",) if self.modes else ()

    @override
    def parts(self) -> Mapping[str, int | None]:
        of_items = {"item": None, "scale": None} if self.items else {}
        return {"code": None} | ({"mode": self.modes} if self.modes else {}) | of_items

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        return check_groups(self, spec, "modes", self.modes, self.subsample or MOST)

    @override
    def build(self) -> Any:
        from allmodes_bourgan.fit import EmbeddingOptions
        from allmodes_bourgan.model import MetricMixture

        options = {name: getattr(self, name) for name in EmbeddingOptions._fields}
        return MetricMixture(EmbeddingOptions(**options))


class DistanceConfig(LossTermConfig):
    """Keeps the logarithms of distances between generated items equal to those between their latents."""

    kind: Literal["bourgan.distance"] = "bourgan.distance"
    weight: float | Ramp = 0.1
    """beta; 0.1 in the official code."""
    metric: Literal["l2", "l1"] = "l2"
    """Distance of the generated items' features."""
    features: FeatureConfig = ItemsConfig()
    """The features between which distances are taken; gradients flow through them."""
    scale: Literal["auto", "max", "sqrt_max", "mean_log"] | PositiveFloat = "auto"
    """s, the size of data distances over latent ones: the largest ratio of the prior's embedding (`max`, the theory's),
    its root (`sqrt_max`, the official code's), such that logarithms agree on average (`mean_log`, for any prior), or a
    number; `auto`: `max` with a metric mixture, else `mean_log`."""
    pairs: Literal["two_batches", "within"] = "two_batches"
    """Each latent with one of a second, independent batch (the official code's), or all pairs within the batch."""

    @override
    def check(self, spec: Spec) -> Iterable[Problem]:
        # Only an embedding has extremes.
        if self.scale in ("max", "sqrt_max") and not isinstance(spec.prior, MetricMixtureConfig):
            where = (*spec.where(self), "scale")
            asks = f"scale {self.scale} is that of an embedding, and prior {spec.prior.kind} has none"
            yield Problem(where, f"{asks}: take mean_log, or prior: {{kind: bourgan.metric_mixture}}")

    @override
    def build(self) -> Any:
        from allmodes_bourgan.model import DistanceLoss

        return DistanceLoss(self.metric, self.features, self.scale, self.pairs)


class DistancesConfig(MetricConfig):
    """How far the logarithms of samples' pairwise distances are from the data's, with a figure of both."""

    kind: Literal["bourgan.distances"] = "bourgan.distances"
    metric: Literal["l2", "l1", "linf", "cosine"] = "l2"
    """Distance of the items' features."""
    features: FeatureConfig = ItemsConfig()
    """The features between which distances are taken."""
    samples: int = Field(2000, ge=3, le=20_000)
    """Items on each side at most, of which all pairs are looked at."""

    @override
    def title(self) -> str:
        plain = (self.metric, self.features.title()) == ("l2", "items")
        return "log_distances" if plain else f"log_distances_{self.metric}_{self.features.title()}"

    def key(self) -> str:
        """The key of its number: `log_distance_w1`, with the metric and the features where the title has them."""
        return self.title().replace("distances", "distance_w1", 1)

    @override
    def numbers(self) -> Mapping[str, Key]:
        return {self.key(): Key("lower")}

    @override
    def build(self) -> Any:
        from allmodes_bourgan.metrics import LogDistances

        return LogDistances(self.key(), self.metric, self.features, self.samples)
