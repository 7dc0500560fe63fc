"""NEMGAN's parts against their definitions: the gate and its gradient, the losses, the networks, the plugin."""

import json
import math
import re
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from allmodes import (
    CompositionError,
    DataError,
    Experiment,
    MlpConfig,
    ModelError,
    Noise,
    Spec,
    SpecError,
    TurnConfig,
    installed,
    load_run,
    seeded,
)
from allmodes.testing import Composition, InterruptingObserver, compose, equal_runs, load_spec, make_step
from allmodes_nemgan import (
    CriticConfig,
    EncoderConfig,
    GeneratorConfig,
    InverterConfig,
    LatentInversionConfig,
    ModeMixtureConfig,
)
from allmodes_nemgan.discovery import attributes, match
from allmodes_nemgan.ideal import settle
from allmodes_nemgan.inverter import Inverted, Inverter
from allmodes_nemgan.losses import PriorMatching, binary_cross_entropy, kl, log_sampled_shares
from allmodes_nemgan.networks import Convolution
from allmodes_nemgan.prior import ModeMixture

MLP = {"kind": "mlp", "hidden": [8]}
SPEC: Mapping[str, Any] = {
    "name": "tiny",
    "data": {"kind": "ring", "modes": 3, "weights": [1, 2, 1]},
    "prior": {"kind": "nemgan.mode_mixture", "dim": 5, "modes": 3, "weights": "learned"},
    "generator": MLP,
    "discriminator": MLP,
    "auxiliaries": {"inverter": {"kind": "nemgan.inverter", "network": MLP}},
    "streams": {"labelled": {"per_class": 2, "batch_size": 6}},
    "losses": [
        {"kind": "non_saturating"}, {"kind": "nemgan.latent_inversion"},
        {"kind": "nemgan.prior_matching", "start": 2}, {"kind": "nemgan.sparse_supervision"},
    ],
    "training": {"iterations": 12, "batch_size": 8, "log_every": 1, "device": "cpu", "checkpoints": {"every": 5}},
    "evaluation": {"every": 6, "samples": 64, "metrics": ["modes", "nemgan.prior_error", "conditional"]},
}  # fmt: skip


def spec_with(**changes: Any) -> dict[str, Any]:
    return {**SPEC, **changes}


def composed(**changes: Any) -> Composition:
    return compose(spec_with(**changes))


def mixture(alpha: Tensor, **options: Any) -> ModeMixture:
    weights = alpha.softmax(0).tolist()
    prior = ModeMixture(len(alpha), range(len(alpha)), weights, learned=True, **options).to(alpha.dtype)
    prior.alpha = nn.Parameter(alpha.clone())
    return prior


# The prior


ALPHA = torch.tensor([0.2, -0.5, 0.7, 0.1], dtype=torch.float64)
GRID = (torch.arange(400_000, dtype=torch.float64)[:, None] + 0.5) / 400_000  # v, evenly spread over (0, 1)


def jacobian(prior: ModeMixture) -> Tensor:
    """d E[y] / d alpha (K, K)."""
    return torch.stack([torch.autograd.grad(y, prior.alpha, retain_graph=True)[0] for y in mean_mode(prior)])


def mean_mode(prior: ModeMixture) -> Tensor:
    noise = Noise(None, {"v": GRID, "noise": torch.zeros(len(GRID), prior.dim, dtype=GRID.dtype)})
    return prior(noise, len(GRID)).part("mode").mean(0)


@pytest.mark.parametrize("steepness", [1e7, 1e5])
def test_the_gates_gradient_is_that_of_the_mean_mode_by_finite_differences(steepness: float) -> None:
    step = 1e-4
    for k in range(len(ALPHA)):
        moved = torch.eye(len(ALPHA), dtype=ALPHA.dtype)[k] * step
        above, below = (mean_mode(mixture(ALPHA + s * moved, steepness=steepness)).detach() for s in (1, -1))
        prior = mixture(ALPHA, steepness=steepness)
        torch.testing.assert_close(jacobian(prior)[:, k], (above - below) / (2 * step), atol=2e-4, rtol=0)


@pytest.mark.parametrize("gradient", ["steep", "straight_through"])
def test_the_gradient_of_the_mean_mode_is_that_of_the_weights(gradient: str) -> None:
    prior = mixture(ALPHA, gradient=gradient)
    pi = ALPHA.softmax(0)
    torch.testing.assert_close(jacobian(prior), pi.diag() - torch.outer(pi, pi), atol=2e-4, rtol=0)


