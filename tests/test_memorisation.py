"""Memorisation is a ratio of distances to the training items: 1 for new draws of the data, 0 for copies."""

import math

import pytest
import torch
from torch import Tensor

from allmodes import ItemsConfig, MemorisationConfig, RandomConvConfig, RingConfig
from allmodes.data import Data, TensorData
from allmodes.data.batch import Batch
from allmodes.metrics import Evaluation, Memorisation, measure_floors
from allmodes.metrics.distances import POINTS, nearest_distances
from allmodes.testing import MetricContract
from tiny import SPEC

PIXELS = ItemsConfig()
LINE = torch.arange(200.0)[:, None]


def score(samples: Tensor, real: Tensor, data: Data) -> dict[str, float]:
    return Memorisation(PIXELS).compute(Evaluation(samples, data, Batch(real), torch.Generator().manual_seed(0)))


class TestMemorisation(MetricContract):
    config = MemorisationConfig()
    spec = {**SPEC, "data": {"kind": "ring", "items": 500}}


@pytest.mark.parametrize("offset", [0.125, 0.25, 0.5])
def test_it_is_the_ratio_of_the_distances(offset: float) -> None:
    held_out = LINE[:-1] + 0.5
    found = score(LINE[:-1] + offset, held_out, TensorData(LINE))
    assert found == {"memorisation": offset / 0.5, "copies": 1}


def test_copies_have_one_item_much_nearer_than_the_second() -> None:
    held_out = torch.linspace(0.01, 0.5, 199)[:, None] + LINE[:-1]  # d / d2 from 1/99 to 1; the second smallest 0.0126
    for offset, copied in ((0.01, 1.0), (0.012, 1.0), (0.013, 0.0), (0.3, 0.0)):
        assert score(LINE[:-1] + offset, held_out, TensorData(LINE))["copies"] == copied


def test_blurred_samples_are_near_to_all_items_but_no_copies() -> None:
    draw = torch.Generator().manual_seed(0)
    items = torch.randn(1200, 100, generator=draw)
    found = score(0.3 * items[800:], items[400:800], TensorData(items[:400]))
    assert found["memorisation"] < 0.9
    assert found["copies"] < 0.02


def test_samples_twice_as_far_as_held_out_items_score_two() -> None:
    assert score(LINE + 0.5, LINE + 0.25, TensorData(LINE))["memorisation"] == 2


def test_copies_score_zero_and_new_draws_one() -> None:
    data = RingConfig(items=1000).build()
    floors = measure_floors([Memorisation(PIXELS)], data, samples=1000, repeats=3)
    assert floors["memorisation"] == pytest.approx((1, 0), abs=0.07)
    assert floors["copies"] == pytest.approx((0.01, 0), abs=0.008)
    generator = torch.Generator().manual_seed(1)
    copies, real = data.draw(1000, generator).x, data.held_out(1000, generator).x
    assert score(copies, real, data) == {"memorisation": 0, "copies": 1}


def test_copies_are_counted_where_samples_far_away_hide_them_in_the_mean() -> None:
    held_out = LINE[:-1] + 0.5 - LINE[:-1] / 1000  # (199, 1): d / d2 from 1 down to 0.43
    samples = torch.cat([LINE[:100], LINE[:99] + 1e3])
    found = score(samples, held_out, TensorData(LINE))
    assert found["memorisation"] > 1
    assert found["copies"] == pytest.approx(100 / 199)


def test_held_out_items_that_are_all_training_items_withhold_the_ratio() -> None:
    found = score(LINE, LINE, TensorData(LINE))
    assert math.isnan(found["memorisation"])
    assert found["copies"] == 1


def test_of_endless_data_nothing_can_be_remembered() -> None:
    data = RingConfig().build()
    x = data.draw(50, torch.Generator().manual_seed(0)).x
    assert all(math.isnan(value) for value in score(x, x, data).values())


def test_it_sees_all_training_items_and_equal_ones_exactly() -> None:
    items = torch.randn(POINTS + 7, 3, generator=torch.Generator().manual_seed(0)) + 1e4
    assert not nearest_distances(items[-9:], items).any()
    moved = items[-9:].double() + torch.tensor([1e-9, 0.0, 0.0])
    assert nearest_distances(moved, items)[:, 0].tolist() == pytest.approx([1e-9] * 9, abs=2e-12)
    second = (
        torch.cdist(items[-9:].double(), items.double(), compute_mode="donot_use_mm_for_euclid_dist").sort(1).values
    )
    assert nearest_distances(items[-9:], items, 2)[:, 1].tolist() == pytest.approx(second[:, 1].tolist())


def test_of_a_single_training_item_nothing_can_be_said() -> None:
    assert all(math.isnan(value) for value in score(LINE, LINE, TensorData(LINE[:1])).values())


def test_keys_end_with_the_space_unless_it_is_that_of_the_items() -> None:
    assert list(MemorisationConfig().numbers()) == ["memorisation", "copies"]
    config = MemorisationConfig(features=RandomConvConfig())
    assert list(config.numbers()) == ["memorisation_random_conv", "copies_random_conv"]
    images = torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    copied = Evaluation(images[:20], TensorData(images), Batch(images[20:] / 2), torch.Generator())
    assert config.build().compute(copied) == {"memorisation_random_conv": 0, "copies_random_conv": 1}
