"""BourGAN's prior, loss and metric against formulas written out by hand, and as parts of a run."""

import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.stats import wasserstein_distance
from torch import Tensor, nn

from allmodes import (
    Batch,
    Evaluation,
    Experiment,
    Fitting,
    Mixture,
    MixtureData,
    Noise,
    Spec,
    SpecError,
    Step,
    TensorData,
    load_run,
    seeded,
)
from allmodes.testing import Composition, compose, load_spec, make_step
from allmodes_bourgan.config import DistanceConfig, MetricMixtureConfig
from allmodes_bourgan.fit import EmbeddingOptions
from allmodes_bourgan.metrics import LogDistances, draw, facts, log_pairs
from allmodes_bourgan.model import DistanceLoss, MetricMixture

B = 6
TINY: dict[str, Any] = {
    "name": "tiny",
    "data": {"kind": "ring"},
    "prior": {"kind": "bourgan.metric_mixture", "subsample": 64, "modes": 4},
    "generator": {"kind": "mlp", "hidden": [8]},
    "discriminator": {"kind": "mlp", "hidden": [8]},
    "losses": [{"kind": "non_saturating"}, {"kind": "bourgan.distance"}],
    "training": {"iterations": 20, "batch_size": 8, "log_every": 5, "device": "cpu", "threads": 1},
    "evaluation": {"every": 20, "samples": 64, "metrics": ["modes", "bourgan.distances"], "figure": False},
}


def spec(**changes: Any) -> Spec:
    return load_spec({**TINY, **changes})


def composed(**changes: Any) -> Composition:
    return compose(spec(**changes))


def a_step(composition: Composition) -> Step:
    return make_step(composition, torch.zeros(B, 2), seeded(0))


def a_prior(points: Tensor, width: float = 0.0, **options: Any) -> MetricMixture:
    prior = MetricMixture(EmbeddingOptions(**options))
    prior.points, prior.edges = points, torch.tensor([0, len(points)])
    prior.width, prior.relative = torch.tensor(width), torch.ones(len(points))
    return prior


# The prior


def test_a_width_of_neighbours_is_each_points_own_and_the_latent_tells_its_item() -> None:
    x = torch.cat([0.01 * torch.randn(300, 2), 5 + torch.randn(300, 2)])
    prior = MetricMixture(EmbeddingOptions(std="neighbours", items=True))
    prior.fit(Fitting(TensorData(x), seeded(0)))
    latent = prior(seeded(1), 4000)
    item, scale = latent.part("item"), latent.part("scale")
    i = (item[:, None] == prior.items).all(2).int().argmax(1)
    torch.testing.assert_close(latent.z, prior.points[i], atol=5 * float(prior.width * prior.relative.max()), rtol=0)
    spread = (latent.z - prior.points[i]).std(1) / (prior.width * prior.relative[i])
    torch.testing.assert_close(spread.mean(), torch.tensor(1.0), atol=0.03, rtol=0)
    tight = item[:, 0] < 1
    assert prior.relative[i][~tight].median() > 5 * prior.relative[i][tight].median()
    assert scale[~tight].median() > 20 * scale[tight].median()


def test_a_latent_is_an_embedded_point_plus_noise_of_the_mixtures_width() -> None:
    points, k, noise = torch.randn(10, 3), torch.tensor([0.0, 0.35, 0.999]), torch.randn(3, 3)
    z = a_prior(points, width=0.5)(Noise(None, {"component": k, "spread": noise}), 3).z
    assert torch.equal(z, points[[0, 3, 9]] + 0.5 * noise)


def test_a_model_of_version_01_draws_with_the_width_of_its_spec() -> None:
    """It holds no width, and the ratios of its points alone."""
    prior = a_prior(torch.randn(10, 3), std=0.25)
    older = {**{k: v for k, v in prior.state_dict().items() if k != "width"}, "ratios": torch.tensor([2.0, 1, 0, 0])}
    prior.ratios = torch.zeros(4)
    prior.load_state_dict(older)
    assert prior.width == 0.25
    evaluation = evaluated(torch.randn(5, 2), torch.randn(5, 2), prior=prior)
    prior.dim = 3
    assert facts(evaluation) == {"latent_dim": 3, "distortion": pytest.approx(math.e)}


def test_every_point_is_drawn_equally_often() -> None:
    prior = a_prior(torch.arange(5.0)[:, None])
    counts = prior(seeded(0), 50_000).z.long().flatten().bincount()
    assert ((counts - 10_000).abs() < 5 * math.sqrt(50_000 * 0.2 * 0.8)).all()