def test_the_gate_is_open_within_0_0063_of_a_boundary_only() -> None:
    prior = mixture(torch.zeros(2, dtype=torch.float64))
    for distance, soft in ((0.0, 0.5), (0.0062, None), (0.0064, 1.0), (0.3, 1.0)):
        noise = Noise(None, {"v": torch.tensor([[0.5 - distance]]).double(), "noise": torch.zeros(1, 2).double()})
        first = float(prior(noise, 1).part("mode")[0, 0].detach())
        assert first == soft if soft is not None else 0.9 < first < 1


def test_outside_the_band_the_gradient_is_exactly_zero_and_never_nan() -> None:
    prior = mixture(torch.zeros(3))
    v = torch.tensor([[0.0], [0.1], [0.5], [0.99999994]])
    y = prior(Noise(None, {"v": v, "noise": torch.zeros(4, 3)}), 4).part("mode")
    (gradient,) = torch.autograd.grad((y * torch.tensor([1e30, 1.0, -1e30])).sum(), prior.alpha)
    assert torch.equal(gradient, torch.zeros(3))


def test_in_evaluation_mode_every_draw_is_of_exactly_one_mode() -> None:
    prior = mixture(torch.zeros(4, dtype=torch.float64)).eval()
    y = prior(Noise(None, {"v": GRID, "noise": torch.zeros(len(GRID), 4).double()}), len(GRID)).part("mode")
    assert set(y.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(y.sum(1), torch.ones(len(GRID)).double())


def test_draws_have_the_weights_the_noise_and_the_placement_of_the_config() -> None:
    config = ModeMixtureConfig(dim=20, modes=3, placement="every_fifth", weights=(1, 2, 5), noise=0.2)
    latent = config.build()(seeded(0), 40_000)
    torch.testing.assert_close(latent.part("mode").mean(0), torch.tensor([1, 2, 5]) / 8, atol=0.01, rtol=0)
    spread = latent.z.clone()
    spread[:, [0, 5, 10]] -= latent.part("mode")
    torch.testing.assert_close(spread, latent.part("noise"))
    assert float(spread.abs().max()) <= 0.2 + 1e-6
    torch.testing.assert_close(spread.std(0), torch.full((20,), 0.2 / math.sqrt(3)), atol=2e-3, rtol=0)
    assert torch.equal(latent.code, latent.z)


def test_conditional_draws_are_of_the_given_mode() -> None:
    prior = ModeMixtureConfig(dim=6, modes=4, weights="learned").build()
    assert torch.equal(prior(seeded(0), 7, {"mode": 3}).part("mode").argmax(1), torch.full((7,), 3))
    each = torch.tensor([2, 0, 1])
    latent = prior(seeded(0), 3, {"mode": each})
    assert torch.equal(latent.part("mode"), torch.eye(4)[each])
    assert torch.equal((latent.z[:, 2:] > 0.5).float(), latent.part("mode"))


def test_fixed_weights_are_no_parameters_and_learned_ones_are_trained_by_their_own_player_alone() -> None:
    assert not list(ModeMixtureConfig(weights=(1.0,) * 10).build().parameters())
    players = composed().players
    assert [name for name, player in players.items() if "prior" in player.modules] == ["prior"]
    assert players["inversion"].modules == ("generator", "inverter")
    assert players["supervision"].modules == ("inverter",)


# The losses


def test_binary_cross_entropy_is_that_of_the_softmax() -> None:
    scores, y = torch.randn(5, 4), torch.eye(4)[torch.tensor([0, 1, 2, 3, 1])]
    expected = nn.functional.binary_cross_entropy(scores.softmax(1), y)
    torch.testing.assert_close(binary_cross_entropy(scores, y), expected)


def test_binary_cross_entropy_of_a_certain_and_wrong_inverter_is_finite_and_has_a_gradient() -> None:
    scores = torch.tensor([[200.0, 0.0]], requires_grad=True)
    loss = binary_cross_entropy(scores, torch.tensor([[0.0, 1.0]]))
    (gradient,) = torch.autograd.grad(loss, scores)
    assert loss.isfinite()
    assert gradient[0, 0] > 0 > gradient[0, 1]


def test_a_kl_with_an_empty_class_on_either_side_is_finite() -> None:
    y = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], requires_grad=True)
    loss = kl(torch.tensor([0.25, 0.25, 0.5]), log_sampled_shares(y))
    (gradient,) = torch.autograd.grad(loss, y)
    by_hand = sum(p * math.log(p / q) for p, q in ((0.25, 0.5), (0.25, 0.5), (0.5, 0.25)))
    assert float(loss.detach()) == pytest.approx(by_hand)
    assert gradient.isfinite().all()
    assert not gradient[:, 2].any()
    assert kl(torch.tensor([0.0, 1.0]), torch.tensor([0.5, 0.5]).log()).isfinite()


