"""ALI and BiGAN against their objectives, written out by hand for networks of a few units."""

import math
import re
import sys
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import softplus

import allmodes.builtin
import allmodes_baselines
from allmodes import Network, Registry, SpecError, TurnConfig, installed
from allmodes.data.batch import Batch
from allmodes.engine.eager import EagerEngine
from allmodes.game.compose import compose
from allmodes.game.composition import Composition
from allmodes.game.noise import Noise, seeded
from allmodes.game.step import Context, Draw, Step
from allmodes.registry.slots import Plugin
from allmodes.specs.loading import load, parse
from allmodes_baselines.ali import Code, GaussianEncoder
from fixtures.distributions import module

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
    spec = parse(SPEC | {"auxiliaries": {"encoder": encoder}}, installed())
    composition = compose(spec, spec.data.build(), seed=0)
    for part in composition.modules.values():
        part.double()
    return composition


def drawn() -> Draw:
    generator = torch.Generator().manual_seed(1)
    x, z, epsilon = (torch.randn(B, n, generator=generator, dtype=torch.float64) for n in (2, K, K))
    return Draw(Batch(x), Noise(None, {"latent/code": z, "encoder/real/epsilon": epsilon}))


def step_of(composition: Composition, draw: Draw) -> Step:
    return Step(Context(composition, composition.weights(0)), draw)


def net(composition: Composition, name: str, *inputs: Tensor) -> Tensor:
    a, b, c, d = composition.modules[name].parameters()
    return torch.tanh(torch.cat(inputs, 1) @ a.T + b) @ c.T + d


def z_hat(composition: Composition, draw: Draw, noise: str) -> Tensor:
    given = net(composition, "encoder", draw.batch.x)
    if noise == "none":
        return given
    return given[:, :K] + torch.exp(given[:, K:] / 2) * draw.noise.drawn["encoder/real/epsilon"]


def logits(composition: Composition, draw: Draw, noise: str) -> tuple[Tensor, Tensor]:
    """D(x, z_hat) and D(G(z), z)."""
    z = draw.noise.drawn["latent/code"]
    real = net(composition, "discriminator", draw.batch.x, z_hat(composition, draw, noise))
    return real, net(composition, "discriminator", net(composition, "generator", z), z)


@pytest.mark.parametrize("noise", NOISES)
def test_the_discriminator_tells_encoded_from_generated_pairs(noise: str) -> None:
    composition, draw = composed(noise), drawn()
    real, fake = logits(composition, draw, noise)
    expected = -torch.log(torch.sigmoid(real)).mean() - torch.log(1 - torch.sigmoid(fake)).mean()
    torch.testing.assert_close(composition.objective("discriminator", step_of(composition, draw)), expected)


@pytest.mark.parametrize("noise", NOISES)
def test_generator_and_encoder_lower_the_loss_with_the_labels_exchanged(noise: str) -> None:
    composition, draw = composed(noise), drawn()
    real, fake = logits(composition, draw, noise)
    expected = -torch.log(1 - torch.sigmoid(real)).mean() - torch.log(torch.sigmoid(fake)).mean()
    torch.testing.assert_close(composition.objective("generator", step_of(composition, draw)), expected)


@pytest.mark.parametrize("noise", NOISES)
def test_the_encoder_learns_through_the_real_side_and_the_generator_through_the_other(noise: str) -> None:
    composition, draw = composed(noise), drawn()
    mine = composition.objective("generator", step_of(composition, draw))
    real, fake = logits(composition, draw, noise)
    for name, loss in (("encoder", softplus(real).mean()), ("generator", softplus(-fake).mean())):
        weights = list(composition.modules[name].parameters())
        gradients = torch.autograd.grad(mine, weights, retain_graph=True)
        assert all(gradient.any() for gradient in gradients)
        torch.testing.assert_close(gradients, torch.autograd.grad(loss, weights), rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("noise", NOISES)
def test_the_encoders_gradient_is_that_of_finite_differences(noise: str) -> None:
    composition, draw, h = composed(noise), drawn(), 1e-6
    weight = next(composition.modules["encoder"].parameters())

    def loss() -> Tensor:
        return composition.objective("generator", step_of(composition, draw))

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
    composition = composed("gaussian")
    before = {name: [p.detach().clone() for p in part.parameters()] for name, part in composition.modules.items()}
    EagerEngine(composition).update(TurnConfig(player=player), drawn())
    after = {name: list(part.parameters()) for name, part in composition.modules.items()}
    assert {name for name in before if not all(map(torch.equal, before[name], after[name]))} == moved


def test_a_code_has_the_mean_and_the_variance_that_the_encoder_says() -> None:
    output = Code(torch.full((400, 250), 3.0), torch.full((400, 250), math.log(4.0)))
    code = GaussianEncoder(Network()).code(output, seeded(0))
    assert float(code.mean()) == pytest.approx(3.0, abs=0.03)
    assert float(code.std()) == pytest.approx(2.0, rel=0.01)


def test_an_encoder_is_alis_unless_asked_otherwise() -> None:
    assert parse(SPEC, installed()).auxiliaries["encoder"].model_dump()["noise"] == "gaussian"


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
FROZEN = """
from typing import ClassVar, Literal

from allmodes import AuxiliaryConfig, hookimpl


class FrozenConfig(AuxiliaryConfig):
    kind: Literal["acme.frozen"] = "acme.frozen"
    trained_by: ClassVar = ()


@hookimpl
def allmodes_auxiliary_networks():
    return (FrozenConfig,)
"""


@pytest.mark.parametrize("message", LACKING)
def test_a_spec_without_pairs_or_a_trained_encoder_is_refused_with_what_to_write(message: str) -> None:
    registry = Registry()
    registry.register(allmodes.builtin, Plugin("allmodes", "allmodes", "0.1.0"))
    registry.register(allmodes_baselines, Plugin("baselines", "allmodes-baselines", "0.1.0"))
    sys.modules.pop("allmodes_made", None)
    registry.register(module(FROZEN), Plugin("acme", "allmodes-acme", "1.0"))
    with pytest.raises(SpecError, match=re.escape(message)):
        parse(SPEC | LACKING[message], registry)


def test_bigans_recipe_is_alis_without_the_noise() -> None:
    ali, bigan = (load(f"baselines/{name}-ring", installed()).model_dump(mode="json") for name in ("ali", "bigan"))
    ali["auxiliaries"]["encoder"]["noise"] = "none"
    differing = {key for key in ali if ali[key] != bigan[key]}
    assert differing == {"name", "description"}
