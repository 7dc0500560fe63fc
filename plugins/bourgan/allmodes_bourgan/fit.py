"""The fit of a metric mixture: draw items, embed them, cluster them, and measure how well distances are kept."""

from __future__ import annotations

import logging
import math
import time
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from allmodes import (
    Data,
    DataError,
    FeatureConfig,
    Fitting,
    Functions,
    ItemsConfig,
    extract_features,
    free_memory,
    training_items,
)
from allmodes_bourgan import distances, embedding, neighbours, width
from allmodes_bourgan.distances import Distance
from allmodes_bourgan.embedding import Ratios

LOGGER = logging.getLogger("allmodes.bourgan")
KIND = "bourgan.metric_mixture"

DEFAULT = 4096
"""Items that are embedded by default."""
PAIRED = 4096
"""Largest number of items of which all pairs are compared."""


class EmbeddingOptions(NamedTuple):
    """How items are drawn and embedded; `MetricMixtureConfig` describes each option."""

    subsample: int | None = None
    metric: str = "l2"
    features: FeatureConfig = ItemsConfig()
    variant: Literal["official", "theory"] = "official"
    sets_per_scale: int | None = None
    projection: int | None = None
    std: float | Literal["auto", "neighbours"] = "auto"
    modes: int | None = None
    items: bool = False

    @property
    def function(self) -> str | None:
        """Name of a distance from Python, or None for one of faiss."""
        return self.metric.removeprefix("python:") if self.metric.startswith("python:") else None


class Fitted(NamedTuple):
    """A fitted metric mixture.

    Attributes:
        points: Embedded items (m, dim), ordered by mode.
        edges: Where each mode begins among the points, and where the last one ends (modes + 1,).
        width: Standard deviation around each point, in the points' units.
        ratios: How the points keep distances.
        drawn: How draws around the points, with the mixture's width, keep them.
        relative: The width of each point over that of the mixture (m,).
        items: The items that were embedded (m, d), flattened.
    """

    points: Tensor
    edges: Tensor
    width: float
    ratios: Ratios
    drawn: Ratios
    relative: Tensor
    items: Tensor


class Embedded(NamedTuple):
    """Points (m, dim), the width around them, their spread, and the ratios and relative widths of `Fitted`."""

    points: Tensor
    width: float
    spread: float
    ratios: Ratios
    drawn: Ratios
    relative: Tensor


def fit(options: EmbeddingOptions, fitting: Fitting) -> Fitted:
    """Embed items of the data, and log how well distances are kept.

    Raises:
        DataError: If there are too few items, they are all equal or not finite, or memory does not suffice.
    """
    began, generator = time.monotonic(), fitting.noise.generator
    assert generator is not None
    items = draw(fitting.data, options.subsample, generator)
    seen, distance = _space(options, fitting, items)
    embedded = embed(options, seen, distance, generator)
    order, edges = by_mode(embedded.points, options.modes, generator)
    measured = options.function or f"{options.metric} (faiss, {distances.device()})"
    what = f"{len(items)} items by {measured} embedded in {embedded.points.shape[1]} dimensions"
    LOGGER.info(f"{KIND}: {what} in {time.monotonic() - began:.1f} s; {_describe_distortion(embedded)}")
    _, width, _, kept, drawn, relative = embedded
    return Fitted(embedded.points[order], edges, width, kept, drawn, relative[order], items.flatten(1)[order])


def _describe_distortion(embedded: Embedded) -> str:
    """Describe how well distances are kept, by the points and by draws around them."""
    points, drawn = embedded.ratios.distortion, embedded.drawn.distortion
    return (
        f"distortion {points:.1f} of the points, {drawn:.3g} as drawn with std {embedded.width / embedded.spread:.2g}"
    )


def draw(data: Data, m: int | None, generator: torch.Generator) -> Tensor:
    """m different items of the data (m, *shape); by default 4096, or all where there are fewer.

    Raises DataError where there are fewer than m, or than 2, or where their distances do not fit into memory.
    """
    have = data.items or max(m or 0, DEFAULT)
    m = m or min(DEFAULT, have)
    if m > have:
        raise DataError(f"{KIND}: subsample is {m} but there are {have} items to train on: set {have} or leave it out")
    if m < 2:
        raise DataError(f"{KIND}: one item has no distances: at least 2 are needed")
    _check_memory(m)
    return training_items(data, m, generator).x.cpu()


