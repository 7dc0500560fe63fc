"""The core's networks against what can be counted, computed or read in the DCGAN paper by hand."""

import subprocess
import sys
from collections.abc import Callable
from math import prod

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from allmodes.builtin.config.networks import KINDS, DcganConfig, MlpConfig
from allmodes.builtin.dcgan import DcganEncoder, DcganGenerator, padding, sizes_of, upwards
from allmodes.builtin.networks import Mlp
from allmodes.game.contracts import Discriminator, Dropout, Network
from allmodes.game.noise import seeded
from allmodes.game.views import pack
from allmodes_schemas import Shape

Z = 3
SIDES = [8, 16, 28, 32, 50, 64, 128]


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def generator(side: int = 8, colours: int = 1, **options: object) -> DcganGenerator:
    return DcganGenerator((Z,), (colours, side, side), channels=2, **options)  # type: ignore[arg-type]


def encoder(side: int = 8, colours: int = 1, *vectors: Shape, **options: object) -> DcganEncoder:
    return DcganEncoder([(colours, side, side), *vectors], (1,), channels=2, **options)  # type: ignore[arg-type]


def layers(network: nn.Module, *sorts: type[nn.Module]) -> list[type[nn.Module]]:
    return [type(module) for module in network.modules() if isinstance(module, sorts)]


# Shapes


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("kernel", [4, 5])
@pytest.mark.parametrize("side", SIDES)
def test_images_are_generated_and_judged_at_their_exact_size(side: int, kernel: int, colours: int) -> None:
    image = generator(side, colours, kernel=kernel)(torch.randn(2, Z))
    assert image.shape == (2, colours, side, side)
    assert encoder(side, colours, kernel=kernel)(image).shape == (2, 1)


def test_feature_maps_are_halved_until_they_have_four_pixels_or_less() -> None:
    assert sizes_of(28) == [28, 14, 7, 4]
    assert sizes_of(64) == [64, 32, 16, 8, 4]
    assert all(sizes_of(side)[-1] in (3, 4) for side in range(8, 129))


