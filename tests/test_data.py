"""Data are what they say: known mixtures, loaders that cover and resume exactly, errors that say what to do."""

import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from allmodes.builtin.config import images, mixtures
from allmodes.builtin.config.images import DigitsConfig, TorchvisionConfig
from allmodes.builtin.config.known_modes import apportion
from allmodes.builtin.config.mixtures import (
    CircleConfig,
    GridConfig,
    HighDimensionalConfig,
    MixtureConfig,
    RingConfig,
)
from allmodes.data import Data, DataError, FreshData, Mixture, TensorData, digits, training_items
from allmodes.data.finite import choose_few
from allmodes.testing import DatasetContract

IMAGES = Path(os.environ.get("ALLMODES_DATA", Path(__file__).parents[1] / "../shared/data"))
needs_images = pytest.mark.skipif(
    not (IMAGES / "MNIST/raw").is_dir(), reason="no MNIST: set ALLMODES_DATA to the folder that holds MNIST/raw"
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def truth_of(config: RingConfig | GridConfig | CircleConfig | MixtureConfig | HighDimensionalConfig) -> Mixture:
    data = config.build()
    assert data.truth is not None
    return data.truth


def shares(data: Data, n: int = 100_000) -> torch.Tensor:
    labels = data.draw(n, generator()).labels
    return labels.bincount(minlength=data.classes) / n


def numbered(items: int, **options: torch.Tensor) -> TensorData:
    """Items that are their own position."""
    return TensorData(torch.arange(items)[:, None].float(), torch.arange(items) % 3, **options)


# Mixtures


def test_the_ring_has_eight_distinct_modes_45_degrees_apart_of_equal_mass() -> None:
    data = RingConfig().build()
    means = data.truth.means
    angles = torch.atan2(means[:, 1], means[:, 0])
    steps = (angles.roll(-1) - angles).remainder(2 * math.pi)
    assert torch.pdist(means).min() > 0.7
    assert torch.allclose(means.norm(dim=1), torch.ones(8))
    assert torch.allclose(steps, torch.full((8,), math.pi / 4), atol=1e-5)
    assert torch.allclose(means[0], torch.tensor([0.0, -1.0]), atol=1e-6)
    assert torch.allclose(shares(data), torch.full((8,), 1 / 8), atol=0.005)


def test_the_grid_has_25_modes_at_even_numbers() -> None:
    means = truth_of(GridConfig()).means
    assert {tuple(mean) for mean in means.tolist()} == {(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)}


def test_the_centre_of_the_circle_has_three_of_103_units_of_mass() -> None:
    data = CircleConfig().build()
    near = (data.draw(200_000, generator()).x.norm(dim=1) < 1).float().mean()
    assert data.classes == 101
    assert near == pytest.approx(3 / 103, abs=0.0015)


def test_points_lie_around_their_modes_mean_with_its_own_std() -> None:
    data = MixtureConfig(means=[[0, 0], [5, 5]], std=[0.1, 0.4], weights=[1, 3]).build()
    batch = data.draw(40_000, generator())
    for mode, (share, std) in enumerate([(0.25, 0.1), (0.75, 0.4)]):
        own = batch.x[batch.labels == mode]
        assert len(own) / 40_000 == pytest.approx(share, abs=0.01)
        assert torch.allclose(own.mean(0), data.truth.means[mode], atol=0.02)
        assert torch.allclose(own.std(0), torch.tensor(std), rtol=0.03)


def test_the_high_dimensional_data_vary_in_their_first_700_coordinates_only() -> None:
    data = HighDimensionalConfig().build()
    batch = data.draw(500, generator())
    rest = batch.x - data.truth.means[batch.labels]
    assert batch.x.shape == (500, 1200)
    assert rest[:, :700].std() == pytest.approx(1, abs=0.01)
    assert rest[:, 700:].abs().max() == 0
    assert (rest.norm(dim=1) > 10).all()  # a literal "10 stds" would reject every real point
    assert (rest.norm(dim=1) < data.truth.radius).double().mean() == pytest.approx(0.989, abs=0.015)


def test_weights_are_normalised_and_equal_ones_are_recognised() -> None:
    assert truth_of(RingConfig(weights=[2] * 8)).uniform
    weighted = truth_of(RingConfig(weights=[1] * 7 + [3]))
    assert not weighted.uniform
    assert weighted.weights.tolist() == pytest.approx([0.1] * 7 + [0.3])


def test_a_mode_without_weight_is_never_drawn() -> None:
    assert shares(RingConfig(weights=[0] + [1] * 7).build())[0] == 0


def test_a_fixed_set_has_equally_many_points_of_each_mode_and_an_epoch_shows_each_once() -> None:
    """BourGAN's released grid: 50 points a mode."""
    data = GridConfig(std=0.1, items=1250).build()
    batch = next(data.loader(1250, seed=3))
    assert (data.items, data.shares().tolist()) == (1250, [1 / 25] * 25)
    assert batch.labels.bincount().tolist() == [50] * 25
    assert batch.index.sort().values.tolist() == list(range(1250))
    assert (batch.x - data.truth.means[batch.labels]).std() == pytest.approx(0.1, rel=0.05)


def test_a_fixed_set_follows_the_weights() -> None:
    data = MixtureConfig(means=[[-2, 0], [2, 0]], std=0.1, weights=[9, 1], items=50).build()
    assert next(data.loader(50, seed=0)).labels.bincount().tolist() == [45, 5]
    circle = next(CircleConfig(items=1030).build().loader(1030, seed=0))
    assert circle.labels.bincount().tolist() == [10] * 100 + [30]


@pytest.mark.parametrize(
    ("weights", "items", "counts"),
    [
        ([1] * 8, 1250, (157, 157, *[156] * 6)),
        ([0.1] * 3, 3, (1, 1, 1)),
        ([0.7, 0.2, 0.1], 10, (7, 2, 1)),
        ([1, 0, 1], 5, (3, 0, 2)),
        ([6, 3, 1], 5, (3, 2, 0)),
        ([1e300, 1e300], 10_000_000, (5_000_000, 5_000_000)),
    ],
)
def test_points_are_shared_among_modes_by_largest_remainders(
    weights: list[float], items: int, counts: tuple[int, ...]
) -> None:
    assert apportion(weights, items) == counts


def test_a_fixed_set_is_the_same_for_every_seed_of_a_run_and_another_for_another_items_seed() -> None:
    one, again, other = (RingConfig(items=80, items_seed=seed).build() for seed in (0, 0, 1))
    assert torch.equal(one.x, again.x)
    assert one.fingerprint == again.fingerprint
    assert not torch.equal(one.x, other.x)
    others = (other, RingConfig(items=80, std=0.02).build(), RingConfig(items=88).build(), RingConfig().build())
    assert len({one.fingerprint, *(data.fingerprint for data in others)}) == 5


def test_held_out_points_of_a_fixed_set_are_fresh() -> None:
    data = RingConfig(items=80).build().to("cpu")
    held_out = data.held_out(5000, generator())
    assert len(held_out.x.unique(dim=0)) == 5000
    assert not torch.isin(held_out.x, data.x).all(1).any()
    assert torch.equal(held_out.x, data.truth.draw(5000, generator()).x)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (lambda: GridConfig(items=24), "items is 24, which leaves mode 24 without a point: set items to 25 or more"),
        (
            lambda: MixtureConfig(means=[[0], [1]], weights=[999, 1], items=100),
            "items is 100, which leaves mode 1 without a point: set items to 1000 or more",
        ),
        (lambda: RingConfig(items=10, weights=[1, 2]), "weights has 2 entries but there are 8 modes"),
        (
            lambda: RingConfig(items=10, weights=[0] * 8),
            "weights are all zero: at least one mode must have a positive weight",
        ),
    ],
)
def test_a_fixed_set_that_would_lack_a_mode_is_refused(config: Callable[[], object], message: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        config()
    assert [error["msg"] for error in refusal.value.errors()] == [f"Value error, {message}"]


class TestFixedSet(DatasetContract):
    config = CircleConfig(items=103)


def test_a_mode_without_weight_needs_no_point() -> None:
    data = RingConfig(items=7, weights=[0] + [1] * 7).build()
    assert data.labels.tolist() == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("config", [RingConfig(), RingConfig(weights=range(1, 9)), HighDimensionalConfig()])
def test_one_seed_draws_the_same_points_again(config: RingConfig) -> None:
    data = config.build()
    assert torch.equal(data.draw(50, generator(3)).x, data.draw(50, generator(3)).x)
    assert not torch.equal(data.draw(50, generator(3)).x, data.draw(50, generator(4)).x)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": [1, 2, 3]}, "weights has 3 entries but there are 8 modes"),
        ({"weights": [0] * 8}, "weights are all zero: at least one mode must have a positive weight"),
        ({"weights": [-1] + [1] * 7}, "Input should be greater than or equal to 0"),
        ({"std": 0}, "Input should be greater than 0"),
    ],
)
def test_a_ring_that_cannot_be_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        RingConfig(**options)
    assert refusal.value.errors()[0]["msg"].removeprefix("Value error, ") == message


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"means": [[0], [1, 2]]}, "means have 1 to 2 coordinates: give all the same number"),
        ({"means": [[0], [1]], "std": [1, 2, 3]}, "std has 3 entries but there are 2 modes"),
        ({"means": [[0], [1]], "weights": [1]}, "weights has 1 entries but there are 2 modes"),
    ],
)
def test_a_mixture_that_cannot_be_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        MixtureConfig(**options)
    assert refusal.value.errors()[0]["msg"] == f"Value error, {message}"


