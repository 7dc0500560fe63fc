"""Discriminator rejection sampling, where the ratio of densities is known."""

from typing import Any

import pytest
import torch
from torch import Tensor

from allmodes import Experiment, Fitting, RingConfig, Source, load_run, seeded
from allmodes.testing import Composition, compose
from allmodes_baselines.rejection import Rejection

RING: dict[str, Any] = {
    "name": "tiny",
    "data": {"kind": "ring"},
    "prior": {"kind": "uniform", "dim": 2},
    "generator": {"kind": "mlp", "hidden": []},
    "discriminator": {"kind": "mlp", "hidden": []},
    "losses": [{"kind": "non_saturating"}],
    "training": {"batch_size": 8, "iterations": 6, "device": "cpu"},
    "evaluation": {"every": 3, "samples": 32, "metrics": ["modes"], "figure": False},
    "sampler": {"kind": "baselines.rejection", "draws": 2000},
}
N = 4000


def known(weight: tuple[float, ...], **more: Any) -> tuple[Composition, Rejection]:
    """G(z) = z, uniform on [-1, 1] squared, and a linear D: the target has the density exp(weight x) there."""
    composition = compose({**RING, **more})
    generator, judge, sampler = (composition.modules[name] for name in ("generator", "discriminator", "sampler"))
    for module, matrix in ((generator, torch.eye(2)), (judge, torch.tensor([weight]))):
        (bias, values) = sorted(module.parameters(), key=lambda p: p.dim())
        values.data, bias.data = matrix, torch.full_like(bias, 0.7 if module is judge else 0.0)
    assert isinstance(sampler, Rejection)
    with torch.no_grad():
        sampler.fit(Fitting(RingConfig().build(), seeded(1), modules=composition.modules))
    return composition, sampler


@torch.no_grad()
def drawn(composition: Composition, sampler: Rejection, seed: int = 0) -> Tensor:
    return sampler(Source(composition.modules, torch.Generator().manual_seed(seed)), N)


def largest_gap(x: Tensor, a: float) -> float:
    """Kolmogorov and Smirnov's distance of x (n,) from the density a exp(a x) / 2 sinh a on [-1, 1]."""
    x = x.sort().values.double()
    true = (torch.exp(a * (x + 1)) - 1) / (torch.exp(torch.tensor(2.0 * a)) - 1) if a else (x + 1) / 2
    return float((true - (torch.arange(len(x)) + 0.5) / len(x)).abs().max())


CHANCE = 1.95 / N**0.5
"""Kolmogorov's quantile of one in a thousand."""


def test_what_is_accepted_follows_the_target() -> None:
    composition, sampler = known((1.5, -0.5))
    x = drawn(composition, sampler)
    assert x.shape == (N, 2)
    assert largest_gap(x[:, 0], 1.5) < CHANCE
    assert largest_gap(x[:, 1], -0.5) < CHANCE
    assert abs(float(torch.corrcoef(x.T)[0, 1])) < 4 / N**0.5


def test_without_it_samples_are_the_generators() -> None:
    """The tests tell the target from the proposal."""
    source = Source(known((1.5, -0.5))[0].modules, torch.Generator().manual_seed(0))
    with torch.no_grad():
        x = source.items(source.latent(N))
    assert largest_gap(x[:, 0], 0.0) < CHANCE < largest_gap(x[:, 0], 1.5)


def test_a_joint_discriminator_sees_the_codes_of_the_draws() -> None:
    """With G(z) = z, weights of x and of the code add up."""
    joint = {"discriminator": {"kind": "mlp", "hidden": [], "joint": "encoder"},
             "auxiliaries": {"encoder": {"kind": "baselines.encoder", "noise": "none"}},
             "losses": [{"kind": "baselines.ali"}]}  # fmt: skip
    composition, sampler = known((1.0, 0.0, 0.5, -0.5), **joint)
    x = drawn(composition, sampler)
    assert largest_gap(x[:, 0], 1.5) < CHANCE
    assert largest_gap(x[:, 1], -0.5) < CHANCE


def test_items_that_are_judged_together_are_accepted_together() -> None:
    pack = {"discriminator": {"kind": "mlp", "hidden": [], "pack": 2}}
    composition, sampler = known((1.0, 0.0, 1.0, 0.0), **pack)
    x = drawn(composition, sampler)
    assert largest_gap(x[:, 0], 1.0) < CHANCE
    pairs = x[:, 0].reshape(-1, 2)
    assert abs(float(torch.corrcoef(pairs.T)[0, 1])) < 4 / (N / 2) ** 0.5  # independent, as two of the data are


def test_gamma_is_accepted_half_the_time() -> None:
    composition, sampler = known((1.5, -0.5), sampler={**RING["sampler"], "percentile": 80})
    scores = torch.linspace(-2.0, float(sampler.maximum), 1001)
    accepted, below = sampler.logit(scores).sigmoid(), scores - sampler.maximum
    ratio = below.exp() / (1 - below.exp())
    torch.testing.assert_close(accepted[:-1], (ratio / (ratio + sampler.gamma.exp()))[:-1], atol=1e-4, rtol=1e-4)
    source = Source(composition.modules, torch.Generator().manual_seed(5))
    latent = source.latent(20_000)
    share = (sampler.logit(source.score(source.items(latent), latent)) > 0).float().mean()
    assert float(share) == pytest.approx(0.2, abs=0.03)


def test_a_sampler_that_accepts_next_to_nothing_says_so() -> None:
    composition, sampler = known((1.5, -0.5))
    sampler.maximum.fill_(60.0)
    with pytest.raises(ValueError, match=r"^0 of 10,240 draws were accepted: set a percentile, such as 80$"):
        drawn(composition, sampler)


def test_a_run_is_measured_and_stored_with_it(tmp_path: Any) -> None:
    """Under EMA, with a joint discriminator; what is loaded draws what the run draws."""
    spec = {**RING, "training": {**RING["training"], "ema": {"decay": 0.5}},
            "discriminator": {"kind": "mlp", "hidden": [4], "joint": "encoder"},
            "auxiliaries": {"encoder": {"kind": "baselines.encoder"}},
            "losses": [{"kind": "baselines.ali"}]}  # fmt: skip
    folder = Experiment.from_spec(spec, folder=tmp_path, track=False).run().folder
    model = load_run(folder)
    assert isinstance(model.modules["sampler"], Rejection)
    assert float(model.modules["sampler"].maximum) != 0.0
    exported = load_run(model.export(tmp_path / "away"))
    assert torch.equal(model.sample(50, seed=3), exported.sample(50, seed=3))
    last = load_run(folder, checkpoint="last")
    assert torch.equal(model.sample(50, seed=3), last.sample(50, seed=3))


def test_a_critic_that_is_no_log_ratio_costs_a_warning() -> None:
    with pytest.warns(UserWarning, match="which wasserstein does not make it: take non_saturating or relativistic"):
        compose({**RING, "losses": [{"kind": "wasserstein"}]})
