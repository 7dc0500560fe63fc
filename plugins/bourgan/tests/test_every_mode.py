"""The parts with which every mode is kept, held to numbers that are known otherwise."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import dblquad, quad
from scipy.stats import norm
from torch import Tensor
from torch.distributions import MultivariateNormal

from allmodes import Fitting, SpecError, TensorData, seeded
from allmodes.testing import compose, load_spec, make_step
from allmodes_bourgan import bows, cells, neighbours, segment, units
from allmodes_bourgan.atlas import Atlas
from allmodes_bourgan.atlas_fit import Charts, fit
from allmodes_bourgan.local import Local
from allmodes_bourgan.redrawn import BANDWIDTH, Redrawn
from allmodes_bourgan.settling import join, settle

RECIPE = "bourgan/every-mode-ring"
FEW = "data.items=512"


def test_neighbours_are_those_of_all_distances_in_float64() -> None:
    # Two clusters whose widths are a thousandth of their distance, where products in float32 lose the digits.
    x = 1e-3 * torch.randn(200, 3, generator=torch.Generator().manual_seed(0)) + 1.0 * (torch.arange(200) % 2)[:, None]
    distances, near = neighbours.neighbours(x, 5)
    exact = torch.cdist(x.double(), x.double()).fill_diagonal_(torch.inf).sort(1)
    torch.testing.assert_close(distances, exact.values[:, :5].float())
    assert near.equal(exact.indices[:, :5])


def test_widths_follow_the_data_and_their_units() -> None:
    line = torch.arange(100.0)[:, None]
    assert neighbours.widths(line)[50] == 5  # five neighbours on each side
    assert neighbours.scales(line)[50] == 15
    torch.testing.assert_close(neighbours.widths(3 * line), 3 * neighbours.widths(line))


def test_an_item_at_the_rim_has_the_width_of_those_around_it() -> None:
    x = torch.cat([torch.arange(100.0), torch.tensor([140.0])])[:, None]
    assert neighbours.widths(x)[-1] < 11  # its own distance is 50


def test_where_items_coincide_the_latent_is_a_copy_of_them() -> None:
    latent = fitted(torch.ones(64, 2).index_fill(0, torch.arange(32), -1.0))(seeded(1), 8)
    assert latent.code.equal(latent.part("item"))
    assert (latent.part("scale") > 0).all()  # pairing divides by it


def test_a_local_latent_is_an_item_and_noise_of_its_width() -> None:
    x = torch.randn(500, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 100.0])
    prior = fitted(x)
    latent = prior(seeded(1), 20_000)
    item, scale = latent.part("item"), latent.part("scale")
    i = (item[:, None, 0] == prior.items[:, 0]).int().argmax(1)
    assert prior.items[i].equal(item)
    assert prior.scales[i].equal(scale)
    spread = (latent.code - item) / prior.widths[i]
    torch.testing.assert_close(spread.std(0), torch.ones(2), atol=0.02, rtol=0)
    assert latent.z[:, :2].equal(latent.code)
    torch.testing.assert_close((scale[:, 1] / scale[:, 0]).mean(), x[:, 1].std() / x[:, 0].std())


@pytest.mark.parametrize("noise", [0.0, 0.5, 0.9, 1.0])
def test_items_are_redrawn_with_the_mean_and_covariance_of_their_chart(noise: float) -> None:
    x = torch.cat([bent(300), 5 + torch.randn(300, 2, generator=torch.Generator().manual_seed(1))])
    prior = Redrawn(noise)
    prior.fit(Fitting(TensorData(x), seeded(0)))
    latent = prior(seeded(1), 40_000)
    i = (latent.part("item")[:, None] == prior.items).all(2).int().argmax(1)
    for k in prior.chart.unique():
        items, drawn = prior.items[prior.chart == k], latent.code[prior.chart[i] == k]
        torch.testing.assert_close(drawn.mean(0), items.mean(0), atol=0.2, rtol=0)
        ratio = drawn.var(0).sum() / items.var(0).sum()
        assert 0.85 < ratio < 1.15
    assert noise > 0 or (latent.code - latent.part("item")).abs().max() < 1e-5


@pytest.mark.parametrize("noise", [0.9, 1.0])
def test_along_an_axis_of_its_own_a_chart_ends_where_its_items_do(
    noise: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One chart of a segment, beyond the ends of which a Gaussian would have 8.3 % of its draws.

    The kernel is shrunk and Gaussian; what it has beyond the ends is reflected there, and so stays near them.
    """
    generator = torch.Generator().manual_seed(0)
    x = 0.01 * torch.randn(500, 8, generator=generator)
    x[:, 0] = 2 * torch.rand(500, generator=generator) - 1
    one = chart(x)
    monkeypatch.setattr("allmodes_bourgan.redrawn.fit", lambda items: one)
    prior = Redrawn(noise)
    prior.fit(Fitting(TensorData(x), seeded(0)))
    latent = prior(seeded(1), 20_000)
    along, item = latent.code[:, 0], latent.part("item")[:, 0]
    b = noise * BANDWIDTH * 500**-0.2
    shrunk, width = (1 - b**2) ** 0.5 * x[:, 0], b * x[:, 0].std()
    near_an_end = (norm.sf((0.9 - shrunk) / width) + norm.sf((0.9 + shrunk) / width)).mean()
    assert (along.abs() > 0.9).double().mean() == pytest.approx(near_an_end, abs=0.007)  # 3 standard errors
    assert along.abs().max() < x[:, 0].abs().max() + 1e-3  # a part of the width across, since the axis is an estimate
    assert abs(float(along.std() / x[:, 0].std()) - 1) < 0.02
    near_its_own = ((along - item).abs() < 0.01).double().mean()
    assert near_its_own < 0.03 + (1 - noise) / 4  # the chance is 0.01, and the width of the noise is 0.08
    torch.testing.assert_close(latent.code[:, 1:].std(0), x[:, 1:].std(0), atol=0, rtol=0.06)


