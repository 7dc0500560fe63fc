"""Networks around a network against their definitions: batch spread, residuals, waves."""

import math

import pytest
import torch
from torch import nn

from allmodes import DcganConfig, MlpConfig
from allmodes_baselines.configs.channels import ChannelsConfig
from allmodes_baselines.configs.fourier import FourierConfig
from allmodes_baselines.configs.minibatch_std import MinibatchStdConfig
from allmodes_baselines.configs.residual import ResidualConfig
from allmodes_baselines.minibatch_std import spread

B = 8
MLP = MlpConfig(hidden=(8,), activation="tanh")

# Minibatch standard deviation


def test_the_spread_is_the_mean_over_entries_of_the_standard_deviation_over_the_batch() -> None:
    features = torch.tensor([[0.0, 1.0, 5.0], [2.0, 1.0, 11.0]])  # deviations 1, 0 and 3
    expected = sum(math.sqrt(variance + 1e-8) for variance in (1, 0, 9)) / 3
    assert float(spread(features)) == pytest.approx(expected)


def test_a_score_sees_the_items_features_and_the_spread_of_its_batch() -> None:
    network = MinibatchStdConfig(network=MLP, hidden=4).build(((2,),), (1,))
    x = torch.randn(B, 2)
    inner = network.trunk.network.trunk(x)
    features = network.trunk(x)
    torch.testing.assert_close(features, torch.cat([inner, spread(inner).expand(B, 1)], 1))
    torch.testing.assert_close(network(x), network.head(features))
    assert network.feature_dim == 9


def test_a_collapsed_batch_is_told_from_a_diverse_one_by_the_spread_alone() -> None:
    network = MinibatchStdConfig(network=MLP, hidden=4).build(((2,),), (1,))
    x = torch.randn(B, 2)
    collapsed = x[:1].expand(B, 2)
    assert torch.equal(network.trunk(x)[0, :-1], network.trunk(collapsed)[0, :-1])
    assert float(network.trunk(collapsed)[0, -1].detach()) == pytest.approx(1e-4)
    assert not torch.allclose(network(x)[0], network(collapsed)[0])


def test_it_says_that_items_depend_on_each_other() -> None:
    assert MinibatchStdConfig().normalises_batches()


# One network for every channel


def test_a_score_joins_the_codes_that_one_network_gives_to_each_channel() -> None:
    network, x = ChannelsConfig(network=MLP, code=4, hidden=(6,)).build(((3, 8, 8),), (1,)), torch.randn(B, 3, 8, 8)
    codes = [torch.nn.functional.leaky_relu(network.trunk.network(x[:, i : i + 1]), 0.2) for i in range(3)]
    torch.testing.assert_close(network(x), network.head(network.trunk.joint(torch.cat(codes, 1))))
    assert network.feature_dim == network.trunk(x).shape[1] == 6


def test_a_generator_makes_each_channel_from_a_code_of_its_own() -> None:
    network, z = ChannelsConfig(network=MLP, code=4, hidden=(6,)).build(((5,),), (3, 8, 8)), torch.randn(B, 5)
    linear, each = network.head
    codes = linear(network.trunk(z)).split(4, 1)
    torch.testing.assert_close(network(z), torch.cat([each.network(code) for code in codes], 1))


@pytest.mark.parametrize(
    ("sees", "gives"), [(((2,),), (1,)), (((3, 8, 8), (3, 8, 8)), (1,)), (((3, 8, 8),), (3, 8, 8))]
)
def test_channels_says_what_it_cannot_map(sees: tuple[tuple[int, ...], ...], gives: tuple[int, ...]) -> None:
    mapped = f"{' and '.join(map(str, sees))} to {gives}"
    expected = f"baselines.channels maps a vector to an image, or an image (and a vector) to a vector, not {mapped}"
    assert ChannelsConfig().misfit(sees, gives) == expected


def test_channels_says_what_the_network_inside_cannot_map() -> None:
    expected = "dcgan takes images of 8 to 128 px, but these have 4 px: resize them"
    assert ChannelsConfig(network=DcganConfig()).misfit(((3, 4, 4),), (1,)) == expected


# Residual generators


@pytest.mark.parametrize("inner", [MLP, ResidualConfig(network=MLP)], ids=["mlp", "residual"])
def test_a_residual_generator_begins_as_the_identity(inner: MlpConfig) -> None:
    z = torch.randn(B, 2)
    times = 2 if isinstance(inner, ResidualConfig) else 1
    torch.testing.assert_close(ResidualConfig(network=inner).build(((2,),), (2,))(z), times * z, rtol=0, atol=0)


