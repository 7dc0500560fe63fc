"""VEEGAN against its paper and its authors' notebook, item by item, with formulas written out by hand."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from allmodes import Experiment, Network, Spec, SpecError, Step, seeded
from allmodes.testing import Composition, compose, load_spec, make_optimizers, make_step, take_turn
from allmodes_veegan.model import Reconstructor

B, K = 6, 254
GAME, RECONSTRUCTION = "veegan.game", "veegan.code_reconstruction"


@dataclass
class Notebook:
    """The notebook's set-up in float64, on a draw that is known: x, z, the nuisance, and the noise on F(x)."""

    composition: Composition
    x: Tensor
    z: Tensor
    nuisance: Tensor
    noise: Tensor

    @property
    def draws(self) -> dict[str, Tensor]:
        return {"latent/code": self.z, "latent/nuisance": self.nuisance, "reconstructor/real/z_g": self.noise}

    @property
    def step(self) -> Step:
        return make_step(self.composition, self.x, self.draws)

    def term(self, name: str, player: str) -> Tensor:
        return self.composition.terms[name].loss(self.step, player)

    # The three networks as the notebook writes them.

    def G(self) -> Tensor:
        return relu_net(self.weights("generator"), self.z, self.nuisance)

    def F(self, x: Tensor) -> Tensor:
        return relu_net(self.weights("reconstructor"), x)

    def D(self, z: Tensor, x: Tensor) -> Tensor:
        return relu_net(self.weights("discriminator"), x, z).squeeze(1)

    def weights(self, module: str) -> list[nn.Parameter]:
        return list(self.composition.modules[module].parameters())


def relu_net(parameters: list[nn.Parameter], *inputs: Tensor) -> Tensor:
    h = torch.cat(inputs, 1)
    for w, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        h = (h @ w.T + b).clamp_min(0)
    return h @ parameters[-2].T + parameters[-1]


def recipe(name: str, *overrides: str) -> Spec:
    return load_spec(name, *overrides)


@pytest.fixture
def notebook() -> Notebook:
    composition, generator = compose("veegan/grid", double=True), torch.Generator().manual_seed(1)
    sizes = (2, K, 1, K)
    return Notebook(composition, *(torch.randn(B, n, generator=generator, dtype=torch.float64) for n in sizes))


# The three objectives


def test_the_discriminator_gives_label_one_to_generated_pairs_and_zero_to_reconstructed_ones(
    notebook: Notebook,
) -> None:
    x_g, z_g = notebook.G(), notebook.F(notebook.x) + notebook.noise
    generated, real = notebook.D(notebook.z, x_g), notebook.D(z_g, notebook.x)
    expected = -torch.log(torch.sigmoid(generated)).mean() - torch.log(1 - torch.sigmoid(real)).mean()
    torch.testing.assert_close(notebook.term(GAME, "discriminator"), expected)


def test_the_generator_lowers_the_raw_logit_of_generated_pairs(notebook: Notebook) -> None:
    expected = notebook.D(notebook.z, notebook.G()).mean()
    torch.testing.assert_close(notebook.term(GAME, "generator"), expected)


def test_the_reconstruction_is_a_unit_gaussian_log_likelihood_summed_over_the_code_up_to_its_constant(
    notebook: Notebook,
) -> None:
    likelihood = torch.distributions.Normal(notebook.F(notebook.G()), 1.0).log_prob(notebook.z).sum(1).mean()
    expected = -likelihood - 0.5 * K * math.log(2 * math.pi)
    torch.testing.assert_close(notebook.term(RECONSTRUCTION, "generator"), expected)


def test_the_generator_player_minimises_the_logit_plus_the_reconstruction_with_weight_one(notebook: Notebook) -> None:
    x_g = notebook.G()
    expected = notebook.D(notebook.z, x_g).mean() + 0.5 * (notebook.z - notebook.F(x_g)).square().sum(1).mean()
    torch.testing.assert_close(notebook.composition.objective("generator", notebook.step), expected)


# Gradients: who feels what


