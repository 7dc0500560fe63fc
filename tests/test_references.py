"""Reference samplers: their widths, components and evidence against closed forms, integrals and known mixtures."""

import json
import math
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.integrate import dblquad
from scipy.special import gammaln

from allmodes import (
    BootstrapConfig,
    CopyConfig,
    DigitsConfig,
    EmConfig,
    Experiment,
    GridConfig,
    IvomConfig,
    RingConfig,
    SpecError,
    TensorData,
    installed,
)
from allmodes.builtin.agglomeration import Clusters, NormalInverseWishart, agglomerate
from allmodes.builtin.coordinates import Coordinates
from allmodes.builtin.em import GaussianMixture, fit_mixture
from allmodes.builtin.references import Bootstrap, Copy, Em, local_widths
from allmodes.cli.main import execute
from allmodes.data import Data, Mixture, MixtureData
from allmodes.experiments.remeasure import remeasure_all
from allmodes.experiments.settings import Setup
from allmodes.game.noise import rng
from allmodes.metrics import Evaluation, Modes, build_metrics, measure_reference
from allmodes.metrics.transport import wasserstein
from allmodes.runs.results import load_results
from allmodes.testing import ReferenceContract
from faulty import CopiedConfig, CornersConfig, registry_of
from tiny import SPEC

FIT = Copy.fit
SETUP = Setup()
DOUBLE = torch.float64


class TestCopy(ReferenceContract):
    config = CopyConfig(items=200)


class TestBootstrap(ReferenceContract):
    config = BootstrapConfig(items=200, k=5, scale=0.5)


class TestEm(ReferenceContract):
    config = EmConfig(items=200)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=DOUBLE)


# Copies


def test_a_copy_is_of_all_items_of_finite_data() -> None:
    x = normal(50, 2).float()
    copy = Copy(items=7)
    copy.fit(TensorData(x), seeded())
    drawn = copy.draw(2000, seeded(1))
    which = (drawn[:, None] == x).all(2)  # (2000, 50)
    assert (which.sum(1) == 1).all()
    assert which.sum(0).min() > 0


def test_a_copy_of_endless_data_is_of_so_many_draws() -> None:
    copy = Copy(items=7)
    copy.fit(RingConfig().build(), seeded())
    assert len(copy.draw(500, seeded(1)).unique(dim=0)) == 7


# The bootstrap


def test_the_local_width_of_uniform_points_is_that_of_the_poisson_process() -> None:
    """The k-th of uniform neighbours in the plane is Gamma(k + 1/2) / Gamma(k) / sqrt(pi density) away in the mean."""
    points, k = torch.rand(8000, 2, generator=seeded(), dtype=DOUBLE), 10
    inner = ((points > 0.1) & (points < 0.9)).all(1)
    expected = math.exp(gammaln(k + 0.5) - gammaln(k)) / math.sqrt(math.pi * len(points)) / math.sqrt(2)
    # Points of small radii are neighbours of more points, so that the mean of the medians is a little less.
    assert 0.95 * expected < local_widths(points, k)[inner].mean().item() < expected


def test_the_local_width_is_the_median_of_the_neighbours_radii() -> None:
    points = normal(60, 3)
    order = torch.cdist(points, points).sort(1)
    radii = order.values[:, 4]  # the first is the point itself
    expected = radii[order.indices[:, 1:5]].quantile(0.5, 1) / math.sqrt(3)
    assert torch.allclose(local_widths(points, 4), expected)


def test_noise_of_the_bootstrap_has_the_local_width_in_units_of_each_axis() -> None:
    x = normal(3000, 2) * torch.tensor([1.0, 1000.0])
    bootstrap = Bootstrap(3000, 10, 2.0)
    bootstrap.fit(TensorData(x.float()), seeded())
    widened = 1 + (2 * bootstrap.widths).square().mean().item()
    spread = bootstrap.draw(200_000, seeded(1)).double().var(0) / bootstrap.x.double().var(0)
    assert spread.tolist() == pytest.approx([widened] * 2, rel=0.015)
    assert widened > 1.02


@pytest.mark.parametrize("build", [Bootstrap, Em])
def test_an_axis_that_is_constant_stays_so(build: type[Bootstrap | Em]) -> None:
    x = torch.cat([normal(100, 2).float(), torch.full((100, 1), 0.1)], 1)
    sampler = build()
    sampler.fit(TensorData(x), seeded())
    assert sampler.draw(50, seeded())[:, 2].unique().tolist() == pytest.approx([0.1], rel=1e-6)