# Finite data


def test_an_epoch_covers_every_item_exactly_once() -> None:
    loader = numbered(30).loader(10, seed=0)
    epochs = [torch.cat([next(loader).index for _ in range(3)]) for _ in range(2)]
    assert all(torch.equal(epoch.sort().values, torch.arange(30)) for epoch in epochs)
    assert not torch.equal(*epochs)


def test_a_tail_smaller_than_a_batch_is_dropped() -> None:
    loader = numbered(25).loader(10, seed=0)
    first = [next(loader) for _ in range(2)]
    assert len(torch.cat([batch.index for batch in first]).unique()) == 20
    assert len(next(loader).x) == 10


def test_batches_hold_the_items_and_labels_that_their_index_names() -> None:
    batch = next(numbered(30).loader(10, seed=0))
    assert torch.equal(batch.x[:, 0], batch.index.float())
    assert torch.equal(batch.labels, batch.index % 3)
    assert batch.index.dtype == batch.labels.dtype == torch.int64


@pytest.mark.parametrize("data", [numbered(25), RingConfig().build()], ids=["finite", "mixture"])
@pytest.mark.parametrize("served", [1, 2, 7])
def test_a_resumed_loader_continues_like_an_unbroken_one(data: Data, served: int, tmp_path: Path) -> None:
    unbroken = data.loader(10, seed=5)
    for _ in range(served):
        next(unbroken)
    torch.save(unbroken.state_dict(), tmp_path / "loader.pt")
    resumed = data.loader(10, seed=5)
    resumed.load_state_dict(torch.load(tmp_path / "loader.pt", weights_only=True))
    assert all(torch.equal(next(resumed).x, next(unbroken).x) for _ in range(6))


