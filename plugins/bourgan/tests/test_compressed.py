"""A latent of a few charts: what it draws, how large it is, and that no training item is left in it."""

import pytest
import torch
from torch import Tensor

from allmodes import DataError, Experiment, Fitting, SpecError, TensorData, seeded
from allmodes.testing import compose, make_step
from allmodes_bourgan.atlas import Atlas
from allmodes_bourgan.compressed import Compressed

ROWS = 20_000


def items() -> Tensor:
    """A wide flat cluster of 300 items and a small round one of 100, in units that differ."""
    drawn = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    flat, small = drawn[:300] * torch.tensor([2.0, 0.2]), 0.1 * drawn[300:] + 20
    return torch.cat([flat, small])


def fitted(x: Tensor, charts: int | None) -> Compressed:
    prior = Compressed(charts)
    prior.fit(Fitting(TensorData(x), seeded(0)))
    return prior


def test_one_chart_is_the_gaussian_of_all_items() -> None:
    x = items()
    drawn = fitted(x, 1)(seeded(1), ROWS).code
    error = x.std(0) / ROWS**0.5
    assert ((drawn.mean(0) - x.mean(0)).abs() < 5 * error).all()
    torch.testing.assert_close(drawn.T.cov(), x.T.cov(), rtol=0.05, atol=0)


@pytest.mark.parametrize("charts", [2, None])
def test_charts_are_drawn_by_their_shares_with_the_mean_and_covariance_of_their_items(charts: int | None) -> None:
    x = items()
    drawn = fitted(x, charts)(seeded(1), ROWS).code
    far = drawn[:, 1] > 10
    assert float(far.float().mean()) == pytest.approx(0.25, abs=0.015)  # 5 standard errors
    for here, there in ((drawn[far], x[300:]), (drawn[~far], x[:300])):
        torch.testing.assert_close(here.mean(0), there.mean(0), atol=0.1, rtol=0)
        torch.testing.assert_close(here.var(0), there.var(0), rtol=0.15, atol=0)


def test_the_scale_is_the_standard_deviation_of_the_chart_along_each_axis() -> None:
    x = items()
    latent = fitted(x, 2)(seeded(1), 500)
    far = latent.code[:, 1] > 10
    for here, there in ((far, x[300:]), (~far, x[:300])):
        torch.testing.assert_close(latent.part("scale")[here][0], there.std(0), rtol=0.1, atol=0)


def test_no_training_item_is_kept_and_the_numbers_are_counted() -> None:
    x = items()
    prior = fitted(x, 4)
    kept = [value for buffer in prior.buffers() if buffer.shape[-1:] == (2,) for value in buffer.reshape(-1, 2)]
    assert not any(torch.isclose(row, value, atol=1e-6).all() for row in x for value in kept)
    rank = prior.atlas.axes.shape[2]
    assert int(prior.numbers) == 4 * (1 + 2 + 2 * rank + rank + 1) + 2 * 2


def test_networks_have_the_charts_of_the_atlas_however_coarse_the_latent_is() -> None:
    coarse = compose("bourgan/every-mode-compressed-ring", "data.items=512", "prior.charts=3")
    generator = next(part for part in coarse.modules["generator"].modules() if isinstance(part, Atlas))
    prior = coarse.modules["prior"]
    assert isinstance(prior, Compressed)
    assert int((prior.atlas.log_shares > -100).sum()) == 3
    assert int((generator.log_shares > -100).sum()) >= 8


def test_the_generator_begins_as_the_identity() -> None:
    step = make_step(compose("bourgan/every-mode-compressed-ring", "data.items=512"), torch.zeros(6, 2))
    assert step.fake.equal(step.latent.code)


@pytest.mark.parametrize(
    ("prior", "items", "problem"),
    [
        ("compressed, charts: 9, subsample: 8", 100, "prior.charts: 9 charts of 8 items (subsample): set 8 or fewer"),
        ("compressed, charts: 9", 8, "prior.charts: 9 charts of 8 items (data.items): set 8 or fewer"),
        ("metric_mixture, modes: 9, subsample: 8", 100, "prior.modes: 9 modes of 8 items (subsample): set 8 or fewer"),
        ("metric_mixture, modes: 9", 8, "prior.modes: 9 modes of 8 items (data.items): set 8 or fewer"),
    ],
)
def test_more_groups_than_items_are_refused_before_any_fit(prior: str, items: int, problem: str) -> None:
    changes = [f"data.items={items}", f"prior={{kind: bourgan.{prior}}}"]
    with pytest.raises(SpecError) as raised:
        Experiment.from_recipe("gan/ring", changes)
    assert str(raised.value).endswith(problem)


def test_more_charts_than_items_are_refused() -> None:
    message = "^bourgan.compressed: 401 charts of 400 items: set fewer charts$"
    with pytest.raises(DataError, match=message):
        fitted(items(), 401)