@pytest.mark.parametrize("kernel", [4, 5])
@pytest.mark.parametrize("side", range(5, 33))
def test_upwards_is_the_transpose_of_downwards(side: int, kernel: int) -> None:
    up = upwards(2, 3, side, kernel, bias=False)
    x, y = torch.randn(1, 2, (side + 1) // 2, (side + 1) // 2), torch.randn(1, 3, side, side)
    down = torch.conv2d(y, up.weight, stride=2, padding=padding(side, kernel))
    torch.testing.assert_close((up(x) * y).sum(), (x * down).sum(), rtol=1e-4, atol=1e-4)  # <Ux, y> = <x, Dy>


@pytest.mark.parametrize(
    ("build", "sees"),
    [
        (lambda sees: Mlp(sees, (1,), hidden=(5, 7)), [(2,), (Z,)]),
        (lambda sees: Mlp(sees, (1,), hidden=()), [(2,)]),
        (lambda sees: DcganEncoder(sees, (1,), channels=2), [(1, 28, 28)]),
        (lambda sees: DcganEncoder(sees, (1,), channels=2), [(3, 28, 28), (Z,)]),
    ],
    ids=["joint mlp", "linear mlp", "encoder", "joint encoder"],
)
def test_features_have_the_size_of_the_networks_feature_dim(
    build: Callable[[list[Shape]], Network], sees: list[Shape]
) -> None:
    network, inputs = build(sees), [torch.randn(4, *shape) for shape in sees]
    features = network.trunk(*inputs)
    assert features.shape == (4, network.feature_dim)
    torch.testing.assert_close(network.head(features), network(*inputs))


def test_a_generators_features_are_its_projection() -> None:
    network = generator(28)
    assert network.trunk(torch.randn(4, Z)).shape == (4, network.feature_dim) == (4, 8 * 4 * 4)


def test_a_perceptron_maps_images_to_images() -> None:
    assert Mlp([(1, 8, 8)], (3, 4, 4))(torch.randn(5, 1, 8, 8)).shape == (5, 3, 4, 4)


# Counts


def test_parameters_of_an_8_px_pair_are_as_counted_by_hand() -> None:
    projection, norm, transposed = Z * 2 * 16, 2 + 2, 2 * 1 * 16 + 1
    assert parameters(generator(8)) == projection + norm + transposed
    assert parameters(encoder(8)) == (1 * 2 * 16 + 2) + (2 * 16 + 1)


def test_parameters_of_a_28_px_discriminator_are_as_counted_by_hand() -> None:
    first, second, third = 1 * 2 * 16 + 2, 2 * 4 * 16 + 8, 4 * 8 * 16 + 16
    assert parameters(encoder(28)) == first + second + third + (8 * 16 + 1)
    joint = (8 * 16 + Z) * 10 + 10
    assert parameters(encoder(28, 1, (Z,), joint_hidden=10)) == first + second + third + joint + 11


def test_parameters_of_a_perceptron_are_as_counted_by_hand() -> None:
    assert parameters(Mlp([(2,), (3,)], (1,), hidden=(7, 4))) == 6 * 7 + 8 * 4 + 5


def test_channels_double_up_to_eight_times() -> None:
    convolutions = [m for m in encoder(128).modules() if isinstance(m, nn.Conv2d)]
    assert [m.out_channels for m in convolutions] == [2, 4, 8, 16, 16]


# Gradients, joint inputs


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("side", [8, 28])
def test_gradients_reach_every_parameter(side: int, batch_norm: bool) -> None:
    g, d = generator(side, 1, batch_norm=batch_norm), encoder(side, 1, (Z,), batch_norm=batch_norm)
    z = torch.randn(4, Z)
    d(g(z), z).square().sum().backward()
    for name, parameter in [*g.named_parameters(), *d.named_parameters()]:
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_a_joint_discriminators_score_depends_on_both_inputs() -> None:
    network = Discriminator(encoder(8, 1, (Z,)), joint="reconstructor")
    x, z = torch.randn(2, 4, 1, 8, 8), torch.randn(2, 4, Z)
    score = network(x[0], z[0])[0]
    assert not torch.allclose(score, network(x[0], z[1])[0], rtol=1e-6, atol=0)
    assert not torch.allclose(score, network(x[1], z[0])[0], rtol=1e-6, atol=0)


def test_a_packed_discriminator_sees_several_images_in_its_channels() -> None:
    network = Discriminator(encoder(28, 2 * 3), pack=2)
    score, features = network(pack(torch.randn(8, 3, 28, 28), 2))
    assert score.shape == (4,)
    assert features.shape == (4, network.network.feature_dim)


# The paper's habits


def test_the_discriminators_first_layer_has_no_batch_norm() -> None:
    sorts = layers(encoder(28), nn.Conv2d, nn.BatchNorm2d, nn.LeakyReLU, nn.Linear)
    later = [nn.Conv2d, nn.BatchNorm2d, nn.LeakyReLU]
    assert sorts == [nn.Conv2d, nn.LeakyReLU, *later, *later, nn.Linear]


def test_the_generators_last_layer_has_no_batch_norm() -> None:
    sorts = layers(generator(28), nn.Linear, nn.ConvTranspose2d, nn.BatchNorm2d, nn.ReLU, nn.Tanh)
    up = [nn.BatchNorm2d, nn.ReLU, nn.ConvTranspose2d]
    assert sorts == [nn.Linear, *up, *up, *up, nn.Tanh]


def test_without_batch_norm_there_is_none() -> None:
    assert layers(generator(28, 1, batch_norm=False), nn.BatchNorm2d) == []
    assert layers(encoder(28, 1, batch_norm=False), nn.BatchNorm2d) == []


def test_initial_weights_have_the_papers_spread() -> None:
    network = DcganEncoder([(1, 28, 28)], (1,), channels=32)
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 10_000:
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.05)
        if isinstance(module, nn.BatchNorm2d):
            assert module.weight.mean().item() == pytest.approx(1.0, abs=0.02)
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.4)


def test_generated_images_stay_within_the_range_of_tanh_unless_linear() -> None:
    z = 1e4 * torch.randn(4, Z)
    assert generator(8, 1, batch_norm=False)(z).abs().max() <= 1
    assert generator(8, 1, batch_norm=False, output="linear")(z).abs().max() > 1


def test_a_score_is_linear_whatever_the_output_of_images() -> None:
    network = DcganConfig(channels=2, output="sigmoid").build(((1, 8, 8),), (1,))
    assert isinstance(network.head, nn.Linear)


@pytest.mark.parametrize("build", [generator, encoder, lambda **o: Mlp([(2,)], (1,), **o)])
def test_dropout_draws_from_the_runs_own_noise(build: Callable[..., nn.Module]) -> None:
    network = build(dropout=0.5)
    ours = [module for module in network.modules() if isinstance(module, Dropout)]
    assert ours
    assert layers(network, nn.Dropout, nn.Dropout2d) == []
    ours[0].noise = seeded(0)
    assert (ours[0](torch.ones(100)) == 0).any()