@pytest.mark.parametrize("data", [numbered(25), RingConfig().build()], ids=["finite", "mixture"])
def test_batches_of_a_loader_depend_on_the_seed(data: Data) -> None:
    first, again, other = (next(data.loader(10, seed)).x for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(ValueError) as refusal:
        numbered(25).loader(26, seed=0)
    assert str(refusal.value) == ("training: batch_size is 26 but the data have 25 items: set batch_size to 25 or less")


def test_bytes_are_drawn_as_floats_between_minus_one_and_one() -> None:
    data = TensorData(torch.tensor([[0], [255], [51]], dtype=torch.uint8))
    assert data.take(torch.arange(3)).x[:, 0].tolist() == pytest.approx([-1, 1, -0.6])


def test_held_out_items_differ_while_there_are_enough_and_repeat_beyond() -> None:
    data = numbered(5, test_x=100 + torch.arange(20.0)[:, None], test_labels=torch.arange(20))
    few, many = data.held_out(20, generator()), data.held_out(50, generator())
    assert torch.equal(few.x.flatten().sort().values, 100 + torch.arange(20.0))
    assert torch.equal(few.x[:, 0], 100.0 + few.labels)
    assert len(many.x) == 50
    assert many.x.min() >= 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([torch.empty(0, 2)], "data: the training data have no items"),
        ([torch.ones(3, 2), torch.zeros(2)], "data: the training data have 3 items but 2 labels"),
        (
            [torch.ones(3, 2), None, torch.ones(3, 4)],
            "data: the test data have items of shape (4,) but the training data of (2,)",
        ),
    ],
)
def test_tensors_that_do_not_fit_together_are_refused(arguments: list[torch.Tensor], message: str) -> None:
    with pytest.raises(DataError) as refusal:
        TensorData(*arguments)
    assert str(refusal.value) == message