def test_a_draw_of_a_mode_comes_from_that_clusters_points_and_is_labelled() -> None:
    prior = a_prior(torch.arange(6.0)[:, None], modes=3)
    prior.edges = torch.tensor([0, 1, 4, 6])
    latent = prior(seeded(0), 500, {"mode": 1})
    assert set(latent.z.flatten().tolist()) == {1, 2, 3}
    assert torch.equal(latent.part("mode"), torch.tensor([[0.0, 1, 0]]).expand(500, 3))
    each = prior(seeded(0), 3, {"mode": torch.tensor([2, 0, 1])})
    assert each.part("mode").argmax(1).tolist() == [2, 0, 1]


def test_a_draw_of_any_mode_is_labelled_by_the_cluster_of_its_point() -> None:
    prior = a_prior(torch.arange(6.0)[:, None], modes=3)
    prior.edges = torch.tensor([0, 1, 4, 6])
    latent = prior(seeded(0), 100)
    truth = torch.tensor([0, 1, 1, 1, 2, 2])[latent.z.long().flatten()]
    assert torch.equal(latent.part("mode").argmax(1), truth)


def test_the_fit_decides_the_latents_size_and_the_generators() -> None:
    composition = composed()
    prior, generator = composition.modules["prior"], composition.modules["generator"]
    assert isinstance(prior, MetricMixture)
    assert (prior.dim, dict(prior.sizes)) == (30, {"code": 30, "mode": 4})
    assert next(generator.parameters()).shape == (8, 30)


# The loss


