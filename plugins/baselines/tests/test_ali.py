"""ALI and BiGAN against their objectives, written out by hand for networks of a few units."""

import math
import re
from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

from allmodes import AuxiliaryConfig, Gaussian, Network, Plugin, SpecError, Step, hookimpl, installed, seeded
from allmodes.testing import Composition, compose, load_spec, make_step, take_turn
from allmodes_baselines.ali import GaussianEncoder

B, K = 8, 3
BODY = {"kind": "mlp", "hidden": [5], "activation": "tanh"}
SPEC: dict[str, Any] = {
    "name": "tiny",
    "data": {"kind": "ring"},
    "prior": {"kind": "gaussian", "dim": K},
    "generator": BODY,
    "discriminator": BODY | {"joint": "encoder"},
    "auxiliaries": {"encoder": {"kind": "baselines.encoder", "network": BODY}},
    "losses": [{"kind": "baselines.ali"}],
    "training": {"batch_size": B},
}
NOISES = ["gaussian", "none"]


def composed(noise: str) -> Composition:
    encoder = {"kind": "baselines.encoder", "network": BODY, "noise": noise}
    return compose(SPEC | {"auxiliaries": {"encoder": encoder}}, double=True)


def drawn() -> tuple[Tensor, dict[str, Tensor]]:
    """Items x and the draws of z and epsilon."""
    generator = torch.Generator().manual_seed(1)
    x, z, epsilon = (torch.randn(B, n, generator=generator, dtype=torch.float64) for n in (2, K, K))
    return x, {"latent/code": z, "encoder/real/epsilon": epsilon}


def net(composition: Composition, name: str, *inputs: Tensor) -> Tensor:
    a, b, c, d = composition.modules[name].parameters()
    return torch.tanh(torch.cat(inputs, 1) @ a.T + b) @ c.T + d


def z_hat(composition: Composition, step: Step, noise: str) -> Tensor:
    given = net(composition, "encoder", step.x)
    if noise == "none":
        return given
    return given[:, :K] + torch.exp(given[:, K:] / 2) * step.noise.drawn["encoder/real/epsilon"]


def logits(composition: Composition, step: Step, noise: str) -> tuple[Tensor, Tensor]:
    """D(x, z_hat) and D(G(z), z)."""
    z = step.noise.drawn["latent/code"]
    real = net(composition, "discriminator", step.x, z_hat(composition, step, noise))
    return real, net(composition, "discriminator", net(composition, "generator", z), z)


@pytest.mark.parametrize("noise", NOISES)
def test_the_discriminator_distinguishes_encoded_from_generated_pairs(noise: str) -> None:
    composition = composed(noise)
    step = make_step(composition, *drawn())
    real, fake = logits(composition, step, noise)
    expected = -torch.log(torch.sigmoid(real)).mean() - torch.log(1 - torch.sigmoid(fake)).mean()
    torch.testing.assert_close(composition.objective("discriminator", step), expected)


@pytest.mark.parametrize("noise", NOISES)
def test_generator_and_encoder_lower_the_loss_with_the_labels_exchanged(noise: str) -> None:
    composition = composed(noise)
    step = make_step(composition, *drawn())
    real, fake = logits(composition, step, noise)
    expected = -torch.log(1 - torch.sigmoid(real)).mean() - torch.log(torch.sigmoid(fake)).mean()
    torch.testing.assert_close(composition.objective("generator", step), expected)


@pytest.mark.parametrize("noise", NOISES)
def test_the_encoder_learns_through_the_real_side_and_the_generator_through_the_other(noise: str) -> None:
    composition = composed(noise)
    step = make_step(composition, *drawn())
    mine = composition.objective("generator", step)
    real, fake = logits(composition, step, noise)
    for name, loss in (("encoder", softplus(real).mean()), ("generator", softplus(-fake).mean())):
        weights = list(composition.modules[name].parameters())
        gradients = torch.autograd.grad(mine, weights, retain_graph=True)
        assert all(gradient.any() for gradient in gradients)
        torch.testing.assert_close(gradients, torch.autograd.grad(loss, weights), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("noise", NOISES)
def test_the_encoders_gradient_is_that_of_finite_differences(noise: str) -> None:
    composition, h = composed(noise), 1e-6
    weight = next(composition.modules["encoder"].parameters())

    def loss() -> Tensor:
        return composition.objective("generator", make_step(composition, *drawn()))

    (gradient,) = torch.autograd.grad(loss(), weight)
    difference = torch.zeros_like(gradient)
    with torch.no_grad():
        for i in range(weight.numel()):
            weight.view(-1)[i] += h
            above = loss()
            weight.view(-1)[i] -= 2 * h
            difference.view(-1)[i] = (above - loss()) / (2 * h)
            weight.view(-1)[i] += h
    torch.testing.assert_close(gradient, difference, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("player", "moved"), [("discriminator", {"discriminator"}), ("generator", {"generator", "encoder"})]
)
def test_a_turn_moves_exactly_the_players_modules(player: str, moved: set[str]) -> None:
    assert take_turn(composed("gaussian"), player, *drawn()) == moved


def test_a_code_has_the_mean_and_the_variance_of_the_encoder() -> None:
    output = Gaussian(torch.full((400, 250), 3.0), torch.full((400, 250), math.log(4.0)))
    code = GaussianEncoder(Network()).code(output, seeded(0))
    assert float(code.mean()) == pytest.approx(3.0, abs=0.03)
    assert float(code.std()) == pytest.approx(2.0, rel=0.01)


def test_an_encoder_is_alis_by_default() -> None:
    assert load_spec(SPEC).auxiliaries["encoder"].model_dump()["noise"] == "gaussian"


ADD = "auxiliaries.encoder: {kind: baselines.encoder}"
LACKING = {
    f"baselines.ali needs an auxiliary that maps data to code; none is defined: add {ADD}": {
        "auxiliaries": {},
        "discriminator": BODY,
    },
    "baselines.ali needs a discriminator that sees a code beside the data: add joint: encoder to discriminator": {
        "discriminator": BODY
    },
    "baselines.ali trains 'encoder' through the generator's player, which acme.frozen does not belong to: "
    "take {kind: baselines.encoder}": {"auxiliaries": {"encoder": {"kind": "acme.frozen"}}},
}


class FrozenConfig(AuxiliaryConfig):
    """An encoder that no player trains."""

    kind: Literal["acme.frozen"] = "acme.frozen"
    trained_by: ClassVar[tuple[str, ...]] = ()


class Acme:
    """Another plugin, with that encoder."""

    @hookimpl
    def allmodes_auxiliary_networks(self) -> Iterable[type[AuxiliaryConfig]]:
        return (FrozenConfig,)


@pytest.mark.parametrize("message", LACKING)
def test_a_spec_without_pairs_or_a_trained_encoder_is_refused_with_the_fix(message: str) -> None:
    registry = installed()
    registry.register(Acme(), Plugin("acme", "allmodes-acme", "1.0"))
    with pytest.raises(SpecError, match=re.escape(message)):
        load_spec(SPEC | LACKING[message], registry=registry)


def test_bigans_recipe_is_alis_without_the_noise() -> None:
    ali, bigan = (load_spec(f"baselines/{name}-ring").model_dump(mode="json") for name in ("ali", "bigan"))
    ali["auxiliaries"]["encoder"]["noise"] = "none"
    differing = {key for key in ali if ali[key] != bigan[key]}
    assert differing == {"name", "description"}