def test_a_few_of_many_items_are_drawn_like_the_first_of_a_shuffle() -> None:
    n, items, counts = 3, 20, torch.zeros(3, 20)
    rng = generator()
    for drawn in (choose_few(n, items, rng) for _ in range(20_000)):
        if drawn is not None:
            assert len(drawn.unique()) == n
            counts[torch.arange(n), drawn] += 1
    assert counts[0].sum() > 19_000
    expected = counts.sum(1, keepdim=True) / items
    assert ((counts - expected).square() / expected).sum(1).max() < 43.8  # chi-squared, 19 degrees, p = 0.001
    assert choose_few(20, 20, torch.Generator().manual_seed(0)) is None, "40 draws of 20 items had all of them"


def test_held_out_draws_without_a_test_split_are_refused() -> None:
    with pytest.raises(DataError) as refusal:
        numbered(5).held_out(2, generator())
    assert str(refusal.value) == "data: there are no held-out items: give TensorData a test_x"


def test_fingerprints_identify_data_on_every_device() -> None:
    built = [RingConfig(), RingConfig(std=0.02), RingConfig(weights=range(1, 9)), GridConfig(), DigitsConfig()]
    fingerprints = [config.build().fingerprint for config in built]
    assert len(set(fingerprints)) == len(built)
    assert fingerprints == [config.build().to("cpu").fingerprint for config in built]
    assert all(len(fingerprint) == 16 for fingerprint in fingerprints)


def test_moved_data_are_where_they_were_moved_and_the_original_stays() -> None:
    for data in (digits(), RingConfig(weights=range(1, 9)).build()):
        moved = data.to("meta") if isinstance(data, TensorData) else data.to("cpu")
        assert moved.device.type == ("meta" if isinstance(data, TensorData) else "cpu")
        assert data.device.type == "cpu"
        assert moved.fingerprint == data.fingerprint


# Images


def test_the_digits_are_all_there_with_the_right_class_counts() -> None:
    data = digits()
    counts = data.labels.bincount() + data.test_labels.bincount()
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert data.test_labels.bincount().tolist() == [36, 36, 35, 37, 36, 37, 36, 36, 35, 36]
    assert (data.items, data.x.min(), data.x.max()) == (1437, -1, 1)
    assert data.fingerprint == digits().fingerprint


@needs_images
def test_mnist_has_its_published_class_counts() -> None:
    data = TorchvisionConfig(dataset="MNIST", root=str(IMAGES)).build()
    assert data.labels.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert data.test_labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert data.x.sum(dtype=torch.float64) / data.x.numel() / 255 == pytest.approx(0.1307, abs=1e-4)  # as published


@needs_images
def test_images_are_resized_and_labels_renumbered_in_the_order_kept() -> None:
    config = TorchvisionConfig(dataset="FashionMNIST", root=str(IMAGES), size=16, classes_kept=[7, 2])
    data = config.build()
    assert data.shape == config.shape() == (1, 16, 16)
    assert data.classes == config.classes() == 2
    assert data.labels.bincount().tolist() == [6000, 6000]
    original = TorchvisionConfig(dataset="FashionMNIST", root=str(IMAGES)).build()
    sevens = original.x[original.labels == 7].float().mean()
    assert data.x[data.labels == 0].float().mean() == pytest.approx(sevens, abs=0.5)


@needs_images
def test_classes_are_merged_and_others_left_out() -> None:
    groups = [[5, 7, 9], [8], [2, 4, 6], [0, 3], [1]]
    data = TorchvisionConfig(dataset="FashionMNIST", root=str(IMAGES), merge=groups).build()
    assert data.labels.bincount().tolist() == [18000, 6000, 18000, 12000, 6000]
    assert data.test_labels.bincount().tolist() == [3000, 1000, 3000, 2000, 1000]
    original = TorchvisionConfig(dataset="FashionMNIST", root=str(IMAGES)).build()
    for merged, label in zip(data.labels[:200], original.labels[:200], strict=True):
        assert int(label) in groups[int(merged)]
    some = TorchvisionConfig(dataset="FashionMNIST", root=str(IMAGES), merge=[[3, 1], [2]])
    assert (some.classes(), some.build().labels.bincount().tolist()) == (2, [12000, 6000])