class Identity(nn.Module):
    """A generator whose samples are the first two entries of the latent, times a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, z: Tensor) -> Tensor:
        return self.factor * z[:, :2]


@pytest.mark.parametrize("metric", ["l2", "l1"])
@pytest.mark.parametrize("scale", [0.25, 3.0])
def test_the_loss_is_the_papers_over_pairs_of_two_batches(metric: str, scale: float) -> None:
    loss = {"kind": "bourgan.distance", "metric": metric, "scale": scale}
    composition = composed(losses=[TINY["losses"][0], loss])
    step = a_step(composition)
    value = composition.terms["bourgan.distance"].loss(step, "generator")
    other = step.redraw("pair")
    assert not torch.equal(step.latent.z, other.latent.z)
    d = (step.fake - other.fake).norm(p=1 if metric == "l1" else 2, dim=1)
    e = (step.latent.z - other.latent.z).norm(dim=1)
    assert float(value.detach()) == pytest.approx(float((d.log() - (scale * e).log()).square().mean()), rel=1e-5)


def test_within_a_batch_the_loss_is_the_mean_over_all_its_pairs() -> None:
    composition = composed(losses=[TINY["losses"][0], {"kind": "bourgan.distance", "pairs": "within", "scale": 2.0}])
    step = a_step(composition)
    value = composition.terms["bourgan.distance"].loss(step, "generator")
    logs = torch.pdist(step.fake).log() - (2 * torch.pdist(step.latent.z)).log()
    assert len(logs) == B * (B - 1) / 2
    assert float(value.detach()) == pytest.approx(float(logs.square().mean()), rel=1e-5)


def test_a_generator_that_scales_distances_by_s_has_no_loss() -> None:
    composition = composed(
        prior={"kind": "gaussian", "dim": 2}, losses=[TINY["losses"][0], {"kind": "bourgan.distance", "scale": 3.0}]
    )
    composition.modules["generator"] = Identity(3.0)
    assert float(composition.terms["bourgan.distance"].loss(a_step(composition), "generator")) < 1e-10


def test_the_gradient_is_that_of_finite_differences() -> None:
    composition = composed(
        prior={"kind": "gaussian", "dim": 2}, losses=[TINY["losses"][0], {"kind": "bourgan.distance", "scale": 3.0}]
    )
    composition.modules["generator"] = generator = Identity(2.0)
    term = composition.terms["bourgan.distance"].loss

    def at(factor: float) -> Tensor:
        generator.factor.data.fill_(factor)
        return term(a_step(composition), "generator")

    (gradient,) = torch.autograd.grad(at(2.0), [generator.factor])
    by_hand = 2 * math.log(2 / 3) / 2  # d/da (log a - log s)^2
    assert float(gradient) == pytest.approx(by_hand, rel=1e-4)
    assert float((at(2.02) - at(1.98)) / 0.04) == pytest.approx(by_hand, rel=1e-2)


def test_gradients_stay_finite_where_samples_coincide() -> None:
    composition = composed(losses=[TINY["losses"][0], {"kind": "bourgan.distance", "pairs": "within"}])
    composition.modules["generator"] = generator = Identity(0.0)
    value = composition.terms["bourgan.distance"].loss(a_step(composition), "generator")
    assert torch.autograd.grad(value, [generator.factor])[0].isfinite()


CONVOLVED = {"kind": "random_conv", "channels": 4}
IMAGES: dict[str, Any] = {
    **TINY,
    "data": {"kind": "digits"},
    "prior": {"kind": "bourgan.metric_mixture", "subsample": 64, "metric": "cosine", "features": CONVOLVED},
    "generator": {"kind": "mlp", "hidden": [8], "output": "tanh"},
    "losses": [{"kind": "non_saturating"}, {"kind": "bourgan.distance", "metric": "l1", "features": CONVOLVED}],
    "evaluation": {},
}


def test_distances_may_be_of_features_through_which_gradients_flow() -> None:
    composition = compose(IMAGES)
    term = composition.terms["bourgan.distance"].loss
    assert isinstance(term, DistanceLoss)
    step = a_step(composition)
    value = term(step, "generator")
    other = step.redraw("pair")
    d = (term.features(step.fake) - term.features(other.fake)).abs().sum(1)
    e = (step.latent.z - other.latent.z).norm(dim=1)
    assert float(value.detach()) == pytest.approx(float((d.log() - e.log() - term.log_s).square().mean()), rel=1e-4)
    gradients = torch.autograd.grad(value, list(composition.modules["generator"].parameters()))
    assert all(g.isfinite().all() and g.abs().sum() > 0 for g in gradients)


def test_the_term_keeps_its_features_in_evaluation_mode() -> None:
    term = compose(IMAGES).terms["bourgan.distance"].loss.train()
    assert not any(module.training for module in term.features.modules())


def test_the_term_serves_the_generator_alone() -> None:
    assert set(DistanceLoss().losses()) == {"generator"}


# Its scale


def scale_of(prior: Any, **options: Any) -> DistanceLoss:
    made = spec(prior=prior, losses=[TINY["losses"][0], {"kind": "bourgan.distance", **options}])
    term = compose(made).terms["bourgan.distance"].loss
    assert isinstance(term, DistanceLoss)
    return term


def test_with_a_gaussian_prior_the_scale_makes_logarithms_agree_on_average() -> None:
    """For x and z both standard normal in two dimensions the distances have one distribution: s = 1."""
    data = MixtureData(Mixture(torch.zeros(1, 2), 5.0, torch.ones(1)))
    made = spec(prior={"kind": "gaussian", "dim": 2})
    term = compose(made, data=data).terms["bourgan.distance"].loss
    assert isinstance(term, DistanceLoss)
    assert float(term.log_s) == pytest.approx(math.log(5), abs=0.05)
    assert term.perfect < 0


def test_the_scales_rules_are_those_of_the_prior_s_embedding() -> None:
    prior = {"kind": "bourgan.metric_mixture", "subsample": 500}
    largest = scale_of(prior, scale="max")
    root, mean = scale_of(prior, scale="sqrt_max"), scale_of(prior, scale="mean_log")
    assert float(root.log_s) == pytest.approx(float(largest.log_s) / 2)
    assert scale_of(prior).log_s == largest.log_s
    assert float(scale_of(prior, scale=0.5).log_s) == pytest.approx(math.log(0.5))
    assert float(mean.perfect) == pytest.approx(min(float(t.perfect) for t in (largest, root, mean)), rel=0.01)


@pytest.mark.parametrize("std", ["auto", 0.1])
@pytest.mark.parametrize("variant", ["official", "theory"])
@pytest.mark.parametrize("factor", [2.0**-12, 1000.0])
def test_data_in_other_units_have_the_same_mixture_in_those_units_and_ask_for_the_same_distances(
    factor: float, variant: Any, std: Any
) -> None:
    """Official points know no units, the theory's are in the data's; s makes up for it, except the official root."""
    x = spec(data={"kind": "ring", "items": 400}).data.build().x
    one, other = (MetricMixture(EmbeddingOptions(variant=variant, std=std)) for _ in range(2))
    one.fit(Fitting(TensorData(x), seeded(0)))
    other.fit(Fitting(TensorData(factor * x), seeded(0)))
    unit = 1.0 if variant == "official" else factor
    assert torch.allclose(other.points, unit * one.points, rtol=1e-3, atol=1e-3 * unit)
    assert float(other.width) == pytest.approx(unit * float(one.width), rel=1e-3)
    drawn = one(seeded(1), 50).z, other(seeded(1), 50).z
    assert torch.allclose(drawn[1], unit * drawn[0], rtol=1e-3, atol=1e-3 * unit)
    for rule in ("max", "mean_log"):
        s = [DistanceLoss(scale=rule) for _ in range(2)]
        s[0].fit(Fitting(TensorData(x), seeded(0), one))
        s[1].fit(Fitting(TensorData(factor * x), seeded(0), other))
        assert float(s[1].log_s - s[0].log_s) == pytest.approx(math.log(factor / unit), abs=0.01)


def test_the_perfect_loss_is_that_of_a_generator_which_maps_each_point_to_its_item() -> None:
    """The ring's official floors at s = root, largest, best: 0.93, 0.25, 0.066 on average of three seeds."""
    data = spec(data={"kind": "ring", "radius": 2.0}).data.build()
    found: dict[str, list[float]] = {}
    for seed in range(3):
        prior = MetricMixture(EmbeddingOptions(subsample=1250, std=0.0))
        prior.fit(Fitting(data, seeded(seed)))
        for rule in ("sqrt_max", "max", "mean_log"):
            term = DistanceLoss(scale=rule)  # type: ignore[arg-type]
            term.fit(Fitting(data, seeded(seed).at("term"), prior))
            found.setdefault(rule, []).append(float(term.perfect))
    means = {rule: sum(values) / 3 for rule, values in found.items()}
    assert means == pytest.approx({"sqrt_max": 0.93, "max": 0.25, "mean_log": 0.066}, rel=0.3)


