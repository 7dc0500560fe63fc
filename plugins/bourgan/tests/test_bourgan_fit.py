"""The distances and the embedding against float64, SciPy and the theorem's own inequality."""

import logging
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from torch import Tensor

from allmodes import (
    CircleConfig,
    Data,
    DataError,
    Fitting,
    GridConfig,
    MixtureConfig,
    RingConfig,
    TensorData,
    seeded,
)
from allmodes_bourgan import fit as fitting_module
from allmodes_bourgan.distances import faiss_distance
from allmodes_bourgan.embedding import coordinates, project, random_sets, ratios, scales, standardise
from allmodes_bourgan.fit import EmbeddingOptions, Fitted, embed, fit

SCIPY = {"l2": "euclidean", "l1": "cityblock", "linf": "chebyshev"}


def fitted(data: Data, seed: int = 0, functions: Any = None, **options: Any) -> Fitted:
    return fit(EmbeddingOptions(**options), Fitting(data, seeded(seed), functions=functions or {}))


def items(*rows: Any) -> TensorData:
    return TensorData(torch.tensor(rows, dtype=torch.float32))


def cloud(m: int = 40, dim: int = 3, seed: int = 0) -> Tensor:
    return torch.randn(m, dim, generator=torch.Generator().manual_seed(seed))


def sets_of(m: int, seed: int = 0, per_scale: int = 5) -> list[Tensor]:
    return random_sets(m, per_scale, torch.Generator().manual_seed(seed))


# Distances


@pytest.mark.parametrize("metric", ["l2", "l1", "linf"])
def test_distances_are_scipys(metric: Any) -> None:
    x, y = cloud(30, 7), cloud(20, 7, seed=1)
    truth = cdist(x.double(), y.double(), SCIPY[metric])
    assert faiss_distance(metric)(x, y).numpy() == pytest.approx(truth, rel=1e-5)


def test_the_cosine_distance_is_the_chord_between_directions() -> None:
    x, y = cloud(30, 7), cloud(20, 7, seed=1)
    truth = np.sqrt(2 * cdist(x.double(), y.double(), "cosine"))
    assert faiss_distance("cosine")(x, 3 * y).numpy() == pytest.approx(truth, rel=1e-4)


def test_a_direction_of_length_zero_is_refused() -> None:
    message = "metric cosine: the features of item 1 are all zero, which has no direction: take l2"
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        faiss_distance("cosine")(torch.tensor([[1.0, 0], [0, 0]]), cloud(3, 2))


@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_logarithms_of_the_rings_closest_pairs_are_those_of_float64(shift: float) -> None:
    """Matrix products alone give negative squares here, even around the origin."""
    x = RingConfig().build().draw(1500, torch.Generator().manual_seed(0)).x + shift
    d = faiss_distance("l2")(x, x)
    truth = torch.from_numpy(cdist(x.double(), x.double()))
    assert d.diagonal().abs().max() == 0
    apart = truth > 0
    assert truth[apart].min() < 1e-4
    assert (d[apart].double().log() - truth[apart].log()).abs().max() < 2e-3


def test_distances_of_images_far_from_the_origin_are_those_of_float64() -> None:
    x = 5 + 0.1 * cloud(200, 784)
    x[1] = x[0] + 1e-4
    d = faiss_distance("l2")(x, x).double()
    truth = torch.from_numpy(cdist(x.double(), x.double()))
    assert (d - truth).abs()[truth > 0].div(truth[truth > 0]).max() < 1e-3
    assert d.diagonal().abs().max() == 0


# The embedding


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 60), st.integers(1, 6), st.integers(0, 10_000), st.sampled_from(["l2", "l1", "linf", "cosine"]))
def test_no_coordinate_moves_further_than_the_items(m: int, dim: int, seed: int, metric: Any) -> None:
    x, distance = cloud(m, dim, seed) + 1e-3, faiss_distance(metric)
    (f, d) = coordinates(x, sets_of(m, seed), distance, m)
    steps = (f[:, None] - f[None]).abs()  # (m, m, sets)
    assert (steps <= d[..., None] + 1e-5).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 60), st.integers(0, 10_000))
