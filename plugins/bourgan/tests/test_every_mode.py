"""The parts with which every mode is kept, held to numbers that are known otherwise."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from allmodes import Fitting, SpecError, TensorData, seeded
from allmodes.testing import compose, load_spec, make_step
from allmodes_bourgan import neighbours
from allmodes_bourgan.atlas import BOUND, Atlas, AtlasOptions
from allmodes_bourgan.local import Local

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


def test_the_latent_is_an_item_and_noise_of_its_width_with_its_scale_beside() -> None:
    x = torch.randn(500, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 100.0])
    prior = fitted(x)
    latent = prior(seeded(1), 20_000)
    item, scale = latent.part("item"), latent.part("scale")
    i = (item[:, None, 0] == prior.items[:, 0]).int().argmax(1)
    assert prior.items[i].equal(item)
    assert prior.scales[i].equal(scale)
    spread = (latent.code - item) / prior.widths[i]
    torch.testing.assert_close(spread.std(0), torch.ones(2), atol=0.02, rtol=0)
    assert latent.z[:, :4].equal(torch.cat([latent.code, scale], 1))
    torch.testing.assert_close((scale[:, 1] / scale[:, 0]).mean(), x[:, 1].std() / x[:, 0].std())


def test_a_generator_begins_as_the_identity_and_moves_by_local_scales() -> None:
    composition = compose(RECIPE, FEW)
    step = make_step(composition, torch.zeros(6, 2))
    assert step.fake.equal(step.latent.code)
    generator = composition.modules["generator"]
    with torch.no_grad():
        generator.get_parameter("trunk.network.trunk.network.head.bias").fill_(2.0)
    moved = make_step(composition, torch.zeros(6, 2))
    torch.testing.assert_close(moved.fake, moved.latent.code + 2 * moved.latent.part("scale"))


def test_memberships_are_the_posterior_of_the_mixture_and_coordinates_its_mean_offset() -> None:
    atlas = fit_atlas(ring())
    x = 1.2 * torch.randn(50, 2, generator=torch.Generator().manual_seed(1))
    y, w, u = (value.double() for value in atlas(x))
    full = atlas.log_weights > -100
    centres, widths = atlas.centres[full].double(), atlas.widths[full].double()
    each = Independent(Normal(centres, widths[:, None].expand_as(centres)), 1)
    mixture = MixtureSameFamily(Categorical(logits=atlas.log_weights[full].double()), each)
    log_prob = each.log_prob(y[:, None]) + atlas.log_weights[full].double() - mixture.log_prob(y)[:, None]
    torch.testing.assert_close(w[:, full], log_prob.exp(), atol=1e-4, rtol=1e-3)
    assert (w[:, ~full] == 0).all()
    offset = (log_prob.exp()[:, :, None] * (y[:, None] - centres) / widths[:, None]).sum(1)
    torch.testing.assert_close(u, BOUND * (offset / BOUND).tanh(), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize(("kind", "modes"), [("ring", 8), ("grid", 25)])
def test_charts_are_found_without_a_number(kind: str, modes: int) -> None:
    composition = compose(RECIPE, f"data={{kind: {kind}, items: 2048}}")
    (atlas,) = (part for part in composition.modules["generator"].modules() if isinstance(part, Atlas))
    assert int((atlas.log_weights > -100).sum()) == modes


def test_more_clusters_than_there_is_room_for_share_charts() -> None:
    atlas = fit_atlas(ring(), charts=3)
    assert len(atlas.centres) == 3
    assert all(value.isfinite().all() for value in atlas(ring()))


def test_data_without_clusters_have_one_chart() -> None:
    atlas = fit_atlas(torch.randn(64, 2, generator=torch.Generator().manual_seed(0)))
    assert int((atlas.log_weights > -100).sum()) >= 1
    torch.testing.assert_close((atlas.log_weights.exp()).sum(), torch.tensor(1.0))


def test_networks_and_penalty_share_one_fit(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "allmodes.bourgan")
    composition = compose(RECIPE, FEW)
    terms = {"losses/term": composition.terms["bourgan.local_penalty"].loss}
    within = [part for module in {**composition.modules, **terms}.values() for part in module.modules()]
    atlases = {part for part in within if isinstance(part, Atlas)}
    assert len(atlases) == 3
    first, *others = (dict(atlas.named_buffers()) for atlas in atlases)
    assert all(first[name].equal(other[name]) for other in others for name in first)
    assert sum("charts of" in record.message for record in caplog.records) == 1


def test_the_penalty_is_half_the_squared_slope_in_local_units_at_both_sides() -> None:
    composition = compose(RECIPE, FEW)
    step = make_step(composition, 0.7 * torch.randn(6, 2))
    term: Any = composition.terms["bourgan.local_penalty"].loss
    by_hand = torch.zeros(())
    for side in (step.x, step.fake):
        x = side.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(composition.modules["discriminator"](x)[0].sum(), x)
        by_hand = by_hand + 0.5 * (term.atlas.scale(x) * gradient).square().sum(1).mean()
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


def test_a_residual_generator_needs_the_scales_of_a_local_latent() -> None:
    with pytest.raises(SpecError) as error:
        load_spec(RECIPE, "prior={kind: gaussian}")
    assert (
        "generator: bourgan.residual moves items by their local scales, which prior gaussian does not give: "
        "take prior: {kind: bourgan.local}"
    ) in str(error.value)


def fitted(x: Tensor) -> Local:
    prior = Local()
    prior.fit(Fitting(TensorData(x), seeded(0)))
    return prior


def fit_atlas(x: Tensor, charts: int = 12) -> Atlas:
    atlas = Atlas(x.shape[1], AtlasOptions(charts=charts))
    atlas.fit(Fitting(TensorData(x), seeded(0)))
    return atlas


def ring() -> Tensor:
    angle = torch.arange(800) * torch.pi / 4
    noise = torch.randn(800, 2, generator=torch.Generator().manual_seed(0))
    return torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * noise