def test_no_perfect_loss_is_known_for_another_metric_than_the_priors() -> None:
    assert scale_of(TINY["prior"], metric="l1").perfect < 0


# The metric


def evaluated(samples: Tensor, real: Tensor, **modules: nn.Module) -> Evaluation:
    data = TensorData(real)
    return Evaluation(samples, data, Batch(real), torch.Generator(), modules=modules)


def test_the_metric_is_the_distance_of_the_two_distributions_of_logarithms() -> None:
    x, y = torch.randn(50, 3), torch.randn(60, 3)
    value = LogDistances().compute(evaluated(x, y))["log_distance_w1"]
    truth = wasserstein_distance(torch.pdist(x).log().numpy(), torch.pdist(y).log().numpy())
    assert value == pytest.approx(float(truth), rel=1e-4)


def test_samples_twice_as_far_apart_are_wrong_by_log_two() -> None:
    x = torch.randn(50, 3)
    value = LogDistances().compute(evaluated(2 * x, x))["log_distance_w1"]
    assert value == pytest.approx(math.log(2), rel=1e-3)


def test_samples_that_are_not_finite_have_no_distance_and_still_a_figure() -> None:
    x = torch.full((50, 3), math.nan)
    metric, evaluation = LogDistances(), evaluated(x, torch.randn(50, 3))
    assert math.isnan(metric.compute(evaluation)["log_distance_w1"])
    assert [text.get_text() for text in metric.figure(evaluation).axes[0].get_legend().get_texts()] == ["data"]


def test_a_figure_takes_as_many_pairs_as_six_thousand_items_have() -> None:
    """torch's own quantile refuses more than 2^24 numbers."""
    axes = draw({"data": torch.linspace(-1, 1, 2**24 + 1)}, "l2").axes[0]
    assert (round(axes.dataLim.x0, 5), round(axes.dataLim.x1, 5)) == (-1, 1)


def test_pairs_are_counted_once_and_equal_items_left_out() -> None:
    d = torch.tensor([[0.0, 1, 0], [1, 0, 2], [0, 2, 0]])
    assert log_pairs(d).exp().tolist() == pytest.approx([1, 2])


# In a run


def test_a_run_reports_the_fit_and_draws_the_distances_of_data_latents_and_samples(tmp_path: Path) -> None:
    drawn = {**TINY, "evaluation": {**TINY["evaluation"], "figure": True}}
    results = Experiment.from_spec(drawn, track=False, folder=tmp_path).run()
    metrics = results.outcomes[0].results
    assert metrics["latent_dim"] == 30
    assert metrics["distortion_drawn"] > metrics["distortion"] > 1
    assert metrics["distance_loss_perfect"] > 0
    assert (results.folder / "seed-0/figures/log_distances-00000020.png").is_file()