@pytest.mark.parametrize("items", [1, 2, 5])
@pytest.mark.parametrize("build", [Bootstrap, Em])
def test_few_or_equal_items_are_enough(build: type[Bootstrap | Em], items: int) -> None:
    for x in (normal(items, 2).float(), torch.ones(items, 2), normal(items, 1, 4, 4).float()):
        sampler = build()
        sampler.fit(TensorData(x), seeded())
        assert sampler.draw(9, seeded()).isfinite().all()


def test_images_move_along_principal_components_within_their_range() -> None:
    bootstrap = Bootstrap()
    data = DigitsConfig().build()
    bootstrap.fit(data, seeded())
    assert bootstrap.coordinates.directions.shape == (32, 64)
    drawn = bootstrap.draw(200, seeded())
    assert (drawn.min().item(), drawn.max().item()) == (-1, 1)


# Coordinates


def test_coordinates_of_images_are_their_leading_principal_components() -> None:
    x = normal(300, 3) @ normal(3, 100, seed=1) + 0.01 * normal(300, 100, seed=2)
    found = Coordinates.of(x.view(300, 1, 10, 10), seeded())
    covariance = (x - x.mean(0)).T @ (x - x.mean(0))
    exact = torch.linalg.eigh(covariance).eigenvectors[:, -3:]
    assert torch.allclose(found.directions[:3] @ exact @ exact.T, found.directions[:3], atol=1e-4)
    assert torch.allclose(found.directions @ found.directions.T, torch.eye(32, dtype=DOUBLE), atol=1e-6)


def test_coordinates_of_vectors_are_their_standardised_axes() -> None:
    x = normal(300, 3) * torch.tensor([1e-3, 1.0, 1e3]) + 5
    found = Coordinates.of(x, seeded())
    assert torch.allclose(found.find(x), (x - x.mean(0)) / x.std(0, correction=0))
    assert torch.allclose(found.centre + found.move(found.find(x)), x)


# The evidence


def clusters_of(points: torch.Tensor, labels: torch.Tensor, *, full: bool) -> Clusters:
    blocks = points[:, None, :] if full else points[:, :, None]
    return Clusters.of(blocks, torch.nn.functional.one_hot(labels).double())


def test_the_evidence_is_the_integral_over_mean_and_precision() -> None:
    """On a line the prior is a normal and a gamma density (a = degrees / 2, b = scale / 2)."""
    x = torch.tensor([0.3, -0.2, 0.9], dtype=DOUBLE)
    prior = NormalInverseWishart(torch.full((1, 1, 1), 0.4, dtype=DOUBLE), 0.2)
    found = prior.evidence(clusters_of(x[:, None], torch.zeros(3, dtype=torch.long), full=True))
    a, b = 3 / 2, 0.4 / 2

    def density(mean: float, precision: float) -> float:
        gamma = b**a / math.gamma(a) * precision ** (a - 1) * math.exp(-b * precision)
        about = math.sqrt(0.2 * precision / (2 * math.pi)) * math.exp(-0.1 * precision * mean**2)
        points = sum((value - mean) ** 2 for value in x.tolist())
        return gamma * about * (precision / (2 * math.pi)) ** 1.5 * math.exp(-precision * points / 2)

    exact, _ = dblquad(density, 0, 60, -8, 8)
    assert found.item() == pytest.approx(math.log(exact) + math.log(math.gamma(3)), abs=1e-4)


def test_the_evidence_in_the_plane_is_the_product_of_predictions() -> None:
    """Each point is drawn from Student's t of those before it (Murphy, 2007): the sum of logs is the evidence."""
    x = normal(6, 2)
    prior = NormalInverseWishart(torch.eye(2, dtype=DOUBLE)[None] * 0.7, 0.3)
    whole = prior.evidence(clusters_of(x, torch.zeros(6, dtype=torch.long), full=True)).item()
    total, mean, scale = 0.0, torch.zeros(2, dtype=DOUBLE), prior.scale[0]
    for n, point in enumerate(x):
        kappa, degrees = 0.3 + n, 4 + n - 1
        spread = scale * (kappa + 1) / (kappa * degrees)
        apart = point - mean
        inner = 1 + (apart @ torch.linalg.solve(spread, apart)).item() / degrees
        total += gammaln((degrees + 2) / 2) - gammaln(degrees / 2) - math.log(degrees * math.pi)
        total += -0.5 * spread.logdet().item() - (degrees + 2) / 2 * math.log(inner)
        scale = scale + kappa / (kappa + 1) * torch.outer(apart, apart)
        mean = mean + apart / (kappa + 1)
    assert whole == pytest.approx(total + gammaln(6))


