"""Spectral normalisation against torch's matrix norm, its gradient by finite differences, and what moves it."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from typing_extensions import override

from allmodes import Around, DcganConfig, MlpConfig, Network, Step, Trunk
from allmodes.testing import compose, take_turn
from allmodes_baselines.configs.spectral_norm import SpectralNormConfig
from allmodes_baselines.spectral_norm import LAYERS, SpectralNorm, matrix, normalise, weight_of

B = 8
X = torch.randn(B, 2, generator=torch.Generator().manual_seed(2))
LAYER: dict[str, nn.Module] = {
    "linear": nn.Linear(5, 3),
    "convolution": nn.Conv2d(2, 4, 3),
    "transposed convolution": nn.ConvTranspose2d(2, 4, 3),
}


def norm(layer: SpectralNorm) -> float:
    """The largest singular value of the weight that the layer uses."""
    return float(torch.linalg.matrix_norm(matrix(layer.layer) / layer.sigma(), 2).detach())


@pytest.mark.parametrize("name", LAYER)
def test_the_power_iteration_finds_the_largest_singular_value(name: str) -> None:
    layer = SpectralNorm(LAYER[name])
    layer.iterate(500)
    torch.testing.assert_close(layer.sigma(), torch.linalg.matrix_norm(matrix(layer.layer), 2), rtol=1e-5, atol=0)


def test_a_transposed_convolution_counts_as_the_matrix_of_its_output_channels() -> None:
    assert matrix(nn.ConvTranspose2d(2, 4, 3)).shape == (4, 2 * 9)
    assert matrix(nn.Conv2d(2, 4, 3)).shape == (4, 2 * 9)


@pytest.mark.parametrize("name", LAYER)
def test_a_layer_maps_as_with_its_weight_divided(name: str) -> None:
    layer = LAYER[name]
    x = torch.randn(B, 5) if name == "linear" else torch.randn(B, 2, 6, 6)
    normalised, weight = SpectralNorm(layer), weight_of(layer).detach().clone()
    found = normalised(x)
    with torch.no_grad():
        weight_of(layer).copy_(weight / normalised.sigma())
    torch.testing.assert_close(found, layer(x))


def test_the_gradient_holds_the_singular_vectors_constant() -> None:
    layer, x = SpectralNorm(nn.Linear(4, 3)).double(), torch.randn(B, 4, dtype=torch.float64)
    with torch.no_grad():
        layer.u.copy_(torch.randn(3).double() / 2 + layer.u)  # not those of the weight: then they would not matter
    assert torch.autograd.gradcheck(
        lambda w: torch.func.functional_call(layer, {"layer.weight": w}, (x,)), [weight_of(layer.layer)]
    )


@pytest.mark.parametrize("sees", [((2,),), ((1, 16, 16), (3,))], ids=["points", "images beside a code"])
def test_every_layer_of_a_network_has_norm_one_and_one_normalisation(sees: Any) -> None:
    inner = MlpConfig(hidden=(8, 8)) if len(sees) == 1 else DcganConfig(channels=2)
    network = SpectralNormConfig(network=SpectralNormConfig(network=inner)).build(sees, (1,))
    layers = [module for module in network.modules() if isinstance(module, LAYERS)]
    normalised = [module for module in network.modules() if isinstance(module, SpectralNorm)]
    assert [layer.layer for layer in normalised] == layers
    for layer in normalised:
        layer.iterate(200)
        assert norm(layer) == pytest.approx(1, rel=1e-3)


# Within a game

SPEC: dict[str, Any] = {
    "name": "tiny",
    "data": {"kind": "ring"},
    "prior": {"kind": "gaussian", "dim": 2},
    "generator": {"kind": "mlp", "hidden": [8]},
    "discriminator": {"kind": "baselines.spectral_norm", "network": {"kind": "mlp", "hidden": [8]}},
    "losses": [{"kind": "non_saturating"}],
    "training": {"iterations": 2, "batch_size": B, "device": "cpu"},
}


def layers_of(composition: Any) -> list[SpectralNorm]:
    return [layer for layer in composition.modules["discriminator"].modules() if isinstance(layer, SpectralNorm)]


def test_an_update_takes_one_step_of_the_power_iteration_at_the_new_weight() -> None:
    composition = compose(SPEC)
    before = [layer.u.clone() for layer in layers_of(composition)]
    take_turn(composition, "discriminator", X)
    for layer, u in zip(layers_of(composition), before, strict=True):
        w = matrix(layer.layer).detach()
        v = w.T @ u / torch.linalg.vector_norm(w.T @ u)
        torch.testing.assert_close(layer.v, v)
        torch.testing.assert_close(layer.u, w @ v / torch.linalg.vector_norm(w @ v))


def test_the_generators_turn_leaves_the_discriminators_norms() -> None:
    composition = compose(SPEC)
    before = [layer.u.clone() for layer in layers_of(composition)]
    assert take_turn(composition, "generator", X) == {"generator"}
    assert all(map(torch.equal, before, [layer.u for layer in layers_of(composition)]))


def test_norms_stay_near_one_while_the_discriminator_learns() -> None:
    composition = compose({**SPEC, "training": {**SPEC["training"], "optimizer": {"kind": "adam", "lr": 0.001}}})
    for _ in range(50):
        take_turn(composition, "discriminator", X)
    assert [norm(layer) for layer in layers_of(composition)] == pytest.approx([1, 1], rel=0.05)


def test_a_last_layer_of_zeros_stays_finite_and_learns() -> None:
    generator = {"kind": "baselines.spectral_norm", "network": {"kind": "baselines.residual"}}
    composition = compose({**SPEC, "generator": generator})
    for _ in range(2):
        take_turn(composition, "generator", X)
    last = [layer for layer in composition.modules["generator"].modules() if isinstance(layer, SpectralNorm)][-1]
    assert weight_of(last.layer).any()
    assert weight_of(last.layer).isfinite().all()
    assert float(torch.linalg.vector_norm(last.u)) == pytest.approx(1, rel=1e-5)


# Networks of others


class Counting(Network):
    """Somebody's network that acts after updates."""

    updates: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.head, self.feature_dim = nn.Linear(2, 4), nn.Linear(4, 1), 4
        self.register_buffer("updates", torch.zeros(()))

    @override
    def after_update(self, step: Step) -> None:
        self.updates.copy_(self.updates + 1)


def test_a_network_within_another_goes_on_acting() -> None:
    composition, counting = compose(SPEC), Counting()
    composition.modules["discriminator"].network = Around(Trunk(normalise(counting)))
    again = type(composition)(
        {name: composition.modules[name] for name in ("prior", "generator", "discriminator")},
        composition.terms.values(),
        composition.players.values(),
        composition.schedule,
    )
    take_turn(again, "discriminator", X)
    assert counting.updates == 1