def test_a_reloaded_generator_draws_the_same_latents(tmp_path: Path) -> None:
    results = Experiment.from_spec(TINY, track=False, folder=tmp_path).run()
    model = load_run(results.folder)
    composition = compose(model.spec)
    drawn = model.modules["prior"](seeded(1), 9)
    assert torch.equal(drawn.z, composition.modules["prior"](seeded(1), 9).z)
    assert torch.equal(drawn.part("mode"), composition.modules["prior"](seeded(1), 9).part("mode"))
    assert model.sample(5, given={"mode": 2}).shape == (5, 2)


def test_a_distance_from_python_trains_and_marks_the_run(tmp_path: Path) -> None:
    own = {**TINY, "prior": {"kind": "bourgan.metric_mixture", "subsample": 64, "metric": "python:mine"}}
    functions, warned = {"mine": lambda x, y: torch.cdist(x, y, p=1.0)}, list[str]()
    results = Experiment.from_spec(own, track=False, folder=tmp_path, functions=functions).run()
    assert results.status == "finished"
    assert '"rerunnable": false' in (results.folder / "seed-0/run.json").read_text()
    assert load_run(results.folder).sample(3).shape == (3, 2)
    evaluate = [sys.executable, "-m", "allmodes", "evaluate", str(results.folder), "--metric", "modes", "--no-tracking"]
    again = subprocess.run(evaluate, check=True, capture_output=True, text=True)
    assert re.search(rf"\bmodes .* {results.outcomes[0].results['modes']:g} │", again.stdout)
    longer = Experiment.resume(
        results.folder, ["training.iterations=25"], functions=functions, warn=warned.append
    ).run()
    assert longer.outcomes[0].iteration == 25
    assert warned == []


REFUSED = {
    "an embedding's scale without one": (
        {"prior": {"kind": "gaussian"},
         "losses": [{"kind": "non_saturating"}, {"kind": "bourgan.distance", "scale": "max"}]},
        "losses.1.scale: scale max is that of an embedding, and prior gaussian has none: "
        "take mean_log, or prior: {kind: bourgan.metric_mixture}",
    ),
    "an unknown metric": (
        {"prior": {"kind": "bourgan.metric_mixture", "metric": "l3"}},
        "prior.metric: should be l2, l1, linf, cosine, or python:name for a function of yours, got 'l3'",
    ),
    "a classifier without labels": (
        {"prior": {"kind": "bourgan.metric_mixture", "features": {"kind": "classifier"}},
         "data": {"kind": "python", "name": "mine", "item_shape": [2]}},
        "prior.features: classifier needs labels, which data python does not have: "
        "take data with labels, or other features",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "message"), REFUSED.values(), ids=REFUSED)
def test_invalid_combinations_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=re.escape(message)):
        spec(**changes)


def test_the_grid_is_the_official_codes_and_embeds_all_of_its_points() -> None:
    recipe = load_spec("bourgan/grid")
    data = recipe.data.build()
    assert data.shares().tolist() == [1 / 25] * 25
    assert data.items == 1250
    prior = recipe.prior.build()
    prior.fit(Fitting(data, seeded(0)))
    assert prior.points.shape == (1250, 55)


@pytest.mark.parametrize("name", ["grid", "ring", "circle"])
def test_the_recipes_have_the_official_codes_networks_and_losses(name: str) -> None:
    recipe = load_spec(f"bourgan/{name}")
    adam = recipe.training.optimizer
    assert (recipe.training.iterations, recipe.training.batch_size, recipe.training.schedule) == (
        5000,
        128,
        "alternating",
    )
    assert adam.model_dump() == {"kind": "adam", "lr": 1e-3, "betas": (0.5, 0.999), "eps": 1e-8}
    game, distance = recipe.losses
    assert game.kind == "non_saturating"
    assert isinstance(distance, DistanceConfig)
    assert (distance.weight, distance.scale, distance.pairs) == (0.1, "sqrt_max", "two_batches")
    assert isinstance(recipe.prior, MetricMixtureConfig)
    assert (recipe.prior.std, recipe.prior.variant) == (0.01, "official")
    for network in (recipe.generator, recipe.discriminator):
        named = network.model_dump(include={"hidden", "activation", "slope", "init"})
        assert named == {"hidden": (128, 128), "activation": "leaky_relu", "slope": 0.1, "init": "torch"}


def test_the_plugins_configs_are_imported_without_faiss() -> None:
    code = "import sys, allmodes_bourgan; assert 'faiss' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