# Purity


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(
    "build", [lambda b: generator(8, 1, batch_norm=b), lambda b: encoder(16, 1, (Z,), batch_norm=b)]
)
def test_stacked_networks_under_vmap_equal_a_loop(build: Callable[[bool], nn.Module], batch_norm: bool) -> None:
    networks = [build(batch_norm) for _ in range(3)]
    stacked, buffers = stack_module_state(networks)
    images = [torch.randn(3, 4, 1, 16, 16)] if isinstance(networks[0], DcganEncoder) else []
    inputs = [*images, torch.randn(3, 4, Z)]

    def one(own: dict[str, Tensor], kept: dict[str, Tensor], *seen: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        output: Tensor = functional_call(networks[0], (own, kept), seen)
        return output, kept  # BatchNorm's statistics advanced in place

    outputs, advanced = vmap(one)(stacked, buffers, *inputs)
    for i, network in enumerate(networks):
        torch.testing.assert_close(outputs[i], network(*[x[i] for x in inputs]), rtol=1e-4, atol=1e-6)
        for name, buffer in network.named_buffers():
            torch.testing.assert_close(advanced[name][i], buffer, rtol=1e-4, atol=1e-6)
    assert bool(buffers) == batch_norm


def test_the_slope_of_a_score_can_be_differentiated_again() -> None:
    network = encoder(8, 1, (Z,), batch_norm=False)
    x = torch.randn(4, 1, 8, 8, requires_grad=True)
    (slope,) = torch.autograd.grad(network(x, torch.randn(4, Z)).sum(), x, create_graph=True)
    slope.square().sum().backward()
    assert all(p.grad is not None for name, p in network.named_parameters() if "weight" in name)


# Settings


def test_kinds_are_checked_without_loading_torch() -> None:
    code = (
        "import sys; from allmodes.builtin.config.networks import KINDS; "
        "print([k().misfit(((2,),), (1,)) for k in KINDS], 'torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip().endswith("False")


def test_every_setting_is_described() -> None:
    assert [kind.kind_name() for kind in KINDS] == ["mlp", "dcgan"]
    for kind in KINDS:
        assert all(field.description for field in kind.model_fields.values())
        assert kind.summary().endswith(".")


IMAGE = (1, 28, 28)
MISFITS: list[tuple[tuple[Shape, ...], Shape, str]] = [
    (((254,),), (2,), "dcgan needs images, but it is to map (254,) to (2,): use kind: mlp"),
    (((2,), (254,)), (1,), "dcgan needs images, but it is to map (2,) and (254,) to (1,): use kind: mlp"),
    (((3, 32, 24),), (1,), "dcgan needs square images, but these have 32 x 24 px: crop or pad them"),
    (((3, 6, 6),), (1,), "dcgan takes images of 8 to 128 px, but these have 6 px: resize them"),
    (((Z,),), (1, 256, 256), "dcgan takes images of 8 to 128 px, but these have 256 px: resize them"),
    (((Z,),), (4, 32, 32), "dcgan generates images of 1 or 3 channels, but these have 4"),
    (
        (IMAGE,),
        IMAGE,
        "dcgan maps a vector to an image, or an image (and a vector) to a vector, not (1, 28, 28) to (1, 28, 28)",
    ),
    (
        ((Z,), IMAGE),
        (1,),
        "dcgan maps a vector to an image, or an image (and a vector) to a vector, not (3,) and (1, 28, 28) to (1,)",
    ),
]


@pytest.mark.parametrize(("sees", "gives", "message"), MISFITS)
def test_a_misfit_is_reported_and_cannot_be_built(sees: tuple[Shape, ...], gives: Shape, message: str) -> None:
    assert DcganConfig().misfit(sees, gives) == message
    with pytest.raises(ValueError) as told:
        DcganConfig().build(sees, gives)
    assert str(told.value) == message


@pytest.mark.parametrize(
    ("sees", "gives"), [(((Z,),), IMAGE), ((IMAGE,), (Z,)), ((IMAGE, (Z,)), (1,)), (((8, 28, 28), (Z,)), (1,))]
)
@pytest.mark.parametrize("config", [MlpConfig(hidden=(4,)), DcganConfig(channels=2)])
def test_fitting_shapes_are_built(config: MlpConfig | DcganConfig, sees: tuple[Shape, ...], gives: Shape) -> None:
    assert config.misfit(sees, gives) is None
    assert config.build(sees, gives)(*[torch.randn(2, *shape) for shape in sees]).shape == (2, *gives)


def test_settings_reach_the_network() -> None:
    network = MlpConfig(hidden=(6,), activation="silu", output="tanh", batch_norm=True, dropout=0.1).build(
        ((2,),), (1,)
    )
    assert layers(network, nn.SiLU, nn.Tanh, nn.BatchNorm1d, Dropout) == [nn.BatchNorm1d, nn.SiLU, Dropout, nn.Tanh]
    joint = DcganConfig(channels=3, kernel=5, joint_hidden=9).build((IMAGE, (Z,)), (1,))
    assert joint.feature_dim == 9
    assert prod(next(joint.parameters()).shape) == 3 * 1 * 5 * 5


def test_batch_norm_is_declared_where_there_is_any() -> None:
    assert DcganConfig().normalises_batches()
    assert not DcganConfig(batch_norm=False).normalises_batches()
    assert MlpConfig(batch_norm=True).normalises_batches()
    assert not MlpConfig(batch_norm=True, hidden=()).normalises_batches()


@pytest.mark.parametrize("wrong", [{"hidden": [0]}, {"dropout": 1.0}, {"activation": "gelu"}, {"width": 3}])
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        MlpConfig.model_validate(wrong)


@pytest.mark.parametrize("wrong", [{"channels": 0}, {"kernel": 3}, {"joint_hidden": 0}, {"dropout": -0.1}])
def test_dcgan_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DcganConfig.model_validate(wrong)


def test_maxout_takes_the_largest_of_several_linear_maps_for_each_unit() -> None:
    network = MlpConfig(hidden=(4,), activation="maxout", pieces=3).build(((2,),), (1,))
    linear, x = network.trunk[0], torch.randn(5, 2)
    maps = (x @ linear.weight.T + linear.bias).reshape(5, 4, 3)
    assert torch.equal(network.trunk(x), maps.max(2).values)
    assert parameters(network) == (2 * 12 + 12) + (4 + 1)


def test_leaky_relu_has_the_slope_of_its_setting() -> None:
    network = MlpConfig(hidden=(4,), activation="leaky_relu", slope=0.1).build(((2,),), (1,))
    x = torch.randn(50, 2)
    h = network.trunk[0](x)
    assert torch.equal(network.trunk(x), torch.where(h > 0, h, 0.1 * h))


def test_torchs_own_initial_weights_are_uniform_within_one_over_the_root_of_the_inputs() -> None:
    weight = next(MlpConfig(hidden=(500,), init="torch").build(((100,),), (1,)).parameters())
    assert 0.099 < float(weight.abs().max()) <= 0.1
    assert float(weight.var()) == pytest.approx(0.1**2 / 3, rel=0.05)


def spectral(layer: nn.Module) -> None:
    nn.utils.parametrizations.spectral_norm(layer)


def hooked(layer: nn.Module) -> None:
    layer.register_forward_hook(lambda module, inputs, output: output + 1)


def hooked_before(layer: nn.Module) -> None:
    layer.register_forward_pre_hook(lambda module, inputs: (2 * inputs[0],))


def replaced(layer: nn.Module) -> None:
    layer.forward = lambda x: 3 * x  # type: ignore[method-assign]


@pytest.mark.parametrize("activation", ["relu", "tanh", "silu", "leaky_relu", "maxout"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_perceptron_computes_what_its_layers_do_one_after_another(activation: str, batch_norm: bool) -> None:
    mlp, x = (
        Mlp([(3,)], (2,), hidden=(5, 4), activation=activation, batch_norm=batch_norm, slope=0.3),
        torch.randn(7, 3),
    )
    expected = x
    for layer in [*mlp.trunk.children(), mlp.head]:
        expected = layer(expected)
    assert torch.equal(mlp(x), expected)


CHANGES = [
    (0, spectral),
    (0, hooked),
    (1, hooked),
    (0, hooked_before),
    (1, hooked_before),
    (0, replaced),
    (1, replaced),
]


@pytest.mark.parametrize(("place", "change"), CHANGES)
def test_what_a_user_adds_to_a_layer_within_a_perceptron_acts(place: int, change: Callable[[nn.Module], None]) -> None:
    mlp, x = Mlp([(5,)], (2,), hidden=(5, 5)).eval(), torch.randn(7, 5)
    layers = list(mlp.trunk.children())
    before = mlp(x)
    change(layers[place])
    expected = x
    for layer in [*layers, mlp.head]:
        expected = layer(expected)
    assert torch.equal(mlp(x), expected)
    assert not torch.equal(mlp(x), before)


def test_hooks_on_all_modules_see_each_layer_of_a_perceptron() -> None:
    mlp, seen = Mlp([(3,)], (2,), hidden=(5,)), list[nn.Module]()
    with nn.modules.module.register_module_forward_hook(lambda module, inputs, output: seen.append(module)):
        mlp(torch.randn(7, 3))
    assert [*mlp.trunk.children()] == [module for module in seen if module in set(mlp.trunk.children())]


def test_hooks_on_the_gradients_of_a_layer_within_a_perceptron_act() -> None:
    mlp, seen = Mlp([(3,)], (2,), hidden=(5,)), list[nn.Module]()
    for layer in mlp.trunk.children():
        layer.register_full_backward_hook(lambda module, inputs, outputs: seen.append(module))
    mlp(torch.randn(7, 3, requires_grad=True)).sum().backward()
    assert seen == [*mlp.trunk.children()][::-1]