def test_items_in_another_order_are_embedded_in_that_order(m: int, seed: int) -> None:
    x, sets, distance = cloud(m, 3, seed), sets_of(m, seed), faiss_distance("l2")
    order = torch.randperm(m, generator=torch.Generator().manual_seed(seed))
    moved = [order.argsort()[members] for members in sets]  # the same items at their new places
    (f, _), (again, _) = coordinates(x, sets, distance), coordinates(x[order], moved, distance)
    assert torch.allclose(again, f[order], atol=1e-5)


def test_coordinates_are_distances_to_the_nearest_member_however_many_rows_are_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x, sets = cloud(50), sets_of(50)
    monkeypatch.setattr("allmodes_bourgan.embedding.ROWS", 7)
    f, d = coordinates(x, sets, faiss_distance("l2"), keep=20)
    assert d.numpy() == pytest.approx(cdist(x[:20].double(), x[:20].double()), abs=1e-6)
    # faiss subtracts squares in float32: some eps |x|^2 / d, which is 2e-6 for the nearest of these
    for j, members in enumerate(sets):
        truth = cdist(x.double(), x[members].double()).min(1) if len(members) else np.zeros(50)
        assert f[:, j].numpy() == pytest.approx(truth, abs=5e-6)


def test_an_empty_subset_gives_the_coordinate_zero() -> None:
    assert not coordinates(cloud(5), [torch.tensor([], dtype=torch.long)], faiss_distance("l2"))[0].any()


@pytest.mark.parametrize(("m", "count"), [(2, 1), (3, 2), (1025, 11), (1250, 11), (2048, 11), (4096, 12)])
def test_there_is_a_scale_for_each_power_of_two_up_to_the_number_of_items(m: int, count: int) -> None:
    assert scales(m) == count
    assert len(sets_of(m, per_scale=5)) == 5 * count


def test_a_subset_of_scale_i_holds_a_share_of_two_to_the_minus_i() -> None:
    m = 20_000
    shares = [len(members) / m for members in sets_of(m, per_scale=1)]
    for i, share in enumerate(shares[:6], start=1):
        assert share == pytest.approx(2.0**-i, abs=5 * math.sqrt(2.0**-i / m))


def test_the_official_scaling_centres_and_gives_unit_variance_on_average() -> None:
    f = standardise(cloud(500, 4) * torch.tensor([1.0, 5.0, 0.1, 2.0]) + 3)
    assert f.mean(0).abs().max() < 1e-5
    assert float(f.square().sum(1).mean()) == pytest.approx(4, rel=1e-5)


def test_a_projection_keeps_squared_distances_on_average() -> None:
    f = cloud(2, 50)
    kept = [project(f, 10, torch.Generator().manual_seed(seed)).diff(dim=0).square().sum() for seed in range(400)]
    assert float(torch.stack(kept).mean() / f.diff(dim=0).square().sum()) == pytest.approx(1, abs=0.1)


def test_ratios_are_those_of_every_pair_of_different_items() -> None:
    d = torch.tensor([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]])  # items 0 and 2 are the same
    f = torch.tensor([[0.0], [2.0], [0.0]])
    found = ratios(d, f)
    assert found is not None
    assert found == pytest.approx((math.log(1 / 2), math.log(1 / 2), math.log(1 / 2), 0))
    assert found.distortion == 1
    assert ratios(torch.zeros(3, 3), f) is None


# The fit


def test_the_official_grid_is_embedded_in_55_dimensions_at_the_distortion_that_was_measured_for_it() -> None:
    """1,250 points: 11 scales of 5 subsets; distortion 5.2 and largest ratio 0.90 on average of three seeds."""
    grid = GridConfig(std=0.1).build()
    found = [fitted(grid, seed, subsample=1250, std=0.01) for seed in range(3)]
    assert {tuple(f.points.shape) for f in found} == {(1250, 55)}
    assert 4 < sum(f.ratios.distortion for f in found) / 3 < 6.5
    assert 0.7 < sum(math.exp(f.ratios.largest) for f in found) / 3 < 1.1