def chart(x: Tensor, whole: bool = True) -> Charts:
    """One straight chart of all items (n, d), with one axis."""
    of, cell = units.measure_common(x), torch.zeros(len(x), dtype=torch.long)
    gaussians = cells.gaussians(cells.measure(of.standardise(x), cell), cells.Shape(1, 0.0, 1))
    return Charts(of, gaussians, x, cell, torch.tensor([whole]))


@pytest.mark.parametrize("whole", [False, True])
def test_a_whole_cluster_that_is_a_gaussian_has_no_ends(whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    x = 0.01 * torch.randn(500, 8, generator=torch.Generator().manual_seed(0))
    x[:, 0] *= 100
    monkeypatch.setattr("allmodes_bourgan.redrawn.fit", lambda items: chart(items, whole))
    prior = Redrawn(1.0)
    prior.fit(Fitting(TensorData(x), seeded(0)))
    along, last = prior(seeded(1), 20_000).code[:, 0], x[:, 0].abs().max()
    beyond = 2 * norm.sf(float((last - x[:, 0].mean()) / x[:, 0].std()))  # 0.002
    share = float((along.abs() > last + 1e-3).double().mean())
    assert share == pytest.approx(beyond, abs=0.001) if whole else share == 0
    assert float(along.std() / x[:, 0].std()) == pytest.approx(1, abs=0.02)


def test_cells_that_are_whole_clusters_have_all_their_items_and_no_others() -> None:
    cell, cluster = torch.tensor([0, 0, 1, 2, 2, 3, 4]), torch.tensor([0, 0, 1, 1, 2, 3, 3])
    assert cells.whole(cell, cluster).tolist() == [True, False, False, False, False]
    assert cells.whole(torch.arange(3), torch.arange(3)).all()


def test_a_gaussian_is_likelier_than_a_segment_by_what_integrals_over_place_and_scale_say() -> None:
    numbers = np.array([-1.2, -0.3, 0.1, 0.4, 1.0])
    shares = dblquad(lambda mu, s: norm.pdf(numbers, mu, s).prod() / s, 0.05, 60, lambda s: -8 * s, lambda s: 8 * s)[0]
    length = np.ptp(numbers)
    segment_share = quad(lambda r: r**-5.0 * (r - length) / r, length, np.inf)[
        0
    ]  # places where it covers them: r - length
    squares = ((numbers - numbers.mean()) ** 2).sum()
    likelier = segment.compare(*(torch.tensor(value, dtype=torch.double) for value in (5, length, squares)))
    assert float(likelier) == pytest.approx(np.log(shares / segment_share), abs=1e-4)


def test_a_mode_in_many_dimensions_may_have_any_covariance() -> None:
    generator = torch.Generator().manual_seed(0)
    turn = torch.linalg.qr(torch.randn(20, 20, generator=generator))[0]
    x = torch.randn(800, 20, generator=generator) * torch.logspace(0, -1.5, 20) @ turn
    prior = Redrawn()
    prior.fit(Fitting(TensorData(x), seeded(0)))
    along = (prior(seeded(1), 20_000).code @ turn.T).std(0) / (x @ turn.T).std(0)
    torch.testing.assert_close(along, torch.ones(20), rtol=0, atol=0.1)


def parabola(n: int) -> Tensor:
    """Items (n, 3) on a parabola 2 long and 0.3 high, turned, with noise of 0.05 across."""
    generator = torch.Generator().manual_seed(3)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=torch.double))[0]
    t = 2 * torch.rand(n, generator=generator, dtype=torch.double) - 1
    across = 0.05 * torch.randn(n, 2, generator=generator, dtype=torch.double)
    return torch.stack([t, 0.3 * t.square() + across[:, 0], across[:, 1]], 1) @ turn


