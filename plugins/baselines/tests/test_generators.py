"""Several generators in one against each of them alone, and the latent that picks them."""

import pytest
import torch
from torch import Tensor

from allmodes import DcganConfig, Fitting, GaussianConfig, MlpConfig, NetworkConfig, Prior, seeded
from allmodes.testing import compose, make_step
from allmodes_baselines.configs.deligan import MixtureOfGaussiansConfig
from allmodes_baselines.configs.generators import GeneratorsConfig, ModesConfig

B, K = 9, 3
MLP = MlpConfig(hidden=(8,), activation="tanh")
Z = torch.cat([torch.randn(B, 2, generator=torch.Generator().manual_seed(0)), torch.eye(K).repeat(3, 1)], 1)


def prior(modes: int = K) -> Prior:
    built: Prior = ModesConfig(prior=GaussianConfig(dim=2, nuisance_dim=1), modes=modes).build()
    built.fit(Fitting(None, seeded(0)))  # type: ignore[arg-type]
    return built


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("inner", "gives"), [(MLP, (2,)), (DcganConfig(channels=2, batch_norm=False), (1, 8, 8))])
def test_an_item_is_that_of_the_generator_which_its_mode_names(
    inner: NetworkConfig, gives: tuple[int, ...], shared: bool
) -> None:
    network = GeneratorsConfig(network=inner, k=K, shared=shared).build(((5,),), gives)
    each = [trunk.network for trunk in network.trunk.each]
    for i, (z, item) in enumerate(zip(Z, network(Z), strict=True)):
        features = each[i % K].trunk(z[None, :2])
        alone: Tensor = each[0 if shared else i % K].head(features)[0]
        torch.testing.assert_close(item, alone)


def test_a_generator_learns_from_its_own_items_alone() -> None:
    network = GeneratorsConfig(network=MLP, k=K).build(((5,),), (2,))
    network(Z[1:2]).square().sum().backward()  # of mode 1
    each = [[p.grad for p in trunk.parameters()] for trunk in network.trunk.each]
    reached = [any(g is not None and bool(g.any()) for g in gradients) for gradients in each]
    assert reached == [False, True, False]


def test_shared_generators_have_one_head() -> None:
    sizes = [
        sum(p.numel() for p in GeneratorsConfig(network=MLP, k=K, shared=shared).build(((5,),), (2,)).parameters())
        for shared in (False, True)
    ]
    trunk, head = 2 * 8 + 8, 8 * 2 + 2
    assert sizes == [K * (trunk + head), K * trunk + head]
    assert GeneratorsConfig(network=MLP, k=K).parameters(((5,),), (2,)) == K * (trunk + head)


def test_a_latent_without_room_for_the_modes_is_refused() -> None:
    message = "baselines.generators picks by the last 3 entries of a latent that has more, not by ((3,),)"
    assert GeneratorsConfig(k=K).misfit(((K,),), (2,)) == message


def test_the_latent_is_that_inside_beside_an_equally_likely_mode() -> None:
    latent = prior()(seeded(0), 30_000)
    assert {name: part.shape[1] for name, part in latent.parts.items()} == {"code": 2, "nuisance": 1, "mode": 3}
    parts = torch.cat([latent.code, latent.part("nuisance"), latent.part("mode")], 1)
    assert torch.equal(latent.z, parts)
    torch.testing.assert_close(latent.part("mode").mean(0), torch.full((K,), 1 / K), rtol=0, atol=0.01)
    assert torch.equal(latent.part("mode").sum(1), torch.ones(30_000))
    torch.testing.assert_close(latent.code.std(0), torch.ones(2), rtol=0, atol=0.02)


def test_it_offers_the_shares_of_its_modes_and_what_the_latent_inside_offers() -> None:
    config = ModesConfig(prior=MixtureOfGaussiansConfig(dim=3, modes=4), modes=K)
    assert config.offers == ("weights", "sigma")
    assert torch.equal(config.build().offer("weights"), torch.full((K,), 1 / K))
    assert config.build().offer("sigma").shape == (4, 3)


def test_parts_that_are_held_fixed_are_those_of_the_latent_inside_too() -> None:
    code = torch.randn(B, 2)
    latent = prior()(seeded(0), B, {"mode": torch.arange(B) % K, "code": code})
    assert torch.equal(latent.code, code)
    assert torch.equal(latent.part("mode").argmax(1), torch.arange(B) % K)


def test_a_loss_sees_which_generator_made_an_item() -> None:
    mlp = {"kind": "mlp", "hidden": [8]}
    spec = {
        "name": "tiny",
        "data": {"kind": "ring"},
        "prior": {"kind": "baselines.modes", "prior": {"kind": "gaussian", "dim": 2}, "modes": K},
        "generator": {"kind": "baselines.generators", "network": mlp, "k": K},
        "discriminator": mlp,
        "losses": [{"kind": "non_saturating"}],
        "training": {"iterations": 2, "batch_size": B, "device": "cpu"},
    }
    composition = compose(spec)
    step = make_step(composition, torch.randn(B, 2))
    mode, each = step.latent.part("mode").argmax(1), composition.modules["generator"].trunk.each  # type: ignore[union-attr]
    for i, item in enumerate(step.fake):
        alone = each[int(mode[i])].network(step.latent.z[i : i + 1, :2])[0]  # type: ignore[index]
        torch.testing.assert_close(item, alone)
