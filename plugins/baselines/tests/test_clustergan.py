"""ClusterGAN against its definition: latent, inversion by torch's own losses, and clusters read from the encoder."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy, mse_loss

from allmodes import CompositionError, Experiment, SpecError, seeded
from allmodes.testing import check_turns_under_vmap, compose, find_gradients, load_spec, make_step, take_turn
from allmodes_baselines.clustergan import ClusterLatent

B = 8
MLP = {"kind": "mlp", "hidden": [8], "activation": "tanh"}
INVERSION, ENCODER = "baselines.cluster_inversion", "baselines.cluster_encoder"
SPEC: Mapping[str, Any] = {
    "name": "tiny",
    "data": {"kind": "ring"},
    "prior": {"kind": "baselines.cluster_latent", "noise_dim": 3, "modes": 4},
    "generator": MLP,
    "discriminator": MLP,
    "auxiliaries": {"encoder": {"kind": ENCODER, "network": MLP}},
    "losses": [
        {"kind": "wasserstein"}, {"kind": "gradient_penalty"}, {"kind": INVERSION, "beta_n": 10.0, "beta_c": 5.0},
    ],
    "training": {"iterations": 2, "batch_size": B, "device": "cpu", "discriminator_updates": 2},
    "evaluation": {"samples": 64, "figure": False, "metrics": [
        {"kind": "clustering", "auxiliary": "encoder", "part": "y"},
        {"kind": "clustering", "auxiliary": "encoder", "part": "z", "by": "kmeans"},
    ]},
}  # fmt: skip
X = torch.randn(B, 2, generator=torch.Generator().manual_seed(2))


def test_the_latent_is_narrow_noise_beside_a_unit_vector() -> None:
    latent = ClusterLatent(noise_dim=3, modes=4)(seeded(0), 20_000)
    assert torch.equal(latent.z, torch.cat([latent.part("noise"), latent.part("mode")], 1))
    torch.testing.assert_close(latent.part("noise").std(0), torch.full((3,), 0.1), atol=0.002, rtol=0)
    torch.testing.assert_close(latent.part("noise").mean(0), torch.zeros(3), atol=0.003, rtol=0)
    held = torch.full((5, 3), 0.7)
    assert torch.equal(ClusterLatent(3, 4)(seeded(0), 5, {"noise": held}).z[:, :3], held)


def test_the_term_is_both_distances_weighted_with_the_gradients_that_torchs_losses_have() -> None:
    composition = compose(SPEC)
    step = make_step(composition, X)
    value = composition.terms[INVERSION].loss(step, "generator")
    G, E = (composition.modules[name] for name in ("generator", "encoder"))
    z = step.latent.z
    output = E.network(G(z))
    expected = 10 * mse_loss(output[:, :3], z[:, :3]) + 5 * cross_entropy(output[:, 3:], z[:, 3:].argmax(1))
    torch.testing.assert_close(value, expected)
    names = ("generator", "encoder", "discriminator")
    found, wanted = find_gradients(value, composition, *names), find_gradients(expected, composition, *names)
    for name in ("generator", "encoder"):
        torch.testing.assert_close(found[name], wanted[name])
        assert all(g is not None and g.any() for g in found[name])
    assert set(found["discriminator"]) == {None}


def test_the_encoder_gives_noise_logits_and_the_whole_latent_with_probabilities() -> None:
    composition = compose(SPEC)
    z_n, y, z = encoded = make_step(composition, X).auxiliary("encoder", "real")
    assert (z_n.shape, y.shape) == ((B, 3), (B, 4))
    torch.testing.assert_close(z, torch.cat([z_n, y.exp() / y.exp().sum(1, keepdim=True)], 1))
    assert torch.equal(composition.auxiliary_module("encoder").code(encoded, seeded(0)), z)


# Who is trained


def test_the_generators_turn_moves_generator_and_encoder_and_the_discriminators_itself() -> None:
    assert take_turn(compose(SPEC), "generator", X) == {"generator", "encoder"}
    assert take_turn(compose(SPEC), "discriminator", X) == {"discriminator"}


def test_eager_turns_equal_pure_ones_under_vmap() -> None:
    check_turns_under_vmap(compose(SPEC), 2)


def test_clusters_are_measured_by_the_largest_logit_and_by_k_means_on_the_latent(tmp_path: Path) -> None:
    results = Experiment.from_spec(SPEC, track=False, folder=tmp_path).run()
    assert results.status == "finished"
    names = {f"{name}_{by}" for name in ("acc", "purity", "nmi", "ari") for by in ("argmax", "kmeans")}
    assert names <= set(results.metrics)


def test_the_recipe_for_mnist_has_the_released_settings() -> None:
    spec = load_spec("baselines/clustergan-mnist")
    inversion = spec.losses[-1]
    assert (spec.prior.noise_dim, spec.prior.modes, spec.prior.std) == (30, 10, 0.1)
    assert (inversion.beta_n, inversion.beta_c) == (10.0, 10.0)
    assert (spec.training.discriminator_updates, spec.training.batch_size) == (5, 64)
    assert (spec.training.optimizer.lr, spec.training.optimizer.betas) == (1e-4, (0.5, 0.9))


# What is refused


CHANGES = {
    "no encoder": {"auxiliaries": {}, "evaluation": {}},
    "no modes": {"prior": {"kind": "gaussian", "dim": 5, "nuisance_dim": 2}},
    "another auxiliary": {"auxiliaries": {"encoder": {"kind": "baselines.q_head"}}, "evaluation": {}},
}
MESSAGES = {
    "no encoder": "baselines.cluster_inversion needs an auxiliary that maps data to mode; none is defined: add "
    "auxiliaries.encoder: {kind: baselines.cluster_encoder}",
    "no modes": "baselines.cluster_inversion needs a latent part 'mode', which prior gaussian does not have: add "
    "prior: {kind: baselines.cluster_latent}",
    "another auxiliary": "baselines.cluster_inversion reads a baselines.cluster_encoder, which auxiliary 'encoder' "
    "(baselines.q_head) is not: add auxiliaries.encoder: {kind: baselines.cluster_encoder}",
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_spec_that_lacks_a_part_of_clustergan_is_refused_with_the_line_to_add(change: str) -> None:
    with pytest.raises(SpecError, match=re.escape(MESSAGES[change])):
        load_spec({**SPEC, **CHANGES[change]})


def test_an_encoder_beside_a_latent_without_modes_is_refused() -> None:
    message = (
        "baselines.cluster_encoder estimates noise and modes, which the prior lacks: take prior: "
        "{kind: baselines.cluster_latent}"
    )
    with pytest.raises(CompositionError, match=re.escape(message)):
        compose({**SPEC, "prior": {"kind": "gaussian"}, "losses": [{"kind": "non_saturating"}], "evaluation": {}})