def embed(options: EmbeddingOptions, seen: Tensor, distance: Distance, generator: torch.Generator) -> Embedded:
    """Embed items: points, scaled by the variant, the width around them, and how well distances are kept."""
    m, some = len(seen), slice(PAIRED)
    per_scale = options.sets_per_scale or (5 if options.variant == "official" else embedding.scales(m))
    f, d = embedding.coordinates(seen, embedding.random_sets(m, per_scale, generator), distance, PAIRED)
    f = embedding.project(f, options.projection, generator) if options.projection else f
    f = embedding.standardise(f) if options.variant == "official" else f
    exact = embedding.ratios(d, f[some])
    if exact is None:
        raise DataError(f"{KIND}: all {m} items are the same by this metric: there is nothing to embed")
    if options.variant == "theory":  # scaled so that no distance shrinks
        f, exact = f * math.exp(exact.largest), exact.shifted(-exact.largest)
    spread = 1.0 if options.variant == "official" else embedding.spread(f)
    std, relative = _widths(options, f, spread)
    noise = std * relative[some, None] * torch.randn(f[some].shape, generator=generator)
    return Embedded(f, std, spread, exact, embedding.ratios(d, f[some] + noise) or exact, relative)


def _widths(options: EmbeddingOptions, f: Tensor, spread: float) -> tuple[float, Tensor]:
    """The width around points f (m, dim), in their units, and each point's own over it (m,)."""
    if options.std != "neighbours":
        return _width(options.std, f, spread), torch.ones(len(f))
    own = neighbours.widths(f)
    width = float(own.median())
    return (width, own / width) if width > 0 else (float(own.mean()), torch.ones(len(f)))


def _width(asked: float | Literal["auto"], f: Tensor, spread: float) -> float:
    """The width around points f (m, dim), in their units; warn of one that swamps clusters."""
    e, dim = width.sample_distances(f), f.shape[1]
    if asked == "auto":
        return width.choose_width(e, dim, spread)
    std = asked * spread
    if (share := width.swamped_share(e, width.reach(std, dim))) > width.RARE:
        what = f"std {asked:g} is wider than whole clusters of the data ({share:.0%} of the items lie in such)"
        better = f"std: auto, here {width.choose_width(e, dim, spread) / spread:.2g}"
        LOGGER.warning(f"{KIND}: {what}, whose samples will be spread out: take {better}, or a smaller one")
    return std


def by_mode(points: Tensor, modes: int | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """The order of points by their k-means clusters, and the edges of the clusters in it."""
    if modes is None:
        return torch.arange(len(points)), torch.tensor([0, len(points)])
    if modes > (different := len({tuple(point) for point in points.tolist()})):
        raise DataError(f"{KIND}: {modes} modes of {different} different points: set fewer modes")
    from sklearn.cluster import KMeans

    seed = int(torch.randint(2**31, (), generator=generator))
    mode = torch.from_numpy(KMeans(modes, n_init=4, random_state=seed).fit_predict(points.numpy())).long()
    counts = mode.bincount(minlength=modes)
    return mode.argsort(stable=True), torch.cat([counts.new_zeros(1), counts.cumsum(0)])


def _space(options: EmbeddingOptions, fitting: Fitting, items: Tensor) -> tuple[Tensor, Distance]:
    """Find the space, items or their features, and the distance in it."""
    if options.function is not None:
        return items, _find_function(fitting.functions, options.function)
    seen = extract_features(options.features.build(fitting.data), items).flatten(1)
    if not seen.isfinite().all():
        at = int((~seen.isfinite().all(1)).nonzero()[0, 0])
        raise DataError(f"{KIND}: item {at} of the subsample has {options.features.title()} that are not finite")
    return seen, distances.faiss_distance(options.metric)


def _find_function(functions: Functions, name: str) -> Distance:
    """Find a distance from Python; its results are checked."""
    if (function := functions.get(name)) is None:
        raise DataError(
            f"{KIND}: metric python:{name} came from Python: pass functions={{{name!r}: ...}} to Experiment"
        )

    def distance(x: Tensor, y: Tensor) -> Tensor:
        d = torch.as_tensor(function(x, y)).float()
        if d.shape != (len(x), len(y)) or not (d.isfinite() & (d >= 0)).all():
            asked = f"distances of shape ({len(x)}, {len(y)}), finite and not negative"
            raise DataError(f"{KIND}: metric python:{name} should give {asked}")
        return d

    return distance


def _check_memory(m: int) -> None:
    """Check the memory for distances of some rows to all items, twice, and of all pairs of some items, three times."""
    need, free = 4 * (2 * embedding.ROWS * m + 3 * min(m, PAIRED) ** 2), free_memory()
    if need > free:
        sizes = f"{need / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free"
        raise DataError(f"{KIND}: distances of {m} items take {sizes}: set a smaller subsample")
