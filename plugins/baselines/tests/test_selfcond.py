"""The self-conditioned GAN: its clusters, their numbers, the latent that follows them, and a score for each class."""

import re
from typing import Any

import pytest
import torch
from torch import Tensor

from allmodes import Fitting, SpecError, seeded
from allmodes.testing import check_turns_under_vmap, compose, find_gradients, load_spec, make_step, take_turn
from allmodes_baselines.cluster_shares import ClusterShares
from allmodes_baselines.kmeans import cluster, match, means
from allmodes_baselines.modes import unit
from allmodes_baselines.selfcond import Clusters

B, K = 8, 3
MLP = {"kind": "mlp", "hidden": [5], "activation": "tanh"}
X = torch.randn(B, 2, generator=torch.Generator().manual_seed(2))


def spec(pack: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "name": "tiny",
        "data": {"kind": "ring"},
        "prior": {"kind": "baselines.cluster_shares", "noise_dim": 2, "modes": K},
        "generator": MLP,
        "discriminator": {"kind": "baselines.masked", "network": MLP, "joint": "clusters", "pack": pack},
        "auxiliaries": {"clusters": {"kind": "baselines.clusters", "network": MLP, "items": 200, "pack": pack}},
        "losses": [{"kind": "non_saturating"}],
        "training": {"batch_size": B},
        **changes,
    }


def blobs(n: int = 90) -> tuple[Tensor, Tensor]:
    """Items in three far places, half of them in the first, and their places as unit vectors."""
    where = torch.arange(n) % 4 % 3
    items = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])[where] + 0.1 * torch.randn(n, 2)
    return items, unit(where, K, torch.float32)


# Clusters


def test_clusters_are_those_of_k_means_and_a_seed_gives_the_same_again() -> None:
    items, true = blobs()
    centres, found = cluster(items, None, K, torch.Generator().manual_seed(0))
    again, _ = cluster(items, None, K, torch.Generator().manual_seed(0))
    assert torch.equal(centres, again)
    assert torch.equal(found[:, match(true, found)], true)
    torch.testing.assert_close(centres[match(true, found)], means(items, true))


def test_new_clusters_take_the_numbers_of_the_old_ones() -> None:
    items, true = blobs()
    for order in ([0, 1, 2], [2, 0, 1], [1, 0, 2]):
        _, found = cluster(items, true[:, order], K, torch.Generator().manual_seed(0))
        assert torch.equal(found, true[:, order])


def test_an_empty_cluster_begins_at_an_item() -> None:
    items, true = blobs()
    none = torch.cat([true[:, :2] + true[:, 2:] * torch.tensor([1.0, 0.0]), torch.zeros(len(items), 1)], 1)
    torch.testing.assert_close(means(items, none)[2], items[2])


# The latent


def test_modes_are_drawn_by_their_shares_and_are_the_code() -> None:
    prior = ClusterShares(noise_dim=2, modes=K)
    prior.weights.copy_(torch.tensor([0.5, 0.0, 0.5]))
    latent = prior(seeded(0), 20_000)
    torch.testing.assert_close(latent.code.mean(0), prior.weights, atol=0.01, rtol=0)
    assert torch.equal(latent.z, torch.cat([latent.part("noise"), latent.code], 1))


# In a composition


def test_a_fit_copies_the_discriminators_features_and_its_clusters_shares() -> None:
    composition = compose(spec())
    clusters, D, prior = (composition.modules[name] for name in ("clusters", "discriminator", "prior"))
    assert isinstance(clusters, Clusters)
    phi = D.network.trunk.phi
    nearest = torch.cdist(phi(X), clusters.centres).argmin(1)
    assert torch.equal(clusters(X), unit(nearest, K, torch.float32))
    assert float(prior.weights.sum()) == pytest.approx(1)
    for _ in range(5):
        take_turn(composition, "discriminator", X)
    torch.testing.assert_close(clusters.phi(X), clusters.features(X))
    assert not torch.equal(clusters.phi(X), phi(X))  # frozen until the next fit


def test_a_fit_again_sees_the_features_of_now() -> None:
    composition = compose(spec())
    clusters = composition.modules["clusters"]
    take_turn(composition, "discriminator", X)
    data = load_spec(spec()).data.build()
    with torch.no_grad():
        clusters.fit(Fitting(data, seeded(0), modules=composition.modules, iteration=5000))
    torch.testing.assert_close(clusters.phi(X), composition.modules["discriminator"].network.trunk.phi(X))


def test_the_score_is_the_output_of_the_class() -> None:
    composition = compose(spec())
    step, D = make_step(composition, X), composition.modules["discriminator"].network
    outputs = D.head.linear(D.trunk.phi(step.fake))
    torch.testing.assert_close(step.score("fake"), outputs[torch.arange(B), step.latent.code.argmax(1)])
    torch.testing.assert_close(step.seen("real")[1], step.code("clusters", "real"))


def test_nothing_trains_the_frozen_copy() -> None:
    composition = compose(spec())
    step = make_step(composition, X)
    value = composition.objective("discriminator", step)
    assert set(find_gradients(value, composition, "discriminator")["discriminator"][:2]) != {None}
    assert take_turn(composition, "discriminator", X) == {"discriminator"}
    assert take_turn(composition, "generator", X) == {"generator"}


@pytest.mark.parametrize("pack", [1, 2])
def test_eager_turns_equal_pure_ones_under_any_game(pack: int) -> None:
    losses = [{"kind": "relativistic"}, {"kind": "r1"}, {"kind": "baselines.dragan"}]
    check_turns_under_vmap(compose(spec(pack, losses=losses)), 2)


def test_clusters_are_found_as_in_evaluation() -> None:
    body = {**MLP, "batch_norm": True, "dropout": 0.5}
    clusters = {"kind": "baselines.clusters", "network": body, "items": 200}
    discriminator = {"kind": "baselines.masked", "network": body, "joint": "clusters"}
    composition = compose(spec(discriminator=discriminator, auxiliaries={"clusters": clusters}))
    first, second = (make_step(composition, X, seeded(i)) for i in (1, 2))
    assert torch.equal(first.code("clusters", "real"), second.code("clusters", "real"))


def test_clusters_of_another_network_are_refused() -> None:
    message = "clusters are found in the discriminator's features: give them its network and its pack"
    with pytest.raises(SpecError, match=re.escape(message)):
        load_spec(spec(auxiliaries={"clusters": {"kind": "baselines.clusters"}}))


def test_a_discriminator_that_is_not_joint_with_clusters_is_refused() -> None:
    message = "baselines.cluster_shares has the shares of clusters that the discriminator is joint with: add "
    with pytest.raises(SpecError, match=re.escape(message)):
        load_spec(spec(discriminator=MLP))
    with pytest.raises(SpecError, match="masked scores an item by its class: take it as a discriminator, with joint"):
        load_spec(spec(discriminator={"kind": "baselines.masked", "network": MLP}))