def test_joined_clusters_are_those_of_all_their_points() -> None:
    x = normal(9, 2)
    apart = clusters_of(x, torch.tensor([0] * 4 + [1] * 5), full=True)
    together = clusters_of(x, torch.zeros(9, dtype=torch.long), full=True)
    joined = apart[torch.tensor([0])].join(apart[torch.tensor([1])])
    for name in ("sizes", "means", "scatters"):
        assert torch.allclose(getattr(joined, name), getattr(together, name))


def test_the_evidence_of_a_partition_is_that_of_its_clusters() -> None:
    x = torch.cat([normal(40, 2), 9 + normal(60, 2, seed=1)])
    small = clusters_of(x, torch.arange(100) // 5, full=True)
    prior = NormalInverseWishart.of(small)
    into, evidence = agglomerate(small, prior)
    assert into.tolist() == [0] * 8 + [1] * 12
    assert evidence == pytest.approx(
        prior.evidence(clusters_of(x, (torch.arange(100) >= 40).long(), full=True)).sum().item()
    )


# The mixture


def fitted(data: Data, seed: int = 0) -> Em:
    em = Em()
    em.fit(data, seeded(seed))
    return em


@pytest.mark.parametrize(("config", "modes"), [(RingConfig(), 8), (GridConfig(), 25)])
def test_em_finds_every_mode_and_no_more(config: RingConfig | GridConfig, modes: int) -> None:
    data = config.build()
    em = fitted(data)
    assert len(em.mixture.weights) == modes
    found = Modes().compute(Evaluation(em.draw(10_000, seeded()), data, data.held_out(9, seeded()), seeded()))
    assert found["modes"] == modes
    assert found["high_quality"] == pytest.approx(1 - math.exp(-4.5), abs=0.004)
    assert found["variance_ratio"] == pytest.approx(0.945, abs=0.02)


def test_em_recovers_weights_means_and_covariances() -> None:
    weights, n = torch.tensor([0.5, 0.3, 0.2], dtype=DOUBLE), 6000
    means = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 2.0]], dtype=DOUBLE)
    roots = torch.tensor([[[0.5, 0.0], [0.3, 0.2]], [[0.2, 0.0], [0.0, 0.6]], [[0.3, 0.0], [-0.2, 0.1]]], dtype=DOUBLE)
    x = GaussianMixture(weights, means, roots).draw(n, seeded())
    centre = x.mean(0)
    found = fit_mixture(x - centre, seeded())
    order = found.weights.argsort(descending=True)
    assert torch.allclose(found.weights[order], weights, atol=0.02)
    assert torch.allclose(found.means[order] + centre, means, atol=0.06)
    assert torch.allclose((found.roots @ found.roots.mT)[order], roots @ roots.mT, atol=0.04)


def test_em_fits_the_density_of_components_that_overlap() -> None:
    """Agglomeration, which gives each point to one, may find several in the place of one; their sum is the density."""
    truth = GaussianMixture(
        torch.tensor([0.7, 0.3], dtype=DOUBLE),
        torch.tensor([[-1.5], [1.5]], dtype=DOUBLE),
        torch.ones(2, 1, 1).double(),
    )
    x = truth.draw(8000, seeded())
    found, fresh = fit_mixture(x - x.mean(0), seeded()), truth.draw(20_000, seeded(1))
    divergence = truth.log_joint(fresh).logsumexp(1) - found.log_joint(fresh - x.mean(0)).logsumexp(1)
    assert -0.002 < divergence.mean().item() < 0.006  # nats


@pytest.mark.parametrize("dims", [10, 50])
def test_em_finds_the_modes_of_many_dimensions(dims: int) -> None:
    means = torch.rand(6, dims, generator=seeded(1))
    em = fitted(MixtureData(Mixture(means, 0.1, torch.ones(6))))
    found = em.coordinates.centre + em.coordinates.move(em.mixture.means)
    near = torch.cdist(found, means.double())
    assert near.shape == (6, 6)
    assert near.min(1).values.max() < 0.15 * math.sqrt(dims / (8192 / 6))
    assert near.argmin(1).unique().tolist() == list(range(6))