def test_a_bent_cell_has_the_parabola_of_its_items_and_their_width_across() -> None:
    x = parabola(2000)
    moments = cells.measure(x, torch.zeros(2000, dtype=torch.long), degree=2)
    bend, axis = moments.bends[0], moments.directions[0, :, 0]
    assert float(bend[0].norm()) == pytest.approx(0.3, abs=0.015)
    torch.testing.assert_close(bend @ axis, torch.zeros(2).double(), atol=1e-12, rtol=0)
    assert not bend[1].any()
    across = moments.variances[0, 1:].sqrt()
    torch.testing.assert_close(across, torch.full((2,), 0.05).double(), rtol=0.08, atol=0)  # 5 standard errors
    straight = bows.straighten(x - moments.means[0], axis, bend, moments.bows[0])
    covariance = straight.T @ straight
    torch.testing.assert_close(straight.mean(0), torch.zeros(3).double(), atol=1e-9, rtol=0)
    torch.testing.assert_close(covariance @ axis, (axis @ covariance @ axis) * axis, atol=1e-6, rtol=0)


def test_a_cell_of_a_twisted_curve_is_bent_by_its_cubic_too() -> None:
    generator = torch.Generator().manual_seed(3)
    t = 2 * torch.rand(4000, generator=generator, dtype=torch.double) - 1
    curve = torch.stack([t, 0.3 * t**2, 0.5 * (t**3 - 0.6 * t)], 1)  # whose first axis is that of t
    x = curve + 0.03 * torch.randn(4000, 3, generator=generator, dtype=torch.double)
    parabola_alone, cubic = (cells.measure(x, torch.zeros(4000, dtype=torch.long), degree) for degree in (2, 3))
    assert float(parabola_alone.variances[0, 1].sqrt()) > 0.08
    slopes = 0.12 + 0.24  # mean squares, of 0.6 t and 1.5 t^2 - 0.3, by which noise along t leaves the curve
    assert float(cubic.variances[0, 1:].sum()) == pytest.approx(0.03**2 * (2 + slopes), rel=0.06)
    torch.testing.assert_close(cubic.bends[0].norm(dim=1), torch.tensor([0.3, 0.5]).double(), rtol=0.05, atol=0)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_cells_are_looked_at_as_by_offsets_from_each(degree: int) -> None:
    x = torch.cat([parabola(300), 3 + parabola(200)])
    moments = cells.measure(x, (torch.arange(500) >= 300).long(), degree)
    seen = cells.look(x, moments)
    apart = x[:, None] - moments.means
    straight = bows.straighten(apart, moments.directions[..., 0], moments.bends, moments.bows)
    torch.testing.assert_close(seen.squares, straight.square().sum(2))
    torch.testing.assert_close(seen.along, torch.einsum("nkd,kdr->nkr", straight, moments.directions).square())
    torch.testing.assert_close(seen.within[:, :, -1], seen.squares)  # all directions are all there is