def test_the_theorys_variant_shrinks_no_distance() -> None:
    x, options = cloud(300), EmbeddingOptions(variant="theory", std=0.0)
    points, _, _, found, _, _ = embed(options, x, faiss_distance("l2"), torch.Generator().manual_seed(0))
    assert points.shape == (300, 81)  # 9 scales of 9 subsets
    ratio = torch.pdist(points.double()) / torch.pdist(x.double())
    assert float(ratio.min()) == pytest.approx(1, rel=1e-4)
    assert float(ratio.max()) == pytest.approx(found.distortion, rel=1e-4)


def test_a_projection_decides_the_dimension() -> None:
    assert fitted(TensorData(cloud(300)), projection=7).points.shape == (300, 7)


def test_the_same_seed_gives_the_same_fit_and_another_seed_another() -> None:
    ring = RingConfig().build()
    first, again, other = (fitted(ring, seed, subsample=64, modes=3) for seed in (0, 0, 1))
    assert torch.equal(first.points, again.points)
    assert torch.equal(first.edges, again.edges)
    assert not torch.equal(first.points, other.points)


def test_duplicates_fall_on_one_point_and_do_not_disturb_the_ratios() -> None:
    x = cloud(20)
    data = TensorData(torch.cat([x, x, x]))
    points, _, _, found, *_ = fitted(data)
    assert len(points) == 60
    assert len(points.unique(dim=0)) == 20
    assert all(math.isfinite(value) for value in found)


def test_modes_are_clusters_of_the_embedding() -> None:
    ring = RingConfig().build()
    points, edges, *_ = fitted(ring, subsample=400, modes=8)
    sizes = edges.diff()
    assert edges[0] == 0
    assert edges[-1] == 400
    assert 25 < sizes.min() <= sizes.max() < 80  # 50 each but for chance
    centres = torch.stack([part.mean(0) for part in points.tensor_split(edges[1:-1])])
    within = max(
        float(torch.cdist(part, centres[i : i + 1]).max()) for i, part in enumerate(points.tensor_split(edges[1:-1]))
    )
    assert within < torch.pdist(centres).min() / 2


def test_the_fit_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "allmodes"):
        fitted(TensorData(cloud(100)), metric="l1")
    told = r"bourgan.metric_mixture: 100 items by l1 \(faiss, [CG]PU\) embedded in 35 dimensions in [\d.]+ s; "
    kept = r"distortion [\d.]+ of the points, [\d.]+ as drawn with std 0.1"
    assert re.fullmatch(told + kept, caplog.messages[-1])


# The width


def apart(std: float | tuple[float, ...], *means: float, weights: Any = None, items: int = 800) -> Data:
    """Clusters along a line."""
    return MixtureConfig(means=[(mean, 0.0) for mean in means], std=std, weights=weights, items=items).build()


EIGHT = tuple(100.0 * k for k in range(8))
SWAMPED = {
    "clusters 100 apart": (apart(1.0, *EIGHT), 1.0),
    "the same, a millionth as large": (apart(1e-6, *(1e-6 * mean for mean in EIGHT)), 1.0),
    "the same, far from the origin": (apart(1.0, *(1e5 + mean for mean in EIGHT)), 1.0),
    "unequal distances": (apart(0.05, 0, 1, 100, 101, 10_000), 1.0),
    "a narrow one beside a wide one": (apart((1.0, 0.01), -2, 2), 0.5),
    "a rare narrow one": (apart((1.0, 0.01), -2, 2, weights=(95, 5)), 0.05),
}
FINE = {
    "one Gaussian": apart(1.0, 0.0),
    "a circle": CircleConfig(items=824).build(),
    "the official grid": GridConfig(std=0.1, items=800).build(),
    "a line": TensorData(torch.linspace(0, 1, 800)[:, None]),
    "a lattice of duplicates": TensorData(torch.arange(800).remainder(20)[:, None].expand(800, 2)),
}


@pytest.mark.parametrize(("data", "share"), SWAMPED.values(), ids=SWAMPED)
def test_a_width_that_swamps_clusters_warns_with_the_fix(
    data: Data, share: float, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "allmodes"):
        fitted(data, std=0.1)
        found = fitted(data)
    told = (
        r"bourgan.metric_mixture: std 0.1 is wider than whole clusters of the data "
        r"\((\d+)% of the items lie in such\), whose samples will be spread out: "
        r"take std: auto, here ([\de.-]+), or a smaller one"
    )
    (message,) = caplog.messages
    message = re.fullmatch(told, message)
    assert message is not None
    assert int(message[1]) / 100 == pytest.approx(share, abs=0.03)
    assert float(message[2]) == pytest.approx(found.width, rel=0.3)