def test_em_finds_rare_modes_and_modes_of_other_widths() -> None:
    means = torch.rand(12, 2, generator=seeded(2))
    stds, weights = torch.tensor([0.001, 0.01]).repeat(6), torch.tensor([1.0] * 11 + [0.1])
    em = fitted(MixtureData(Mixture(means, stds, weights)))
    found = em.coordinates.centre + em.coordinates.move(em.mixture.means)
    assert (torch.cdist(means.double(), found).min(1).values < 3 * stds).all()


def test_what_principal_components_leave_out_of_long_vectors_is_noise_of_each_axis() -> None:
    means = 5 * torch.rand(4, 80, generator=seeded(3))
    data = MixtureData(Mixture(means, 1.0, torch.ones(4)))
    em = fitted(data)
    drawn = em.draw(20_000, seeded())
    inside = drawn - means[torch.cdist(drawn, means).argmin(1)]
    assert inside.var().item() == pytest.approx(1, rel=0.03)


def test_em_of_images_maps_back_into_their_range() -> None:
    data = DigitsConfig().build()
    em = fitted(data)
    drawn = em.draw(3000, seeded())
    assert drawn.shape[1:] == (1, 8, 8)
    assert (drawn.min().item(), drawn.max().item()) == (-1, 1)
    assert torch.allclose(drawn.mean(0), data.x.mean(0), atol=0.12)


# Measured beside a model


METRICS = ["modes", {"kind": "wasserstein", "samples": 64}]
ROWS = ["copy of the training set", "bootstrap", "mixture by EM"]