@pytest.mark.parametrize("degree", [2, 3])
def test_bending_is_the_inverse_of_straightening_and_keeps_volumes(degree: int) -> None:
    moments = cells.measure(parabola(500), torch.zeros(500, dtype=torch.long), degree)
    assert moments.bends[0, degree - 2].any()
    how = moments.directions[0, :, 0], moments.bends[0], moments.bows[0]
    apart = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)).double()
    straight = bows.straighten(apart, *how)
    torch.testing.assert_close(straight + bows.bowed(straight, *how), apart)
    for point in apart:
        jacobian = torch.autograd.functional.jacobian(lambda v: bows.straighten(v, *how), point)
        assert float(torch.linalg.det(jacobian)) == pytest.approx(1)


def test_a_short_cell_is_straight() -> None:
    moments = cells.measure(parabola(31), torch.zeros(31, dtype=torch.long), degree=2)
    assert not moments.bends.any()


def test_draws_of_a_bent_chart_lie_along_its_items(monkeypatch: pytest.MonkeyPatch) -> None:
    x = parabola(1000).float()
    of, cell = units.measure_common(x), torch.zeros(1000).long()
    moments = cells.measure(of.standardise(x), cell, 2)
    one = Charts(of, cells.gaussians(moments, cells.Shape(1, 0.0, 2)), x, cell, torch.ones(1, dtype=torch.bool))
    monkeypatch.setattr("allmodes_bourgan.redrawn.fit", lambda items: one)
    prior = Redrawn()
    prior.fit(Fitting(TensorData(x), seeded(0)))
    drawn, axes = of.standardise(prior(seeded(1), 20_000).code).double() - moments.means[0], moments.directions[0]
    across = bows.straighten(drawn, axes[:, 0], moments.bends[0], moments.bows[0]) @ axes[:, 1:]
    within = (across * of.std[0]).norm(dim=1) < 3 * 0.05
    assert within.double().mean() == pytest.approx(1 - math.exp(-4.5), abs=0.005)  # as of a Gaussian in the plane
    _, local = prior.atlas.locate(of.standardise(x))
    torch.testing.assert_close(local.std(0), torch.ones(3), rtol=0.08, atol=0)  # 0.05 beside a curve is one unit


# Cells that settle


def line(n: int, angle: float, seed: int) -> Tensor:
    """Items (n, 2) on a line through 0 at an angle, with noise of 0.01 across."""
    generator = torch.Generator().manual_seed(seed)
    t = 2 * torch.rand(n, generator=generator, dtype=torch.double) - 1
    along, beside = (torch.tensor([math.cos(a), math.sin(a)]).double() for a in (angle, angle + math.pi / 2))
    return t[:, None] * along + 0.01 * torch.randn(n, 1, generator=generator).double() * beside


def test_of_two_lines_that_cross_each_cell_has_items_of_one() -> None:
    x, truth = torch.cat([line(300, 0.0, 0), line(300, 1.0, 1)]), torch.arange(600) // 300
    pieces = cells.partition(x, 12)
    (_, finer), (settling, cell) = settle(x, pieces, cells.Shape(1, 0.0, 1))
    assert settling.joins == 2
    assert len(cell.unique()) <= len(finer.unique()) < 12
    assert strangers(cell, truth) < 0.03 < 0.06 < strangers(pieces, truth)


