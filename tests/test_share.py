"""The share of one mode or class is what is counted by hand, and the true one what the data are made of."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from allmodes import Experiment, SpecError
from allmodes.builtin.config.features import ClassifierConfig, ItemsConfig
from allmodes.builtin.config.metrics import ShareConfig
from allmodes.builtin.config.mixtures import CircleConfig, MixtureConfig, RingConfig
from allmodes.data import Data, DataError, TensorData, digits, from_dataset
from allmodes.data.batch import Batch
from allmodes.game.compose import CompositionError
from allmodes.metrics import Evaluation, FeatureCache, Share, build_metrics, classes_of, measure_floors
from files import folder, picture
from tiny import SPEC

QUICK = ClassifierConfig(iterations=120, width=8, features=32)
CENTRE = 3 / 103
HIGH_QUALITY = 1 - math.exp(-4.5)  # of points in two dimensions, within three stds


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setenv("ALLMODES_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def share(label: int, data: Data, samples: Tensor) -> dict[str, float]:
    return Share(label, QUICK).compute(Evaluation(samples, data, Batch(samples), generator()))


# Modes


def test_real_points_fall_into_a_mode_with_its_weight_times_the_high_quality_of_its_points() -> None:
    data, n = CircleConfig().build(), 400_000
    expected = CENTRE * HIGH_QUALITY
    found = share(100, data, data.draw(n, generator()).x)
    assert found["share_100"] == pytest.approx(expected, abs=3 * math.sqrt(expected / n))
    assert found["true_share_100"] == pytest.approx(CENTRE, rel=1e-6)


def test_a_sample_counts_only_within_the_radius_of_a_mode_in_units_of_its_width() -> None:
    data = MixtureConfig(means=[[0, 0], [10, 0]], std=[1, 2], weights=[1, 3]).build()
    samples = torch.tensor([[2.9, 0], [3.1, 0], [0, 0], [4.5, 0], [10, 5.9], [10, 6.1], [math.nan, 0], [math.inf, 0]])
    assert share(0, data, samples) == {"share_0": 2 / 8, "true_share_0": 0.25}
    assert share(1, data, samples) == {"share_1": 2 / 8, "true_share_1": 0.75}  # (4.5, 0) is 2.75 of its stds away


def test_the_share_of_a_mode_of_weight_zero_counts_what_should_not_be_there() -> None:
    data = MixtureConfig(means=[[0, 0], [10, 0]], std=1, weights=[1, 0]).build()
    assert share(1, data, torch.tensor([[0.0, 0], [10, 0], [10, 1], [5, 0]])) == {"share_1": 0.5, "true_share_1": 0}


def test_the_floor_of_a_share_is_what_as_many_real_points_give() -> None:
    found = measure_floors(
        build_metrics([ShareConfig(label=100)]).values(), CircleConfig().build(), samples=2500, repeats=40
    )
    mean, std = found["share_100"]
    one = math.sqrt(CENTRE * HIGH_QUALITY * (1 - CENTRE * HIGH_QUALITY) / 2500)
    assert mean == pytest.approx(CENTRE * HIGH_QUALITY, abs=4 * one / math.sqrt(40))
    assert std == pytest.approx(one, rel=0.4)
    assert found["true_share_100"] == (pytest.approx(CENTRE), 0)


# Classes


def test_the_true_share_of_a_class_is_counted_over_the_training_labels() -> None:
    x, labels = torch.zeros(5, 2), torch.tensor([0, 0, 2, 0, 2])
    assert TensorData(x, labels, classes=4).shares().tolist() == [0.6, 0, 0.4, 0]


@pytest.mark.parametrize("memory", ["resident", "stream"])
@pytest.mark.parametrize("told", [True, False])
def test_labels_are_counted_alike_in_memory_and_streamed(memory: Any, told: bool) -> None:
    labels = torch.arange(1300) % 13 // 4
    dataset = TensorDataset(torch.randn(1300, 2, generator=generator()), labels)
    if told:
        dataset.targets = labels
    data = from_dataset(dataset, test=dataset, memory=memory, classes=4)
    assert data.shares() == pytest.approx(torch.tensor([4, 4, 4, 1], dtype=torch.float64) / 13)


def test_streamed_items_without_labels_have_none_to_count() -> None:
    class Plain(Dataset[Tensor]):
        def __len__(self) -> int:
            return 4

        def __getitem__(self, position: int) -> Tensor:
            return torch.zeros(2)

    with pytest.raises(DataError) as refusal:
        from_dataset(Plain(), memory="stream").shares()
    assert str(refusal.value) == "data: the items have no labels to count"


def test_real_digits_have_the_share_that_a_classifier_counts() -> None:
    data = digits()
    found = share(1, data, data.test_x)
    assert found["true_share_1"] == pytest.approx(int((data.labels == 1).sum()) / 1437)
    assert found["share_1"] == pytest.approx(int((data.test_labels == 1).sum()) / 360, abs=0.02)
    assert 0.94 < found["classifier_accuracy"] <= 1


def test_a_sampler_of_one_digit_falls_into_its_class_alone() -> None:
    data = digits()
    ones = data.x[data.labels == 1]
    assert share(1, data, ones)["share_1"] > 0.95
    assert share(7, data, ones)["share_7"] < 0.05


def test_samples_that_are_not_finite_are_of_no_class() -> None:
    data = digits()
    x = data.x[:6].clone()
    x[2, 0, 3, 3], x[4] = math.nan, math.inf
    found = classes_of(x, data, QUICK, FeatureCache())
    assert found[[2, 4]].tolist() == [-1, -1]
    assert torch.equal(found[[0, 1, 3, 5]], classes_of(data.x[[0, 1, 3, 5]], data, QUICK, FeatureCache()))
    assert sum(share(label, data, x)[f"share_{label}"] for label in range(10)) == pytest.approx(4 / 6)


def test_shares_of_two_labels_share_one_classifier_and_one_look_at_the_samples() -> None:
    data = digits()
    metrics = build_metrics([ShareConfig(label=label, classifier=QUICK) for label in (1, 7)])
    evaluation = Evaluation(data.test_x, data, Batch(data.test_x), generator())
    found = [metric.compute(evaluation) for metric in metrics.values()]
    assert list(metrics) == ["share_1", "share_7"]
    assert found[0].keys() - found[1].keys() == {"share_1", "true_share_1"}
    assert len(evaluation.memo) == 1


# Refusals


def refused(**changes: Any) -> str:
    with pytest.raises(SpecError) as refusal:
        Experiment.from_spec({**SPEC, **changes})
    return str(refusal.value)


@pytest.mark.parametrize(("data", "last"), [("ring", 7), ("circle", 100), ("digits", 9)])
def test_a_label_that_the_data_do_not_have_is_refused_before_they_are_loaded(data: str, last: int) -> None:
    metrics = [{"kind": "share", "label": last}, {"kind": "share", "label": last + 1}]
    assert refused(data={"kind": data}, evaluation={"metrics": metrics}).splitlines()[-1] == (
        f"spec: evaluation.metrics.1.label: the labels of data {data} are 0 to {last}: take one of them"
    )


def test_a_share_twice_is_refused_by_its_label() -> None:
    assert refused(evaluation={"metrics": [{"kind": "share", "label": 3}] * 2}) == (
        "spec: evaluation.metrics.1: share_3 is already listed: list it once"
    )


def test_a_label_below_zero_is_refused() -> None:
    assert refused(evaluation={"metrics": [{"kind": "share", "label": -1}]}) == (
        "spec: evaluation.metrics.0.label: should be greater than or equal to 0, got -1"
    )


def prepared(images: Path, label: int) -> None:
    data, metrics = {"kind": "image_folder", "root": str(images)}, [{"kind": "share", "label": label}]
    Experiment.from_spec({**SPEC, "data": data, "evaluation": {"metrics": metrics}}).prepare()


def test_data_without_labels_are_refused() -> None:
    x = torch.randn(20, 2, generator=generator())
    with pytest.raises(SpecError) as refusal:
        Experiment.from_spec(
            {**SPEC, "evaluation": {"metrics": [{"kind": "share", "label": 0}]}}, data=TensorData(x, test_x=x)
        )
    assert str(refusal.value) == (
        "spec: evaluation.metrics.0: share needs labels, which data python does not have: take data with labels"
    )
    with pytest.raises(DataError) as late:
        Share(3, QUICK).prepare(TensorData(x, test_x=x))
    assert str(late.value) == "metric share: the data have no labels, so no class 3"


def test_files_without_labels_are_refused_before_training(tmp_path: Path) -> None:
    for i in range(4):
        picture(tmp_path / f"{i}.png", seed=i)
    with pytest.raises(CompositionError) as refusal:
        prepared(tmp_path, 0)
    assert str(refusal.value) == (
        "evaluation.metrics.0: share needs labels, which data image_folder does not have: take data with labels"
    )


def test_a_label_that_the_files_do_not_have_is_refused_before_training(tmp_path: Path) -> None:
    folder(tmp_path, ("cat", "dog"), each=4)
    with pytest.raises(DataError) as refusal:
        prepared(tmp_path, 2)
    assert str(refusal.value) == "metric share: label 2: the data's labels are 0 to 1"


def test_features_that_are_no_classifier_give_no_classes() -> None:
    data = digits()
    with pytest.raises(TypeError) as refusal:
        classes_of(data.x, data, ItemsConfig(), FeatureCache())
    assert str(refusal.value) == "features items give no classes: take a classifier"


def test_a_run_reports_the_share_of_the_centre_beside_its_true_one(tmp_path: Path) -> None:
    metrics = [{"kind": "share", "label": 100}, {"kind": "share", "label": 0}, "modes"]
    spec = {**SPEC, "data": {"kind": "circle"}, "evaluation": {"samples": 64, "metrics": metrics}}
    results = Experiment.from_spec(spec, folder=tmp_path, track=False).run([0])
    assert {"share_100", "true_share_100", "share_0", "true_share_0"} <= set(results.metrics)
    assert results.floors["true_share_100"] == pytest.approx(CENTRE)
    assert RingConfig().build().shares().tolist() == [1 / 8] * 8