@pytest.mark.parametrize("module", ["generator", "reconstructor"])
@pytest.mark.parametrize("layer", [0, 2, 4])
def test_the_reconstructions_gradient_reaches_both_networks_as_finite_differences_say(
    notebook: Notebook, module: str, layer: int
) -> None:
    weight = notebook.weights(module)[layer]
    (gradient,) = torch.autograd.grad(notebook.term(RECONSTRUCTION, "generator"), weight)
    place = gradient.abs().flatten().argmax()
    difference = central_difference(weight, int(place), lambda: notebook.term(RECONSTRUCTION, "generator"))
    assert abs(difference) > 1e-3
    assert difference == pytest.approx(float(gradient.flatten()[place]), rel=1e-5)


def central_difference(weight: Tensor, place: int, value: Callable[[], Tensor], h: float = 1e-6) -> float:
    entries = weight.data.view(-1)
    at, values = entries[place].item(), []
    for shift in (h, -h):
        entries[place] = at + shift
        values.append(float(value().detach()))
    entries[place] = at
    return (values[0] - values[1]) / (2 * h)


def test_the_discriminators_turn_moves_the_discriminator_alone(notebook: Notebook) -> None:
    moved = take_turn(notebook.composition, "discriminator", notebook.x, notebook.draws)
    assert moved == {"discriminator"}


def snapshot(notebook: Notebook) -> dict[str, list[Tensor]]:
    names = ("generator", "reconstructor", "discriminator")
    return {name: [p.detach().clone() for p in notebook.weights(name)] for name in names}


# The noise and the nuisance


def test_the_discriminator_sees_reconstructions_with_unit_noise(notebook: Notebook) -> None:
    x, code = notebook.step.seen("real")
    torch.testing.assert_close(x, notebook.x)
    torch.testing.assert_close(code, notebook.F(notebook.x) + notebook.noise)


@pytest.mark.parametrize("std", [1.0, 0.5, 0.0])
def test_the_noise_on_a_reconstruction_has_the_given_standard_deviation(std: float) -> None:
    output = torch.full((400, 250), 3.0)
    code = Reconstructor(Network(), std).code(output, seeded(0))
    assert float(code.mean()) == pytest.approx(3.0, abs=0.02 * std)
    assert float(code.std()) == pytest.approx(std, rel=0.01, abs=0)


def test_the_reconstruction_takes_the_mean_and_asks_for_no_noise(notebook: Notebook) -> None:
    step = notebook.step
    del step.noise.drawn["reconstructor/real/z_g"]  # without it any use of the noise would fail
    notebook.composition.terms[RECONSTRUCTION].loss(step, "generator")
    torch.testing.assert_close(step.auxiliary("reconstructor", "fake"), notebook.F(notebook.G()))


def test_the_nuisance_feeds_the_generator_but_is_neither_reconstructed_nor_shown_to_the_discriminator(
    notebook: Notebook,
) -> None:
    step = notebook.step
    x_g, code = step.seen("fake")
    assert step.latent.z.shape == (B, K + 1)
    assert torch.equal(code, notebook.z)
    torch.testing.assert_close(x_g, notebook.G())
    assert step.auxiliary("reconstructor", "fake").shape == (B, K)
    notebook.nuisance = notebook.nuisance + 1
    assert not torch.allclose(notebook.G(), x_g)


# The update


def test_an_update_is_an_adam_step_of_both_objectives_at_the_old_parameters(notebook: Notebook) -> None:
    (turn,) = notebook.composition.schedule
    assert set(turn.players) == {"discriminator", "generator"}
    expected = stepped_by_hand(notebook)
    take_turn(notebook.composition, turn, notebook.x, notebook.draws)
    after = snapshot(notebook)
    for name in expected:
        torch.testing.assert_close(after[name], expected[name], rtol=1e-12, atol=1e-12)


def stepped_by_hand(notebook: Notebook) -> dict[str, list[Tensor]]:
    """Algorithm 1 with Adam: all gradients first, then one step of each network."""
    x_g, x, z = notebook.G(), notebook.x, notebook.z
    z_g, d = notebook.F(x) + notebook.noise, 0.5 * (z - notebook.F(x_g)).square().sum(1).mean()
    log_sigma = torch.nn.functional.logsigmoid
    omega = -log_sigma(notebook.D(z, x_g)).mean() - log_sigma(-notebook.D(z_g, x)).mean()
    losses = {"discriminator": omega, "generator": notebook.D(z, x_g).mean() + d, "reconstructor": d}
    weights = {name: notebook.weights(name) for name in losses}
    gradients = {name: torch.autograd.grad(loss, weights[name], retain_graph=True) for name, loss in losses.items()}
    return {name: adam_step(weights[name], gradients[name]) for name in losses}