@pytest.mark.parametrize("data", FINE.values(), ids=FINE)
def test_a_width_that_swamps_nothing_is_not_warned_of(data: Data, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "allmodes"):
        for std in (0.1, 0.01):
            fitted(data, std=std)
    assert caplog.messages == []


def test_the_automatic_width_reaches_to_the_nearest_neighbour_and_is_at_most_a_tenth() -> None:
    found = fitted(apart(1.0, *EIGHT))
    nearest = torch.cdist(found.points.double(), found.points.double()).fill_diagonal_(math.inf).amin(1)
    assert found.width * math.sqrt(2 * found.points.shape[1]) == pytest.approx(float(nearest.median()), rel=0.02)
    assert fitted(TensorData(cloud(300, 50))).width == 0.1


def test_the_distortion_of_what_is_drawn_grows_with_the_width() -> None:
    data = apart(1.0, *EIGHT)
    drawn = [fitted(data, std=std).drawn.distortion for std in (0.0, 0.001, 0.1)]
    points = fitted(data, std=0.1).ratios.distortion
    assert points == pytest.approx(drawn[0]) == pytest.approx(5, abs=3)
    assert 5 * drawn[0] < drawn[1] < drawn[2] / 5


def test_the_theorys_width_is_a_share_of_its_points_spread() -> None:
    found = fitted(TensorData(1000 * cloud(300)), variant="theory", std=0.1)
    centred = found.points - found.points.mean(0)
    assert found.width == pytest.approx(0.1 * float(centred.square().mean()) ** 0.5, rel=1e-5)


def test_a_distance_from_python_is_embedded_as_one_of_faiss_is() -> None:
    data = TensorData(cloud(50))
    ours = fitted(data, metric="python:mine", functions={"mine": lambda x, y: cdist(x, y)})
    assert torch.allclose(ours.points, fitted(data).points, atol=1e-3)


REFUSED: list[tuple[str, Callable[[], Any], str]] = [
    (
        "one item",
        lambda: fitted(items([1.0, 2.0])),
        "bourgan.metric_mixture: one item has no distances: at least 2 are needed",
    ),
    (
        "more than there are",
        lambda: fitted(TensorData(cloud(30)), subsample=31),
        "bourgan.metric_mixture: subsample is 31 but there are 30 items to train on: set 30 or leave it out",
    ),
    (
        "all the same",
        lambda: fitted(items(*[[1.0, 2.0]] * 5)),
        "bourgan.metric_mixture: all 5 items are the same by this metric: there is nothing to embed",
    ),
    (
        "too many modes",
        lambda: fitted(items([0.0], [1.0], [1.0]), modes=3),
        "bourgan.metric_mixture: 3 modes of 2 different points: set fewer modes",
    ),
    (
        "an unknown function",
        lambda: fitted(TensorData(cloud(30)), metric="python:mine"),
        "bourgan.metric_mixture: metric python:mine came from Python: pass functions={'mine': ...} to Experiment",
    ),
    (
        "a function of the wrong shape",
        lambda: fitted(TensorData(cloud(30)), metric="python:mine", functions={"mine": lambda x, y: x}),
        "bourgan.metric_mixture: metric python:mine should give distances of shape (30, 30), finite and not negative",
    ),
]


@pytest.mark.parametrize(("make", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_data_that_cannot_be_embedded_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        make()


def test_items_that_are_not_finite_are_refused_by_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    x = cloud(30)
    x[4, 1] = math.nan
    monkeypatch.setattr(fitting_module, "draw", lambda *_: x)
    message = "bourgan.metric_mixture: item 4 of the subsample has items that are not finite"
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        fitted(TensorData(cloud(30)))


def test_distances_that_memory_cannot_hold_are_refused_beforehand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting_module, "free_memory", lambda: 100_000_000)
    message = (
        "bourgan.metric_mixture: distances of 20000 items take 0.4 GB of memory and 0.1 GB are free: "
        "set a smaller subsample"
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        fitted(RingConfig().build(), subsample=20_000)