def test_the_analytic_estimators_gradient_is_the_weights_less_the_inverters_mean() -> None:
    composition = composed()
    step = make_step(composition, torch.randn(8, 2), iteration=5)
    alpha = composition.modules["prior"].alpha
    (gradient,) = torch.autograd.grad(PriorMatching().matching(step), alpha)
    p = step.auxiliary("inverter", "real").y.softmax(1).mean(0)
    torch.testing.assert_close(gradient, alpha.softmax(0) - p)


def test_the_margin_makes_the_right_cosine_harder_by_m_times_s() -> None:
    composition = composed(
        auxiliaries={"inverter": {"kind": "nemgan.inverter", "network": MLP, "head": "cosine", "scale": 10.0}},
        losses=[{"kind": "non_saturating"}, {"kind": "nemgan.latent_inversion", "y_loss": "am_softmax", "z_weight": 0}],
        prior={**SPEC["prior"], "weights": "uniform"},
    )
    step = make_step(composition, torch.randn(8, 2))
    found, y = step.auxiliary("inverter", "fake"), step.latent.part("mode")
    cosines = found.y / 10
    direction = composition.modules["inverter"].head.weight
    expected = nn.functional.cosine_similarity(found.z[:, None], direction[None], dim=2)
    torch.testing.assert_close(cosines, expected)
    right, others = torch.exp(10 * (cosines - 0.4)), torch.exp(10 * cosines)
    losses = -(right / (right + (others * (1 - y)).sum(1, keepdim=True))).log()
    value = composition.terms["nemgan.latent_inversion"].loss(step, "inversion")
    torch.testing.assert_close(value, (losses * y).sum(1).mean())


@pytest.mark.parametrize("estimator", ["sampled", "analytic"])
def test_an_ideal_inverter_lets_the_priors_settle_near_the_truth(estimator: str) -> None:
    true = (0.3, 0.1, 0.3, 0.2, 0.1)
    found = settle(true, estimator, 1500, rate=2e-2, gradient="straight_through")
    torch.testing.assert_close(found, torch.tensor(true), atol=0.03, rtol=0)


# A run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = Experiment.from_spec(SPEC, track=False, folder=tmp_path_factory.mktemp("runs")).run()
    assert results.status == "finished"
    return results.folder / "seed-0"


def test_a_run_measures_priors_and_modes_and_records_the_number_of_labels(trained: Path) -> None:
    measured = json.loads((trained / "results.json").read_text())["results"]
    assert {"prior_error", "prior_kl", "conditional_purity", "conditional_classes"} <= set(measured)
    assert json.loads((trained / "run.json").read_text())["data"]["labels_used"] == {"labelled": 6}
    assert {path.name for path in trained.glob("figures/*-00000012.png")} == {
        "conditional-00000012.png", "nemgan.prior_error-00000012.png", "samples-00000012.png",
    }  # fmt: skip


def test_a_run_that_was_interrupted_equals_one_that_was_not(trained: Path, tmp_path: Path) -> None:
    observers = {"interrupting": InterruptingObserver(4, 9)}
    results = Experiment.from_spec(SPEC, track=False, folder=tmp_path, observers=observers).run()
    while results.status == "killed":
        results = Experiment.resume(results.folder, track=False, observers=observers).run()
    assert equal_runs(results.folder / "seed-0", trained)