def adam_step(weights: list[nn.Parameter], gradients: tuple[Tensor, ...]) -> list[Tensor]:
    copies = [nn.Parameter(w.detach().clone()) for w in weights]
    for copy, gradient in zip(copies, gradients, strict=True):
        copy.grad = gradient
    torch.optim.Adam(copies, lr=1e-3, betas=(0.5, 0.999), eps=1e-8).step()
    return [copy.detach() for copy in copies]


# The recipe of the notebook


LAYERS = {
    "generator": [(255, 128), (128, 128), (128, 2)],
    "reconstructor": [(2, 128), (128, 128), (128, 254)],
    "discriminator": [(256, 128), (128, 1)],
}


def linear_layers(module: nn.Module) -> list[nn.Linear]:
    return [inner for inner in module.modules() if isinstance(inner, nn.Linear)]


@pytest.mark.parametrize("name", LAYERS)
def test_the_grids_networks_have_the_notebooks_layers_and_initial_weights(name: str) -> None:
    layers = linear_layers(compose("veegan/grid").modules[name])
    assert [(layer.in_features, layer.out_features) for layer in layers] == LAYERS[name]
    for layer in layers:
        bound = math.sqrt(6 / (layer.in_features + layer.out_features))  # Glorot and Bengio (2010), eq. 16
        assert 0.9 * bound < float(layer.weight.detach().abs().max()) <= bound
        assert float(layer.weight.detach().std()) == pytest.approx(bound / math.sqrt(3), rel=0.1)
        assert not layer.bias.any()


def test_the_grids_training_is_the_notebooks() -> None:
    training = recipe("veegan/grid").training
    assert (training.iterations, training.batch_size, training.schedule) == (100_000, 500, "simultaneous")
    assert (training.ema, training.optimizers) == (None, {})
    for optimizer in make_optimizers(compose("veegan/grid")).values():
        (group,) = optimizer.param_groups
        assert isinstance(optimizer, torch.optim.Adam)
        assert (group["lr"], group["betas"], group["eps"], group["weight_decay"]) == (1e-3, (0.5, 0.999), 1e-8, 0)


def test_the_generators_player_trains_the_reconstructor() -> None:
    players = compose("veegan/grid").players
    assert players["generator"].modules == ("generator", "reconstructor")
    assert players["discriminator"].modules == ("discriminator",)


# As a plugin


WITHOUT = {
    "a game": {"losses": [{"kind": RECONSTRUCTION}]},
    "an auxiliary": {"auxiliaries": {}, "discriminator": {"kind": "mlp"}},
    "a joint discriminator": {"discriminator": {"kind": "mlp"}},
}
MESSAGES = {
    "a game": "no game",
    "an auxiliary": "add auxiliaries.reconstructor: {kind: veegan.reconstructor}",
    "a joint discriminator": "add joint: reconstructor to discriminator",
}


@pytest.mark.parametrize("lacking", WITHOUT)
def test_a_spec_that_lacks_a_part_of_the_method_is_refused_with_the_line_to_add(lacking: str) -> None:
    values = recipe("veegan/grid").model_dump(mode="json") | WITHOUT[lacking]
    with pytest.raises(SpecError, match=re.escape(MESSAGES[lacking])):
        load_spec(values)


SHORT = ("training.log_every=1", "evaluation.every=1000", "evaluation.samples=100", "evaluation.figure=false")


def test_the_reconstruction_trains_under_a_relativistic_game_with_both_penalties(tmp_path: Path) -> None:
    values = recipe("veegan/grid", *SHORT, "training.iterations=3", "seeds=[0]").model_dump(mode="json")
    reconstruction = next(term for term in values["losses"] if term["kind"] == RECONSTRUCTION)
    values["losses"] = [{"kind": "relativistic"}, {"kind": "r1"}, {"kind": "r2"}, reconstruction]
    results = Experiment.from_spec(values, track=False, folder=tmp_path).run()
    assert results.status == "finished"
    assert set(results.metrics) >= {"modes", "high_quality"}