def test_a_residual_generator_adds_what_the_network_inside_gives() -> None:
    network, z = ResidualConfig(network=MLP).build(((3,),), (2,)), torch.randn(B, 3)
    inner = network.trunk.network
    with torch.no_grad():
        inner.head.weight.normal_()
    torch.testing.assert_close(network(z), z[:, :2] + inner(z))  # the third entry is seen by the network alone


def test_a_residual_generator_of_images_adds_the_latent_in_their_shape() -> None:
    network = ResidualConfig(network=DcganConfig(channels=2)).build(((70,),), (1, 8, 8))
    z = torch.randn(B, 70)
    torch.testing.assert_close(network(z), z[:, :64].reshape(B, 1, 8, 8), rtol=0, atol=0)


def test_its_last_layer_learns_at_once_and_the_others_from_the_second_update_on() -> None:
    network, z = ResidualConfig(network=MLP).build(((2,),), (2,)), torch.randn(B, 2)
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    reached = []
    for _ in range(2):
        optimizer.zero_grad()
        network(z).square().sum().backward()
        reached.append([bool(p.grad is not None and p.grad.any()) for p in network.parameters()])
        optimizer.step()
    assert reached == [[False, False, True, True], [True, True, True, True]]


@pytest.mark.parametrize(
    ("sees", "message"),
    [
        (((1,),), "baselines.residual adds the latent to items of 2 entries, but it has 1: set prior.dim: 2"),
        (
            ((2,), (3,)),
            "baselines.residual is a generator: it adds one vector to its output, not inputs of shapes ((2,), (3,))",
        ),
    ],
)
def test_a_latent_that_cannot_be_added_is_refused(sees: tuple[tuple[int, ...], ...], message: str) -> None:
    assert ResidualConfig().misfit(sees, (2,)) == message


# Random Fourier features


def test_waves_are_cosines_and_sines_of_fixed_frequencies() -> None:
    network = FourierConfig(network=MLP, frequencies=2).build(((2,), (1,)), (1,))
    network.trunk.b.copy_(torch.tensor([[1.0, 0.0], [0.5, 0.25]]))
    gamma = network.trunk.gamma(torch.tensor([[0.25, 1.0]]))
    angles = (math.pi / 2, 2 * math.pi * (0.125 + 0.25))
    expected = [math.cos(angles[0]), math.cos(angles[1]), math.sin(angles[0]), math.sin(angles[1])]
    torch.testing.assert_close(gamma, torch.tensor([expected]), rtol=1e-5, atol=1e-6)
    assert "trunk.b" in dict(network.named_buffers())


def test_waves_stay_exact_in_bfloat16() -> None:
    network, x = FourierConfig(network=MLP, frequencies=5, scale=10.0).build(((2,),), (1,)), torch.randn(B, 2)
    with torch.autocast("cpu", torch.bfloat16):
        found = network.trunk.gamma(x)
    assert torch.equal(found, network.trunk.gamma(x))


def test_the_waves_kernel_is_gaussian() -> None:
    torch.manual_seed(0)
    network = FourierConfig(network=MLP, frequencies=20_000, scale=0.7).build(((2,),), (1,))
    x, y = torch.randn(2, B, 2)
    kernel = (network.trunk.gamma(x) * network.trunk.gamma(y)).sum(1) / 20_000
    expected = (-2 * math.pi**2 * 0.7**2 * (x - y).square().sum(1)).exp()
    torch.testing.assert_close(kernel, expected, rtol=0, atol=0.02)


def test_the_network_inside_sees_waves_and_what_lies_beside() -> None:
    network = FourierConfig(network=MLP, frequencies=5).build(((2,), (3,)), (1,))
    assert network.trunk.network.trunk[0].in_features == 2 * 5 + 3
    x, code = torch.randn(B, 2), torch.randn(B, 3)
    torch.testing.assert_close(network(x, code), network.trunk.network(network.trunk.gamma(x), code))
    assert isinstance(network.trunk.network.head, nn.Linear)


def test_convolutions_cannot_see_waves() -> None:
    asked = FourierConfig(network=DcganConfig(), frequencies=5).misfit(((1, 16, 16),), (1,))
    assert asked == "dcgan needs images, but it is to map (10,) to (1,): use kind: mlp"