def test_a_run_does_not_go_on_with_other_labels(tmp_path: Path) -> None:
    (labels := tmp_path / "labels.csv").write_text("0,0\n1,1\n2,2\n")
    np.savez(tmp_path / "points.npz", x=np.random.default_rng(0).normal(size=(64, 2)).astype("float32"))
    few = {"labelled": {"labels_file": str(labels), "batch_size": 6}}
    data = {"kind": "arrays", "path": str(tmp_path / "points.npz")}
    evaluation = {"every": 6, "samples": 16, "metrics": []}
    changes = {"data": data, "streams": few, "evaluation": evaluation}
    observers = {"interrupting": InterruptingObserver(6)}
    spec = spec_with(**changes)
    results = Experiment.from_spec(spec, track=False, folder=tmp_path, observers=observers).run()
    assert results.status == "killed"
    labels.write_text("0,0\n1,2\n2,2\n")
    with pytest.raises(
        DataError, match=r"^streams.labelled: .* was trained with other labels \(fingerprint .*: give it"
    ):
        Experiment.resume(results.folder, track=False).run()


def test_the_command_line_draws_from_one_mode(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    to = tmp_path / "samples.npz"

    def sample(*words: str) -> Any:
        monkeypatch.setattr(sys, "argv", ["allmodes", "sample", str(trained), "-o", str(to), *words])
        with pytest.raises(SystemExit) as ended:
            runpy.run_module("allmodes", run_name="__main__")
        return ended.value.code

    assert not sample("--mode", "1", "-n", "5")
    with np.load(to) as file:
        drawn = torch.from_numpy(file["samples"])
    assert torch.equal(drawn, load_run(trained).sample(5, mode=1))
    assert sample("--mode", "9")


def test_a_model_draws_from_one_mode_and_names_the_modes_in_its_errors(trained: Path) -> None:
    model = load_run(trained)
    each = torch.cat([model.sample(4, seed=1, mode=k) for k in range(3)])
    assert each.shape == (12, 2)
    assert not torch.equal(each[:4], each[4:8])
    assert torch.equal(model.sample(4, seed=1, mode=torch.full((4,), 2)), each[8:])
    with pytest.raises(ModelError, match=re.escape("there is no mode 3: the prior has modes 0 to 2")):
        model.sample(2, mode=3)
    with pytest.raises(ModelError, match=re.escape("the prior has no part 'colour': its parts are code, mode, noise")):
        model.sample(2, given={"colour": 1})


# The released networks, by the numbers of parameters that Keras counts (BatchNorm's statistics among them)


def count(module: nn.Module) -> int:
    statistics = [b for name, b in module.named_buffers() if name.endswith(("running_mean", "running_var"))]
    return sum(t.numel() for t in (*module.parameters(), *statistics))


def test_the_released_networks_have_the_published_numbers_of_parameters() -> None:
    image = (1, 28, 28)
    for upsampling in ("late", "early"):
        assert count(GeneratorConfig(upsampling=upsampling).build(((50,),), image)) == 6_783_729
    assert count(CriticConfig().build((image,), (1,))) == 4_311_553
    assert count(Inverter(EncoderConfig().build((image,), (50,)), 50, 5, "leaky_relu")) == 4_379_697


def released() -> dict[str, nn.Module]:
    """The recipes' networks for MNIST's images; of the inverter, its head too."""
    found: dict[str, nn.Module] = {}
    for name in ("fashion5", "mnist"):
        spec = recipe(name)
        found[f"{name}: G"] = spec.generator.build(((50,),), (1, 28, 28))
        found[f"{name}: D"] = spec.discriminator.build(((1, 28, 28),), (1,))
        found[f"{name}: h"] = spec.auxiliaries["inverter"].build((1, 28, 28), {"code": 50, "mode": 10})
    return found


def test_the_released_networks_begin_with_the_weights_of_keras() -> None:
    torch.manual_seed(0)
    for name, module in released().items():
        layers = [m for m in module.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]
        assert len(layers) == {"G": 8, "D": 5, "h": 7}[name[-1]]
        for layer in layers:
            inputs, outputs, *kernel = layer.weight.shape
            bound = math.sqrt(6 / ((inputs + outputs) * math.prod(kernel)))  # Glorot and Bengio (2010), eq. 16
            largest = float(layer.weight.detach().abs().max())
            assert 0.9 * bound < largest <= bound * (1 + 1e-6), (name, layer)
            assert layer.bias is None or not layer.bias.any(), (name, layer)


def test_the_released_batch_normalisations_have_the_epsilon_and_the_momentum_of_keras() -> None:
    norms = [m for m in GeneratorConfig().build(((50,),), (1, 28, 28)).modules() if isinstance(m, _BatchNorm)]
    assert [(norm.eps, norm.momentum) for norm in norms] == [(1e-3, 0.1)] * 7


@pytest.mark.parametrize(("side", "stride", "before"), [(28, 2, 1), (14, 2, 1), (7, 2, 2), (7, 1, 2), (4, 2, 1)])
def test_convolutions_begin_where_keras_begins(side: int, stride: int, before: int) -> None:
    """Keras pads by (outputs - 1) stride + 5 - side in all, the smaller half of it before."""
    outputs = -(-side // stride)
    assert ((outputs - 1) * stride + 5 - side) // 2 == before
    layer, x = Convolution(1, 1, side, stride), torch.arange(1.0, side**2 + 1).view(1, 1, side, side)
    with torch.no_grad():
        layer.weight.zero_()[0, 0, before, before] = 1.0  # reads the first pixel first
        layer.bias.zero_()  # type: ignore[union-attr]
        torch.testing.assert_close(layer(x), x[:, :, ::stride, ::stride])


def test_an_inverters_head_begins_with_torchs_weights_by_default() -> None:
    config = InverterConfig(network=MlpConfig(hidden=(8,)))
    torch.manual_seed(0)
    assert config.build((2,), {"code": 50, "mode": 10}).head.bias.any()
    head = config.model_copy(update={"init": "xavier"}).build((2,), {"code": 50, "mode": 10}).head
    assert not head.bias.any()


def test_images_that_are_not_square_are_refused() -> None:
    message = CriticConfig().misfit(((1, 28, 32),), (1,))
    assert message == "nemgan.critic sees square images, not (1, 28, 32): crop or pad them"


@pytest.mark.parametrize("image", [(1, 28, 28), (3, 32, 32)])
def test_the_released_networks_map_latents_to_images_and_images_to_codes(image: tuple[int, int, int]) -> None:
    with torch.no_grad():
        x = GeneratorConfig().build(((50,),), image)(torch.randn(2, 50))
        assert x.shape == (2, *image)
        assert float(x.abs().max()) <= 1
        assert CriticConfig().build((image,), (1,))(x).shape == (2, 1)
        found = Inverter(EncoderConfig().build((image,), (50,)), 50, 5, "leaky_relu")(x)
    assert isinstance(found, Inverted)
    assert (found.z.shape, found.y.shape) == ((2, 50), (2, 5))


# Discovery


def test_attributes_are_rows_along_the_directions_that_change_most(tmp_path: Path) -> None:
    prior = ModeMixtureConfig(dim=4, modes=2).build()
    generator = nn.Linear(4, 2, bias=False)
    with torch.no_grad():
        generator.weight.copy_(torch.tensor([[9.0, 0, 0, 0], [0, 1.0, 0, 0]]))
    rows = attributes({"prior": prior, "generator": generator}, directions=2, steps=5)
    assert rows.shape == (2, 2, 5, 2)
    first, second = rows[0]
    assert float(first[:, 0].max() - first[:, 0].min()) > 4
    torch.testing.assert_close(first[:, 1], first[:1, 1].expand(5), atol=1e-4, rtol=0)
    assert float(second[:, 1].max() - second[:, 1].min()) > 0.4


def test_weights_and_shares_are_matched_by_the_items_that_they_have_in_common() -> None:
    relation = torch.tensor([[0, 9, 0], [8, 1, 0]])  # two modes, three classes
    true, learned = match(relation, torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.4, 0.6]))
    torch.testing.assert_close(true, torch.tensor([0.3, 0.5, 0.2]))
    torch.testing.assert_close(learned, torch.tensor([0.4, 0.6, 0.0]))