@needs_images
def test_as_many_items_are_kept_as_have_the_proportions() -> None:
    data = TorchvisionConfig(dataset="MNIST", root=str(IMAGES), classes_kept=[0, 4], proportions=[7, 3]).build()
    assert data.labels.bincount().tolist() == [5923, 2538]  # 5923 * 3 / 7 = 2538.4
    assert data.test_labels.bincount().tolist() == [980, 420]


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("MNIST", "MNIST/raw"),
        ("CIFAR10", "cifar-10-batches-py"),
        ("CIFAR100", "cifar-100-python"),
        ("SVHN", "train_32x32.mat"),
    ],
)
def test_images_that_are_not_there_are_reported_with_the_place_and_the_remedy(
    name: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as refusal:
        TorchvisionConfig(dataset=name).build()
    assert str(refusal.value) == (
        f"data: {name} is not under 'data' (looked for data/{place}): "
        "set root to the folder that holds it, or download: true"
    )


def test_a_failed_download_is_reported_with_its_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torchvision import datasets

    def fail(self: object) -> None:
        raise OSError("no route to host")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.MNIST, "download", fail)
    with pytest.raises(DataError) as refusal:
        TorchvisionConfig(dataset="MNIST", download=True).build()
    assert str(refusal.value) == "data: MNIST could not be downloaded to 'data': no route to host"


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        ([1, 1], "Value error, classes_kept names a label twice"),
        ([3, 10], "Value error, classes_kept names label 10 but MNIST has 0 to 9"),
    ],
)
def test_labels_that_do_not_exist_or_repeat_are_refused(kept: list[int], message: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        TorchvisionConfig(dataset="MNIST", classes_kept=kept)
    assert refusal.value.errors()[0]["msg"] == message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"merge": [[1, 2], [2]]}, "merge names a label twice"),
        ({"merge": [[1, 10]]}, "merge names label 10 but MNIST has 0 to 9"),
        (
            {"merge": [[1]], "classes_kept": [1]},
            "classes_kept and merge are both given: merge alone says which labels are kept",
        ),
        ({"classes_kept": [0, 4], "proportions": [1]}, "proportions has 1 entries but there are 2 classes"),
    ],
)
def test_classes_that_cannot_be_made_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        TorchvisionConfig(dataset="MNIST", **settings)
    assert refusal.value.errors()[0]["msg"] == f"Value error, {message}"


# Configs

KINDS = (*mixtures.KINDS, *images.KINDS)


@pytest.mark.parametrize("config", [kind() for kind in KINDS if kind not in (MixtureConfig, TorchvisionConfig)])
def test_shape_and_classes_of_a_config_are_those_of_its_data(config: RingConfig) -> None:
    data = config.build()
    assert data.shape == config.shape() == tuple(data.draw(3, generator()).x.shape[1:])
    assert data.classes == config.classes()
    assert (data.truth is not None) == config.known_modes()
    assert (data.items is None) == isinstance(data, FreshData)


def test_configs_are_read_and_asked_without_torch() -> None:
    code = """
import sys
from allmodes.builtin.config import images, metrics, mixtures
assert mixtures.RingConfig().shape() == (2,) and mixtures.CircleConfig().classes() == 101
assert images.TorchvisionConfig(dataset="SVHN").shape() == (3, 32, 32)
assert metrics.KINDS and not {"torch", "numpy", "sklearn"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_is_described(kind: type[RingConfig]) -> None:
    undescribed = {name for name, field in kind.model_fields.items() if name != "kind" and not field.description}
    assert not undescribed


def test_training_items_are_different_ones_and_all_where_there_are_fewer() -> None:
    x = torch.arange(6.0)[:, None]
    assert sorted(training_items(TensorData(x), 9, generator()).x[:, 0].tolist()) == x[:, 0].tolist()
    assert len(training_items(TensorData(x), 4, generator(1)).x.unique()) == 4
    assert training_items(RingConfig().build(), 9, generator()).x.shape == (9, 2)