@pytest.fixture
def referred(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALLMODES_REFERENCES")


def experiment(setup: Setup = SETUP, **evaluation: Any) -> Experiment:
    values = {**SPEC, "evaluation": {"samples": 64, "metrics": METRICS, **evaluation}}
    return Experiment.from_spec(values, track=False, setup=setup)


@pytest.mark.usefixtures("referred")
def test_each_reference_is_measured_as_a_model_is_against_the_held_out_items_of_floors() -> None:
    found = experiment(references=[{"kind": "copy", "items": 500}]).resources.references
    assert list(found) == ["copy of the training set items=500"]
    data, items, expected = RingConfig().build(), seeded(), []
    copy = Copy(500)
    copy.fit(data, rng(0, "reference"))
    for i in range(3):
        held_out = data.held_out(128, items)
        samples = copy.draw(64, rng(0, f"references/{i}"))
        expected.append(wasserstein(samples, held_out.x[64:]))
    assert found["copy of the training set items=500"]["w1"] == pytest.approx(sum(expected) / 3)


@pytest.mark.usefixtures("referred")
def test_all_three_are_measured_unless_the_spec_says_otherwise() -> None:
    one = experiment()
    assert list(one.resources.references) == ROWS
    assert all(set(numbers) == set(one.resources.floors) for numbers in one.resources.references.values())
    assert experiment(references=[]).resources.references == {}
    assert experiment(metrics=[]).resources.references == {}


def test_references_are_switched_off_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLMODES_REFERENCES", "off")
    assert experiment().resources.references == {}


def note_fits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    fitted = list[int]()

    def fit(self: Copy, data: Data, generator: torch.Generator) -> None:
        fitted.append(self.items)
        FIT(self, data, generator)

    monkeypatch.setattr(Copy, "fit", fit)
    return fitted


@pytest.mark.usefixtures("referred")
def test_references_are_measured_once_and_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLMODES_FLOORS", str(tmp_path))
    first = experiment(references=["copy"]).resources.references
    fitted = note_fits(monkeypatch)
    assert repr(experiment(references=["copy"]).resources.references) == repr(first)
    assert fitted == []
    experiment(references=[{"kind": "copy", "items": 9}]).resources.references  # noqa: B018
    assert fitted == [9]
    experiment(references=["copy"], samples=63).resources.references  # noqa: B018
    assert fitted == [9, 8192]
    experiment(references=["copy"], metrics=[*METRICS, "vendi"]).resources.references  # noqa: B018
    assert fitted == [9, 8192, 8192]


@pytest.mark.usefixtures("referred")
def test_runs_of_a_study_share_references_through_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted, setup = note_fits(monkeypatch), Setup(floors=tmp_path)
    for _ in range(2):
        experiment(references=["copy"], setup=setup).resources.references  # noqa: B018
    assert fitted == [8192]


@pytest.mark.usefixtures("referred")
def test_the_seeds_of_an_experiment_share_their_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted = note_fits(monkeypatch)
    spec = {**SPEC, "training": {**SPEC["training"], "iterations": 2}, "seeds": [0, 1, 2]}
    spec["evaluation"] = {**SPEC["evaluation"], "references": ["copy"]}
    with warnings.catch_warnings(action="ignore"):
        results = Experiment.from_spec(spec, folder=tmp_path, track=False).run()
    assert fitted == [8192]
    assert all(list(outcome.references) == ROWS[:1] for outcome in results.outcomes.values())
    assert repr(load_results(results.folder)[1].references) == repr(results.references)
    again = remeasure_all(results.folder, [], None, installed(), track=False, warn=lambda text: None)
    assert [repr(one.references) for one in again] == [repr(results.references)] * 3
    assert fitted == [8192, 8192]  # once more, since there is no cache


@pytest.mark.usefixtures("referred")
def test_what_a_model_has_to_beat_is_what_its_run_shows_and_nothing_is_trained_for_it(tmp_path: Path) -> None:
    spec = {**SPEC, "evaluation": {**SPEC["evaluation"], "references": ["copy"]}}
    with warnings.catch_warnings(action="ignore"):
        one = Experiment.from_spec(spec, folder=tmp_path, track=False)
        beside = one.beside()
        assert list(tmp_path.iterdir()) == []
        results = one.run()
    assert list(beside) == ["real data", ROWS[0]]
    assert repr(beside) == repr({"real data": results.floors, **results.references})


@pytest.mark.usefixtures("referred")
def test_the_command_tabulates_what_a_model_has_to_beat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.json").write_text(json.dumps(SPEC))
    assert execute(["references", "tiny.json", "--set", "evaluation.references=[copy]"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "tiny: what a model has to beat, 64 samples"
    assert [cell.strip() for cell in lines[2].strip("┃").split("┃")] == ["metric", "real data", ROWS[0]]
    assert [cell.strip() for cell in lines[4].strip("│").split("│")][:2] == ["modes", "8"]
    assert execute(["references", "tiny.json", "--set", "evaluation.metrics=[]"]) == 1
    message = "error: tiny: none of its metrics can be measured without a model: add one, such as fid\n"
    assert capsys.readouterr().err == message


CODE, SIZE = "acme.copied (allmodes-acme 1.0)", "returns a tensor of shape (63, 2): return n items, (64, 2)"
FAILING = [
    ("raising", f"fit of reference {CODE}: ValueError: no items"),
    ("no sampler", f"build of reference {CODE}: returns None, which is no ReferenceSampler"),
    ("few", f"draw of a reference (acme.copied, allmodes-acme 1.0): {SIZE}"),
    ("altering", "changes data.x, which reference samplers only read (it was put back)"),
]


@pytest.mark.usefixtures("referred")
@pytest.mark.parametrize(("fault", "message"), FAILING)
def test_a_reference_that_fails_costs_a_warning_and_its_row(fault: str, message: str) -> None:
    said = list[str]()
    values = {**SPEC, "data": {"kind": "acme.corners"}, "evaluation": {
        "samples": 64, "metrics": ["wasserstein"], "references": [{"kind": "acme.copied", "fault": fault}, "copy"],
    }}  # fmt: skip
    registry = registry_of(CopiedConfig, CornersConfig)
    one = Experiment.from_spec(values, registry=registry, track=False, warn=said.append)
    assert list(one.resources.references) == ROWS[:1]
    assert [line for line in said if "row" in line] == [f"{message}: its row 'acme.copied fault={fault}' is left out"]


@pytest.mark.usefixtures("referred")
def test_a_metric_that_fails_on_a_reference_costs_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Modes, evaluation: Evaluation) -> dict[str, float]:
        raise ValueError("no modes")

    monkeypatch.setattr(Modes, "floor", fail)
    said = list[str]()
    values = {**SPEC, "evaluation": {"samples": 64, "metrics": METRICS, "references": ["copy"]}}
    found = Experiment.from_spec(values, track=False, warn=said.append).resources.references
    assert list(found[ROWS[0]]) == ["w1"]
    assert said == ["metric modes of reference copy (allmodes 0.1.0): ValueError: no modes: its numbers are left out"]


def test_two_references_of_one_row_are_refused() -> None:
    with pytest.raises(SpecError, match=r"evaluation\.references\.1: bootstrap is already listed: list it once"):
        experiment(references=["bootstrap", {"kind": "bootstrap", "k": 10}])


def test_a_metric_of_the_model_has_no_number_of_a_reference() -> None:
    data = DigitsConfig().build()
    copy = Copy()
    copy.fit(data, seeded())
    (ivom,) = build_metrics([IvomConfig()]).values()
    assert measure_reference(copy, {"ivom": ivom}, data, 20) == {"ivom": {}}