def strangers(cell: Tensor, truth: Tensor) -> float:
    """The share of items (n,) that are of the rarer of two kinds (n,) in their cell."""
    return sum(min(int((truth[cell == k] == one).sum()) for one in (0, 1)) for k in cell.unique()) / len(cell)


def test_pieces_of_one_gaussian_join_and_two_gaussians_do_not() -> None:
    noise = torch.randn(400, 2, generator=torch.Generator().manual_seed(0), dtype=torch.double)
    halves = (noise[:, 0] > 0).long()
    assert len(join(noise, halves, cells.Shape(0, 0.0, 1), 1.0).unique()) == 1
    apart = noise + 8 * halves[:, None]
    assert join(apart, halves, cells.Shape(0, 0.0, 1), 1.0).equal(halves)


def test_an_item_that_is_alone_is_as_wide_as_the_nearest_is_far_and_widens_no_other() -> None:
    x = torch.cat([torch.randn(50, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([[30.0, 0.0]])])
    cell = torch.tensor([0] * 50 + [1])
    moments = cells.measure(x, cell)
    distance = float((x[:50] - x[50]).norm(dim=1).min())
    assert float(moments.variances[1].sum().sqrt()) == pytest.approx(distance, rel=1e-6)
    pooled, alone = (cells.gaussians(moments, cells.Shape(0, pooled, 1)).widths for pooled in (8.0, 0.0))
    torch.testing.assert_close(pooled, alone)


def test_a_generator_begins_as_the_identity_and_moves_in_local_units() -> None:
    composition = compose(RECIPE, FEW)
    step = make_step(composition, torch.zeros(6, 2))
    assert step.fake.equal(step.latent.code)
    generator: Any = composition.modules["generator"]
    with torch.no_grad():
        generator.get_parameter("trunk.network.trunk.network.head.bias").copy_(torch.tensor([2.0, -1.0]))
    moved = make_step(composition, torch.zeros(6, 2))
    atlas, e = generator.head.atlas, moved.latent.code
    w, _ = atlas.locate(atlas.standardise(e))
    unit = torch.einsum("bk,kde->bde", w, roots(atlas, 0.5).float())
    torch.testing.assert_close(moved.fake, e + (unit @ torch.tensor([2.0, -1.0])) * atlas.std)


@pytest.mark.parametrize("n", [1, 2, 63, 80, 81, 160])
def test_moments_are_those_of_the_covariance_of_few_items_too(n: int) -> None:
    """(U L^2 U') is the covariance, as far as its largest 64 variances go; others are not below the least width."""
    x = torch.randn(n, 80, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    counts, means, variances, directions, *_ = cells.measure(x, torch.zeros(n, dtype=torch.long))
    expected = x.T.cov(correction=min(1, n - 1))
    largest = torch.linalg.eigvalsh(expected).flip(0)
    assert counts == n
    assert torch.allclose(means[0], x.mean(0))
    assert torch.allclose(variances[0], largest.clamp(min=cells.THINNEST**2))
    kept, found = largest[:64].clamp(min=0), directions[0]
    assert directions.shape == (1, 80, 64)
    assert torch.allclose(expected @ found, found * kept, atol=1e-9)
    assert torch.allclose(found.T @ found, torch.eye(64).double() * (torch.arange(64) < min(n, 64)), atol=1e-9)


@pytest.mark.parametrize("d", [2, 20])
def test_memberships_are_the_posterior_of_the_mixture_and_coordinates_are_whitened(d: int) -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = torch.randn(4, d, d, generator=generator) / d**0.5
    x = torch.cat([6 * k + torch.randn(200, d, generator=generator) @ shape for k, shape in enumerate(shapes)])
    atlas = fit_atlas(x)
    full = atlas.log_shares > -100
    y = atlas.standardise(x[::40] + 0.1 * torch.randn(20, d, generator=generator))
    w, u = (value.double() for value in atlas.locate(y))
    covariances = roots(atlas, 1.0)[full]
    each = MultivariateNormal(atlas.centres[full].double(), (covariances + covariances.mT) / 2)
    joint = each.log_prob(y[:, None].double()) + atlas.log_shares[full].double()
    torch.testing.assert_close(w[:, full], joint.softmax(1), atol=1e-3, rtol=1e-3)
    assert (w[:, ~full] == 0).all()
    apart = y[:, None].double() - atlas.centres.double()
    torch.testing.assert_close(u, torch.einsum("bk,kde,bke->bd", w, roots(atlas, -0.5), apart), atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize(("kind", "modes"), [("ring", 8), ("grid", 25)])
def test_charts_are_found_without_a_number(kind: str, modes: int) -> None:
    composition = compose(RECIPE, f"data={{kind: {kind}, items: 2048}}")
    prior: Any = composition.modules["prior"]
    assert int((prior.atlas.log_shares > -100).sum()) == modes


def test_a_curve_is_cut_into_charts_along_it_and_a_ball_is_not() -> None:
    curve = fit(bent(2000))
    assert len(curve.gaussians.shares) > 8
    assert curve.gaussians.axes.shape[2] >= 1
    ball = fit(torch.randn(2000, 3, generator=torch.Generator().manual_seed(0)))
    assert ball.gaussians.shares.max() > 0.9  # HDBSCAN finds a clump or two in noise


def test_items_that_are_far_from_all_others_have_charts_of_their_own() -> None:
    """Else one of them makes the chart of its nearest mode as wide as it is far, and variances that are shared."""
    generator = torch.Generator().manual_seed(0)
    x = torch.cat([10 * k + torch.randn(300, 5, generator=generator) for k in range(3)])
    far = 1e4 * torch.nn.functional.normalize(torch.randn(4, 5, generator=generator))
    charts = fit(torch.cat([x, far]))
    counts = charts.chart.bincount()
    assert sorted(counts.tolist()) == [1, 1, 1, 1, 300, 300, 300]
    large = counts == 300
    widths = charts.gaussians.widths[large] * charts.of.std[0]
    torch.testing.assert_close(widths, torch.ones(3).double(), atol=0.05, rtol=0, check_dtype=False)
    alone = charts.items[(~large)[charts.chart]]
    assert sorted(alone.norm(dim=1).round().tolist()) == [1e4] * 4


def test_an_atlas_depends_on_the_items_and_not_on_their_order() -> None:
    x = bent(500)
    one, other = fit(x), fit(x.flip(0))
    assert all(first.equal(second) for first, second in zip(one.gaussians, other.gaussians, strict=True))


def test_small_modes_take_the_mean_variance_where_that_is_likelier() -> None:
    generator = torch.Generator().manual_seed(0)
    corners = 10 * torch.cartesian_prod(torch.arange(12.0), torch.arange(12.0))
    x = corners.repeat(8, 1) + torch.randn(8 * 144, 2, generator=generator)
    found = fit(x)
    assert len(found.gaussians.shares) >= 142  # of two modes that HDBSCAN takes for one, each may be cut otherwise
    widths = found.gaussians.widths * found.of.std.double().mean()
    assert widths.std() / widths.mean() < 0.2  # 8 items alone: 0.26
    torch.testing.assert_close(widths.mean(), torch.tensor(1.0).double(), atol=0.1, rtol=0)


def test_a_few_items_are_one_chart() -> None:
    found = fit(torch.randn(9, 20, generator=torch.Generator().manual_seed(0)))
    assert len(found.gaussians.shares) == 1
    assert found.gaussians.axes.shape[2] == 0


def test_networks_prior_and_penalty_share_one_fit(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "allmodes.bourgan")
    composition = compose(RECIPE, FEW)
    terms = {"losses/term": composition.terms["bourgan.local_penalty"].loss}
    within = [part for module in {**composition.modules, **terms}.values() for part in module.modules()]
    atlases = {part for part in within if isinstance(part, Atlas)}
    assert len(atlases) == 5  # the generator has two: it sees the charts, and moves within them
    first, *others = (dict(atlas.named_buffers()) for atlas in atlases)
    assert all(first[name].equal(other[name]) for other in others for name in first)
    assert sum("charts of" in record.message for record in caplog.records) == 1


def test_the_penalty_is_half_gamma_times_the_squared_slope_in_local_units_at_both_sides() -> None:
    composition = compose(RECIPE, FEW, "losses.1.gamma=3")
    step = make_step(composition, 0.7 * torch.randn(6, 2))
    term: Any = composition.terms["bourgan.local_penalty"].loss
    by_hand = torch.zeros(())
    for side in (step.x, step.fake):
        x = side.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(composition.modules["discriminator"](x)[0].sum(), x)
        w, _ = term.atlas.locate(term.atlas.standardise(x))
        unit = torch.einsum("bk,kde->bde", w, roots(term.atlas, 0.5).float()) * term.atlas.std[:, None]
        by_hand = by_hand + 3 / 2 * (unit @ gradient[:, :, None]).square().sum((1, 2)).mean()
    torch.testing.assert_close(term(step, "discriminator"), by_hand)


def test_the_penalty_does_not_depend_on_the_units_of_the_data() -> None:
    def penalty(*, unit: float) -> Tensor:
        ring = f"data={{kind: ring, items: 512, radius: {unit}, std: {0.01 * unit}}}"
        composition = compose(RECIPE, ring)
        step = make_step(composition, unit * torch.tensor([[0.7, 0.7], [1.0, 0.01], [0.3, 0.2]]))
        return composition.terms["bourgan.local_penalty"].loss(step, "discriminator")

    assert penalty(unit=1.0) > 0
    torch.testing.assert_close(penalty(unit=256.0), penalty(unit=1.0), rtol=1e-3, atol=0)


def test_pairing_is_the_logarithm_of_the_distance_to_the_latents_item_in_local_scales() -> None:
    composition = compose(RECIPE, FEW, "losses.1={kind: bourgan.pairing}")
    step = make_step(composition, torch.zeros(6, 2))
    item, scale = step.latent.part("item"), step.latent.part("scale")
    by_hand = torch.log(1 + (((step.fake - item) / scale) ** 2).sum(1)).mean()
    torch.testing.assert_close(composition.terms["bourgan.pairing"].loss(step, "generator"), by_hand)


def test_a_residual_generator_needs_a_latent_as_large_as_an_item() -> None:
    with pytest.raises(SpecError) as error:
        load_spec(RECIPE, "prior={kind: gaussian, dim: 2}", "data={kind: mixture, means: [[0, 0, 0], [1, 1, 1]]}")
    assert (
        "generator: bourgan.residual moves items of 3 entries, but the latent has 2: take prior: {kind: bourgan.atlas}"
    ) in str(error.value)


def fitted(x: Tensor) -> Local:
    prior = Local()
    prior.fit(Fitting(TensorData(x), seeded(0)))
    return prior


def fit_atlas(x: Tensor) -> Atlas:
    atlas = Atlas()
    atlas.hold(fit(x))
    return atlas


def roots(atlas: Atlas, power: float) -> Tensor:
    """Powers (K, d, d) of the charts' covariances, in float64 from their eigenvalues."""
    axes, lengths, widths = (value.double() for value in (atlas.axes, atlas.lengths, atlas.widths))
    own = torch.einsum("kdr,kr,ker->kde", axes, lengths ** (2 * power) - widths[:, None] ** (2 * power), axes)
    return own + widths[:, None, None] ** (2 * power) * torch.eye(axes.shape[1]).double()


def bent(n: int) -> Tensor:
    """A thin half circle."""
    angle = torch.linspace(0, torch.pi, n)
    noise = torch.randn(n, 2, generator=torch.Generator().manual_seed(0))
    return torch.stack([angle.cos(), angle.sin()], 1) + 0.01 * noise