# The released scripts' settings


def recipe(name: str) -> Spec:
    return load_spec(f"nemgan/{name}")


def inversion_of(spec: Spec) -> LatentInversionConfig:
    (term,) = (term for term in spec.losses if isinstance(term, LatentInversionConfig))
    return term


@pytest.mark.parametrize("name", ["mnist", "digits"])
def test_the_first_versions_losses_weigh_z_a_hundred_times_as_much_as_the_mode(name: str) -> None:
    term = inversion_of(recipe(name))
    assert (term.z_loss, term.z_weight, term.y_loss, term.y_weight) == ("mae", 100.0, "am_softmax", 1.0)
    assert term.margin == 0.4


@pytest.mark.parametrize("name", ["fashion5", "mnist2", "cifar2"])
def test_nemgan_p_weighs_z_ten_times_as_much_as_the_mode(name: str) -> None:
    term = inversion_of(recipe(name))
    assert (term.z_loss, term.z_weight, term.y_loss, term.y_weight) == ("mse", 10.0, "binary", 1.0)


@pytest.mark.parametrize("name", ["fashion5", "mnist2", "cifar2"])
def test_an_iteration_of_nemgan_p_takes_all_but_its_supervised_updates_on_one_draw(name: str) -> None:
    turns = recipe(name).training.schedule
    assert [(turn.player, turn.draw, turn.inference) for turn in turns if isinstance(turn, TurnConfig)] == [
        ("discriminator", "fresh", ()), ("generator", "shared", ()), ("inversion", "shared", ()),
        ("prior", "shared", ()), ("supervision", "fresh", ()), ("supervision", "fresh", ()),
    ]  # fmt: skip


