"""Transforms of what D sees against their formulas; the rules of ADA, instance noise and Diffusion-GAN by hand."""

import math
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from allmodes import DcganConfig, MlpConfig, Noise, seeded
from allmodes.testing import Composition, compose, make_step, take_turn
from allmodes_baselines.augment import NOISE, TRANSFORMS
from allmodes_baselines.configs.augment import AdaConfig, DiffAugmentConfig
from allmodes_baselines.configs.diffusion import DiffusionConfig
from allmodes_baselines.configs.instance_noise import InstanceNoiseConfig

B, SIDE = 6, 8
DCGAN = DcganConfig(channels=2, batch_norm=False)
X = torch.randn(B, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
POINTS = torch.randn(B, 2, generator=torch.Generator().manual_seed(1))


def drawn(**values: list[float]) -> Noise:
    """A source whose draws for two items are given."""
    shapes: Mapping[str, tuple[int, ...]] = dict.fromkeys(("b", "s", "c", "flip", "turn"), (2, 1, 1, 1))
    return Noise(None, {name: torch.tensor(v).reshape(shapes.get(name, (2, 1))) for name, v in values.items()})


# Transforms


def test_colour_changes_brightness_saturation_and_contrast() -> None:
    x = X[:2]
    found = TRANSFORMS["color"](x, drawn(b=[0.7, 0.5], s=[0.25, 0.5], c=[0.5, 0.75]))
    brighter = x[0] + 0.2
    grey = brighter.mean(0, keepdim=True)
    torch.testing.assert_close(found[0], grey + 0.5 * (brighter - grey))
    torch.testing.assert_close(found[1], x[1].mean() + 1.25 * (x[1] - x[1].mean()))


def test_translation_shifts_by_at_most_an_eighth_and_zeros_come_in() -> None:
    found = TRANSFORMS["translation"](X[:2], drawn(shift2=[0.99, 0.0], shift3=[0.5, 0.0]))  # down; up and left, by 1
    torch.testing.assert_close(found[0, :, 1:], X[0, :, :-1])
    assert not found[0, :, 0].any()
    torch.testing.assert_close(found[1, :, :-1, :-1], X[1, :, 1:, 1:])
    assert not found[1, :, -1].any()
    assert not found[1, :, :, -1].any()


def test_cutout_hides_half_the_sides_around_a_pixel_and_what_lies_outside_is_lost() -> None:
    found = TRANSFORMS["cutout"](X[:2], drawn(centre2=[0.5, 0.0], centre3=[0.5, 0.0]))  # at 4; at 0
    hidden = torch.zeros(2, SIDE, SIDE, dtype=torch.bool)
    hidden[0, 2:6, 2:6] = True
    hidden[1, :2, :2] = True
    torch.testing.assert_close(found, torch.where(hidden[:, None], 0, X[:2]))


def test_a_flip_mirrors_every_second_item() -> None:
    found = TRANSFORMS["flip"](X[:2], drawn(flip=[0.49, 0.5]))
    torch.testing.assert_close(found, torch.stack([X[0].flip(2), X[1]]))


def test_a_turn_is_a_number_of_quarters() -> None:
    found = TRANSFORMS["turn"](X[:2], drawn(turn=[0.8, 0.3]))
    torch.testing.assert_close(found, torch.stack([X[0].rot90(3, (1, 2)), X[1].rot90(1, (1, 2))]))


def test_noise_has_a_half_normal_width() -> None:
    noise = TRANSFORMS["noise"](torch.zeros(20_000, 2), seeded(0))
    assert float(noise.std()) == pytest.approx(NOISE, rel=0.05)  # the mean square of the width is NOISE squared
    width = noise.norm(dim=1)
    half_normal, rayleigh = math.sqrt(2 / math.pi), math.sqrt(math.pi / 2)
    assert float(width.mean()) == pytest.approx(NOISE * half_normal * rayleigh, rel=0.05)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_is_differentiable_and_has_a_draw_for_each_item(name: str) -> None:
    x, noise = X.double().requires_grad_(), seeded(0)
    TRANSFORMS[name](x, noise)
    noise.drawn.update({key: value.double() for key, value in noise.drawn.items()})
    assert torch.autograd.gradcheck(lambda x: TRANSFORMS[name](x, noise), [x])
    same = TRANSFORMS[name](X[:1].expand(200, -1, -1, -1), seeded(0))
    assert len(torch.unique(same.flatten(1), dim=0)) > 1
    assert same.shape == (200, *X.shape[1:])


# Discriminators


WRAPPED = {
    "diff_augment": DiffAugmentConfig(network=DCGAN),
    "ada": AdaConfig(network=DCGAN, transforms=("flip", "turn", "color")),
    "instance_noise": InstanceNoiseConfig(network=DCGAN),
    "diffusion": DiffusionConfig(network=DCGAN),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_it_transforms_in_training_alone(name: str) -> None:
    network = WRAPPED[name].build((X.shape[1:],), (1,))
    inner, beside = network.trunk.network, (torch.zeros(B, 1),) if name == "diffusion" else ()
    if name == "ada":
        network.trunk.p.fill_(1)
    network.trunk.noise = seeded(0)
    assert not torch.equal(network(X), inner(X, *beside))
    network.eval()
    torch.testing.assert_close(network(X), inner(X, *beside), rtol=0, atol=0)


def test_data_and_generated_items_have_draws_of_their_own_the_same_in_a_step() -> None:
    composition = compose(spec({"kind": "baselines.ada", "transforms": ["noise"]}))
    composition.modules["discriminator"].get_buffer("network.trunk.p").fill_(1)
    step = make_step(composition, POINTS)
    scores = [step.score(step.view(name, POINTS)) for name in ("tests.one", "tests.two")]
    assert not torch.equal(*scores)
    assert torch.equal(step.score("tests.one"), scores[0])


@pytest.mark.parametrize("config", [DiffAugmentConfig, AdaConfig])
def test_transforms_of_images_are_refused_for_points(config: Any) -> None:
    message = "color transforms images, not items of shape (2,): set transforms: [noise]"
    assert config(network=MlpConfig()).misfit(((2,),), (1,)) == message
    assert config(network=MlpConfig(), transforms=("noise",)).misfit(((2,),), (1,)) is None


def test_images_that_are_not_square_cannot_be_turned() -> None:
    config = DiffAugmentConfig(network=MlpConfig(), transforms=("flip", "turn"))
    message = "turn needs square images, not (1, 8, 10): leave it out of transforms"
    assert config.misfit(((1, 8, 10),), (1,)) == message
    assert config.misfit(((1, 8, 8),), (1,)) is None


def test_ada_transforms_the_share_p_of_items() -> None:
    network, x = AdaConfig(network=MlpConfig(), transforms=("noise",)).build(((2,),), (2,)), torch.zeros(20_000, 2)
    seen: list[Tensor] = []
    network.trunk.network.trunk.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    for p in (0.0, 0.3, 1.0):
        network.trunk.p.fill_(p)
        network.trunk.noise = seeded(0)
        network(x)
        assert float(seen[-1].any(1).float().mean()) == pytest.approx(p, abs=0.01)


# Rules


def spec(discriminator: dict[str, Any]) -> dict[str, Any]:
    mlp = {"kind": "mlp", "hidden": [8]}
    return {
        "name": "tiny",
        "data": {"kind": "ring"},
        "prior": {"kind": "gaussian", "dim": 2},
        "generator": mlp,
        "discriminator": {"network": mlp, **discriminator},
        "losses": [{"kind": "non_saturating"}],
        "training": {"iterations": 2, "batch_size": B, "device": "cpu"},
    }


def sure(composition: Composition, logit: float) -> Composition:
    """Let the discriminator give every item one score."""
    with torch.no_grad():
        for parameter in composition.modules["discriminator"].parameters():
            parameter.zero_()
        list(composition.modules["discriminator"].parameters())[-1].fill_(logit)
    return composition


@pytest.mark.parametrize(("logit", "expected"), [(3.0, 0.5 + 6 / 60), (-3.0, 0.5 - 6 / 60)])
def test_adas_p_moves_by_the_share_of_items_towards_its_target(logit: float, expected: float) -> None:
    composition = sure(compose(spec({"kind": "baselines.ada", "transforms": ["noise"], "items": 60})), logit)
    p = composition.modules["discriminator"].get_buffer("network.trunk.p").fill_(0.5)
    take_turn(composition, "generator", POINTS)
    assert float(p) == 0.5
    take_turn(composition, "discriminator", POINTS)
    assert float(p) == pytest.approx(expected)


def test_adas_p_stays_between_zero_and_one() -> None:
    for logit, end in ((3.0, 1.0), (-3.0, 0.0)):
        composition = sure(compose(spec({"kind": "baselines.ada", "transforms": ["noise"], "items": 10})), logit)
        for _ in range(3):
            take_turn(composition, "discriminator", POINTS)
        assert float(composition.modules["discriminator"].get_buffer("network.trunk.p")) == end


def test_instance_noise_falls_linearly_to_none() -> None:
    composition = compose(spec({"kind": "baselines.instance_noise", "std": 0.4, "over": 4}))
    std = composition.modules["discriminator"].get_buffer("network.trunk.std")
    found = [float(std)]
    for iteration in range(6):
        take_turn(composition, "discriminator", POINTS, iteration=iteration)
        found.append(float(std))
    assert found == pytest.approx([0.4, 0.3, 0.2, 0.1, 0, 0, 0])


def test_instance_noise_has_its_standard_deviation() -> None:
    network = InstanceNoiseConfig(network=MlpConfig(hidden=()), std=0.3).build(((2,),), (2,))
    seen: list[Tensor] = []
    network.trunk.network.trunk.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network.trunk.noise = seeded(0)
    network(torch.zeros(20_000, 2))
    assert float(seen[0].std()) == pytest.approx(0.3, rel=0.02)


def test_diffused_items_have_the_moments_of_their_step() -> None:
    network = DiffusionConfig(network=MlpConfig(hidden=()), std=0.5).build(((1,),), (1,))
    seen: list[tuple[Tensor, ...]] = []
    network.trunk.network.trunk.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
    network.trunk.longest.fill_(100)
    network.trunk.noise = seeded(0)
    network(torch.full((400_000, 1), 2.0))
    x, steps = seen[0][0], (1000 * seen[0][1]).round().long()
    assert (int(steps.min()), int(steps.max())) == (0, 100)
    for t in (0, 1, 100):
        beta = [1e-4 + (0.02 - 1e-4) * i / 999 for i in range(t)]
        alpha = math.prod(1 - b for b in beta)
        items = x[steps == t]
        assert float(items.mean()) == pytest.approx(2 * math.sqrt(alpha), abs=0.02)
        assert float(items.std()) == pytest.approx(0.5 * math.sqrt(1 - alpha), abs=0.01)


@pytest.mark.parametrize(("logit", "expected"), [(3.0, 22.0), (-3.0, 18.0)])
def test_the_chain_is_longer_for_a_discriminator_that_is_too_sure(logit: float, expected: float) -> None:
    composition = sure(compose(spec({"kind": "baselines.diffusion", "speed": 2.0})), logit)
    longest = composition.modules["discriminator"].get_buffer("network.trunk.longest").fill_(20)
    take_turn(composition, "discriminator", POINTS)
    assert float(longest) == expected
