"""Stacked MNIST: triples are what their digits say, and the metric gives real triples what they must score."""

import math
import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from allmodes import Experiment
from allmodes.builtin.config.features import ClassifierConfig
from allmodes.builtin.config.stacked_mnist import StackedMnistConfig, StackedModesConfig
from allmodes.data import DataError, TensorData
from allmodes.data.batch import Batch
from allmodes.data.stacked_mnist import StackedDigits, mode_of, stacked_mnist
from allmodes.metrics import Evaluation, StackedModes, build_metrics, measure_floors
from allmodes.metrics.stacked_mnist import corrected_kl
from allmodes_schemas import Given

ROOT = Path(os.environ.get("ALLMODES_DATA", Path(__file__).parents[2] / "shared" / "data"))
QUICK = ClassifierConfig(iterations=60, width=4, features=32)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setenv("ALLMODES_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def bars(labels: Tensor, seed: int) -> Tensor:
    """Stand-ins for digits, 8x8 bytes: a bright row or column for each label, and noise."""
    x = torch.randint(60, (len(labels), 1, 8, 8), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    for image, label in zip(x, labels.tolist(), strict=True):
        line = image[0] if label < 5 else image[0].T
        line[label % 5 + 1] = 255
    return x


def stand_in(shares: tuple[int, ...] = (4,) * 10) -> TensorData:
    labels, test = (torch.arange(10).repeat_interleave(torch.tensor(counts)) for counts in (shares, (3,) * 10))
    return TensorData(bars(labels, 0), labels, bars(test, 1), test, classes=10)


def stacked(**options: object) -> StackedDigits:
    return StackedDigits(stand_in(), **options)  # type: ignore[arg-type]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def skip_without_mnist() -> None:
    if not (ROOT / "MNIST").is_dir():
        pytest.skip(f"{ROOT / 'MNIST'} is absent: set ALLMODES_DATA to a folder that holds MNIST")


# Data


def test_a_label_spells_the_digits_of_its_channels() -> None:
    data = stacked()
    batch = data.draw(50, generator())
    assert batch.x.shape == (50, 3, 8, 8)
    assert (batch.x.min() >= -1, batch.x.max()) == (True, 1)
    bright = batch.x.mean(3).argmax(2), batch.x.mean(2).argmax(2)  # row and column
    is_row = (batch.x == 1).all(3).any(2)
    digits = torch.where(is_row, bright[0] - 1, bright[1] + 4)
    assert torch.equal(batch.labels, mode_of(digits))
    assert torch.equal(mode_of(torch.tensor([[9, 0, 7]])), torch.tensor([907]))


def test_all_modes_are_drawn_in_the_product_of_the_digits_shares() -> None:
    data = StackedDigits(stand_in((8, 2, 4, 4, 4, 4, 4, 4, 4, 2)))
    assert data.shares().sum() == pytest.approx(1)
    assert data.shares()[19] == pytest.approx(0.2 * 0.05 * 0.05)  # 0 1 9
    for batch in (data.draw(100_000, generator()), data.held_out(100_000, generator())):
        counts = batch.labels.bincount(minlength=1000)
        assert corrected_kl(counts, data.shares()) == pytest.approx(0, abs=0.002)


def test_training_triples_consist_of_training_digits_and_held_out_ones_of_test_digits() -> None:
    data = stacked()
    for batch, pool in (
        (data.draw(99, generator()), data.mnist.x),
        (data.held_out(99, generator()), data.mnist.test_x),
    ):
        known = {image.numpy().tobytes() for image in pool.float().div(127.5).sub(1)}
        assert {channel[None].numpy().tobytes() for channel in batch.x.flatten(0, 1)} <= known


def test_pooled_triples_are_made_of_all_digits() -> None:
    data = stacked(pooled=True)
    assert len(data.digits.x) == 70
    assert data.fingerprint != stacked().fingerprint


def test_a_fixed_set_of_triples_is_decided_by_its_seed() -> None:
    data, same, other = (stacked(triples=20, seed=seed) for seed in (1, 1, 2))
    batch = data.draw(500, generator())
    assert data.items == 20
    assert set(batch.index.tolist()) == set(range(20))
    assert torch.equal(same.draw(500, generator()).x, batch.x)
    assert data.fingerprint == same.fingerprint != other.fingerprint
    for i in (3, 7):
        assert (batch.x[batch.index == i] == batch.x[batch.index == i][0]).all()


def test_a_loader_continues_where_another_was() -> None:
    data = stacked()
    first, second = data.loader(4, seed=1), data.loader(4, seed=9)
    next(first)
    second.load_state_dict(first.state_dict())
    assert torch.equal(next(first).x, next(second).x)
    assert not torch.equal(next(data.loader(4, seed=1)).x, next(data.loader(4, seed=2)).x)


def test_data_moved_to_a_device_draw_the_same() -> None:
    data = stacked(triples=20)
    assert torch.equal(data.to("cpu").draw(9, generator()).x, data.draw(9, generator()).x)


def test_stacked_mnist_says_where_its_digits_should_be(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^data: MNIST is not under "):
        StackedMnistConfig(root=str(tmp_path)).build()


def test_stacked_mnist_of_32_px_is_padded_with_black() -> None:
    skip_without_mnist()
    small, large = (stacked_mnist(str(ROOT), size=size) for size in (28, 32))
    x = large.draw(5, generator()).x
    assert torch.equal(x[:, :, 2:30, 2:30], small.draw(5, generator()).x)
    assert x.shape == (5, 3, 32, 32) == (5, *StackedMnistConfig(size=32).shape())
    assert (x[:, :, :2] == -1).all()
    assert (x[..., 30:] == -1).all()


# The metric


def evaluation(data: StackedDigits, sample: object) -> Evaluation:
    x = data.held_out(4, generator()).x
    return Evaluation(x, data, Batch(x), generator(), sample)  # type: ignore[arg-type]


def test_real_triples_cover_all_modes_with_the_kl_of_their_histogram() -> None:
    metric = StackedModes(QUICK, samples=26_000, sharp=60_000)
    found = measure_floors([metric], stacked(), samples=4, repeats=2)
    assert found["stacked_classifier_accuracy"] == (1, 0)
    assert found["stacked_modes"] == (1000, 0)
    assert found["stacked_kl"][0] == pytest.approx(999 / (2 * 26_000), abs=0.0025)
    assert found["stacked_kl_sharp"][0] == pytest.approx(0, abs=0.0012)


def test_a_sampler_of_one_triple_captures_one_mode() -> None:
    data = stacked()
    one = data.draw(1, generator()).x
    metric = StackedModes(QUICK, samples=10_000, sharp=10_000)

    def sample(n: int, given: Given) -> Tensor:
        return one.expand(n, -1, -1, -1)

    numbers = metric.compute(evaluation(data, sample))
    assert numbers["stacked_modes"] == 1
    assert numbers["stacked_kl"] == pytest.approx(math.log(1000)) == pytest.approx(numbers["stacked_kl_sharp"])


def test_the_kl_of_fewer_than_ten_triples_a_mode_is_withheld() -> None:
    data = stacked()

    def sample(n: int, given: Given) -> Tensor:
        return data.draw(n, generator()).x

    numbers = StackedModes(QUICK, samples=9_999, sharp=10_000).compute(evaluation(data, sample))
    assert math.isnan(numbers["stacked_kl"])
    assert math.isfinite(numbers["stacked_kl_sharp"])
    assert numbers["stacked_modes"] > 900


def test_new_triples_of_training_digits_are_copies_and_triples_of_test_digits_are_none() -> None:
    data = stacked()
    metric = StackedModes(QUICK, samples=30, sharp=None, digits=12)

    def sample(n: int, given: Given) -> Tensor:
        return data.draw(n, generator()).x

    seen = evaluation(data, sample)
    held_out = metric.compute(seen)
    assert held_out["stacked_memorisation"] == 1
    assert held_out["stacked_copies"] == pytest.approx(1 / 12)
    copied = metric.compute(seen.of(sample(4, {})))
    assert (copied["stacked_memorisation"], copied["stacked_copies"]) == (0, 1)


def test_triples_that_are_not_finite_have_no_modes() -> None:
    def sample(n: int, given: Given) -> Tensor:
        return torch.full((n, 3, 8, 8), math.nan)

    lost = evaluation(stacked(), sample).of(sample(4, {}))
    numbers = StackedModes(QUICK, samples=30, sharp=None, digits=4).compute(lost)
    assert math.isnan(numbers["stacked_modes"])
    assert math.isnan(numbers["stacked_copies"])
    assert math.isnan(numbers["stacked_kl"])
    assert "stacked_kl_sharp" not in numbers


def test_the_corrected_kl_of_a_fair_histogram_is_zero_on_average() -> None:
    weights = torch.full((1000,), 1e-3, dtype=torch.float64)
    draws = [
        weights.multinomial(50_000, True, generator=generator(seed)).bincount(minlength=1000) for seed in range(20)
    ]
    values = torch.tensor([corrected_kl(counts, weights) for counts in draws])
    assert float(values.mean()) == pytest.approx(0, abs=0.0003)


def test_stacked_modes_are_of_stacked_digits_only() -> None:
    data = stand_in()
    with pytest.raises(ValueError) as refusal:
        StackedModesConfig().build().compute(Evaluation(data.x, data, Batch(data.x), generator()))
    assert str(refusal.value) == "metric stacked_mnist: needs data of kind stacked_mnist"


@pytest.mark.slow
def test_real_stacked_mnist_scores_what_the_literature_expects() -> None:
    skip_without_mnist()
    data = StackedMnistConfig(root=str(ROOT)).build()
    found = measure_floors(build_metrics([StackedModesConfig()]).values(), data, samples=2500, repeats=2)
    assert found["stacked_modes"] == (1000, 0)
    assert found["stacked_kl"][0] == pytest.approx(0.0236, abs=3 * 0.0011)
    assert found["stacked_kl_sharp"][0] == pytest.approx(0, abs=3 * 0.0004)
    assert found["stacked_classifier_accuracy"][0] >= 0.99


def test_a_gan_of_stacked_digits_is_measured(tmp_path: Path) -> None:
    skip_without_mnist()
    changes = (
        "training.iterations=2", "evaluation.every=2", "evaluation.samples=20", "evaluation.metrics.0.samples=100",
        "evaluation.metrics.0.sharp=null", "evaluation.metrics.0.classifier.iterations=5", f"data.root={ROOT}",
    )  # fmt: skip
    results = Experiment.from_recipe("gan/stacked-mnist", changes, folder=tmp_path, track=False).run([0])
    assert {"stacked_modes", "stacked_kl"} <= set(results.metrics)