def test_an_iteration_of_the_first_version_shows_its_critic_fakes_in_inference_mode_on_its_one_draw() -> None:
    turns = recipe("mnist").training.schedule
    assert [(turn.player, turn.draw, turn.inference) for turn in turns if isinstance(turn, TurnConfig)] == [
        ("discriminator", "fresh", ("generator",)), ("generator", "shared", ()), ("inversion", "shared", ()),
    ]  # fmt: skip


def supervised(spec: Spec, iterations: range) -> int:
    turns = (turn for turn in spec.training.schedule if isinstance(turn, TurnConfig))
    return sum(turn.times * turn.due(i) for turn in turns if turn.player == "supervision" for i in iterations)


def test_supervised_batches_are_118_in_100_iterations_as_released_and_as_many_for_labels_alone() -> None:
    game, alone = recipe("fashion5"), recipe("fashion5-labels-alone")
    assert supervised(game, range(101)) == 0
    assert supervised(game, range(5_000, 5_100)) == 118
    assert supervised(game, range(game.training.iterations)) == alone.training.iterations


# As a plugin


WITHOUT = {
    "an inverter": {"auxiliaries": {}},
    "modes": {"prior": {"kind": "gaussian", "dim": 5}},
    "a stream": {"streams": {}},
    "learned weights": {"prior": {**SPEC["prior"], "weights": [1, 2, 1]}},
    "enough modes": {"prior": {**SPEC["prior"], "modes": 2}},
}
MESSAGES = {
    "an inverter": "needs an auxiliary that maps data to mode; none is defined: add auxiliaries.inverter: "
    "{kind: nemgan.inverter}",
    "modes": "needs a latent part 'mode', which prior gaussian does not have: add a prior with modes, such as prior: "
    "{kind: nemgan.mode_mixture}",
    "a stream": "nemgan.sparse_supervision needs a stream of labelled items, but there is no 'labelled': add "
    "streams.labelled: {items: 500}",
    "learned weights": "nemgan.prior_matching has nothing to learn: set prior.weights: learned, or remove it",
    "enough modes": "nemgan.sparse_supervision names a mode after each label, but there are 3 labels and 2 modes: set "
    "prior.modes: 3",
}


@pytest.mark.parametrize("lacking", WITHOUT)
def test_a_spec_that_lacks_a_part_of_the_method_is_refused_with_the_line_to_add(lacking: str) -> None:
    with pytest.raises(SpecError, match=re.escape(MESSAGES[lacking])):
        load_spec(spec_with(**WITHOUT[lacking]))


def test_an_inverter_beside_a_prior_without_modes_is_refused() -> None:
    with pytest.raises(CompositionError, match=re.escape("nemgan.inverter estimates modes, which the prior lacks")):
        composed(prior={"kind": "gaussian", "dim": 5}, losses=[{"kind": "non_saturating"}], evaluation={})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dim": 4, "modes": 5}, "dim is 4, but 5 modes placed last need 5 or more"),
        (
            {"dim": 40, "modes": 9, "placement": "every_fifth"},
            "dim is 40, but 9 modes placed every_fifth need 41 or more",
        ),
        ({"modes": 3, "weights": [1, 2]}, "weights has 2 entries but there are 3 modes"),
    ],
)
def test_a_prior_whose_modes_have_no_room_or_no_weight_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        ModeMixtureConfig(**settings)


def test_every_recipe_of_the_plugin_is_valid() -> None:
    names = [name for name in installed().recipes if name.startswith("nemgan/")]
    assert len(names) >= 7
    for name in names:
        load_spec(name)
