"""Floors are measured once for each data set, number of samples and metric, and never taken for another's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from typing_extensions import override

from allmodes import DensityCoverageConfig, Experiment, KidConfig, ModesConfig, RingConfig, WassersteinConfig
from allmodes.data import Data, TensorData
from allmodes.experiments import floors
from allmodes.experiments.floors import floors_folder, share_floors
from allmodes.experiments.settings import Setup
from allmodes.metrics import Evaluation, Metric, build_metrics, measure_each_floor, measure_floors
from allmodes_schemas import MetricConfig
from tiny import SPEC


class CountedConfig(MetricConfig):
    """A metric of this module."""

    kind: Literal["counted"] = "counted"
    factor: float = 1.0

    @override
    def build(self) -> Any:
        return Counted()


class Counted(Metric):
    @override
    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        return {"counted": 1.0}


class Shop:
    """Shares floors in a folder and notes what had to be measured."""

    def __init__(self, *folders: Path) -> None:
        self.folders, self.measured = folders, list[str]()

    def ask(self, *configs: MetricConfig, samples: int = 20, data: Data | None = None) -> dict[str, float]:
        values = {**SPEC, "evaluation": {"samples": samples}}
        experiment = Experiment.from_spec(values)
        return share_floors(
            self.folders, experiment.spec, data or experiment.data, build_metrics(configs), self._measure
        )

    def _measure(self, metrics: Mapping[str, Metric]) -> dict[str, dict[str, float]]:
        self.measured += metrics
        return {title: {title: float(len(self.measured))} for title in metrics}

    def taken(self) -> Sequence[str]:
        taken, self.measured = self.measured, []
        return taken


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "floors")


def test_a_further_metric_is_measured_alone(shop: Shop) -> None:
    first = shop.ask(ModesConfig())
    assert shop.taken() == ["modes"]
    both = shop.ask(WassersteinConfig(), ModesConfig())
    assert shop.taken() == ["wasserstein"]
    assert both.items() >= first.items()
    assert list(both) == ["wasserstein", "modes"]
    assert shop.ask(WassersteinConfig(), ModesConfig()) == both
    assert shop.taken() == []


@pytest.mark.parametrize(
    "other",
    [
        {"samples": 21},
        {"data": TensorData(torch.zeros(9, 2))},
        {"data": TensorData(torch.ones(9, 2))},
    ],
)
def test_other_data_or_samples_have_other_floors(shop: Shop, other: dict[str, Any]) -> None:
    shop.ask(ModesConfig())
    shop.ask(ModesConfig(), **other)
    assert shop.taken() == ["modes", "modes"]
    shop.ask(ModesConfig(), **other)
    assert shop.taken() == []


def test_other_settings_of_a_metric_have_another_floor_but_not_another_cadence(shop: Shop) -> None:
    shop.ask(WassersteinConfig())
    shop.ask(WassersteinConfig(samples=7))
    assert shop.taken() == ["wasserstein", "wasserstein"]
    shop.ask(WassersteinConfig(every=9))
    assert shop.taken() == []


def test_another_version_of_a_plugin_measures_anew(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.ask(CountedConfig())
    monkeypatch.setattr(floors, "owner_of", lambda thing: "acme 2.0")
    shop.ask(CountedConfig())
    assert shop.taken() == ["counted", "counted"]


def test_changed_code_measures_anew(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.ask(CountedConfig())
    monkeypatch.setattr(floors, "_code", lambda package: f"{package} edited")
    shop.ask(CountedConfig())
    assert shop.taken() == ["counted", "counted"]


def test_the_code_of_a_package_is_all_its_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "acme_floors"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "helper.py").write_text("x = 1")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("acme_floors")
    code = floors._code.__wrapped__
    before = code("acme_floors")
    (package / "helper.py").write_text("x = 2")
    assert before != code("acme_floors") != ""
    assert code("__main__") == code("no_such_package") == ""


def test_a_metric_that_cannot_be_told_from_others_is_measured_each_time(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Local(Counted):
        """A metric whose class depends on the function that it is defined in."""

    monkeypatch.setattr(CountedConfig, "build", lambda self: Local())
    for _ in range(2):
        shop.ask(CountedConfig())
    assert shop.taken() == ["counted", "counted"]
    by_hand = {"own": Counted()}  # built without a config
    experiment = Experiment.from_spec(SPEC)
    for _ in range(2):
        share_floors(shop.folders, experiment.spec, experiment.data, by_hand, shop._measure)
    assert shop.taken() == ["own", "own"]


def test_a_floor_that_failed_is_tried_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop, "_measure", lambda metrics: {})
    assert shop.ask(ModesConfig()) == {}
    monkeypatch.undo()
    assert shop.ask(ModesConfig()) == {"modes": 1.0}


@pytest.fixture
def blocked(tmp_path: Path) -> Path:
    (tmp_path / "floors").write_text("no folder")
    return tmp_path / "floors"


def test_a_cache_that_cannot_be_written_costs_a_warning(blocked: Path) -> None:
    said = rf"^{blocked}/\w+ could not be written \(.*\): scores of real data and references are measured by each run"
    with pytest.warns(UserWarning, match=said):
        assert Shop(blocked).ask(ModesConfig()) == {"modes": 1.0}


def test_where_the_cache_cannot_be_written_runs_of_a_study_share_floors_through_its_folder(
    blocked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLMODES_FLOORS", str(blocked))
    setup, said = Setup(floors=tmp_path / "study" / ".floors"), rf"^{blocked}/\w+ could not be written \(.*\): "
    kept = rf"{said}scores of real data and references are kept in {setup.floors} \(docs/metrics.md\)$"
    with pytest.warns(UserWarning, match=kept):
        first = Experiment.from_spec(SPEC, setup=setup).resources.floors
    monkeypatch.setattr("allmodes.experiments.resources.measure_each_floor", None)
    with pytest.warns(UserWarning, match=kept):
        assert Experiment.from_spec(SPEC, setup=setup).resources.floors == pytest.approx(dict(first), nan_ok=True)


def test_a_cache_that_has_all_is_read_where_it_cannot_be_written(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    first = shop.ask(ModesConfig())
    monkeypatch.setattr(floors, "TemporaryFile", None)
    assert shop.ask(ModesConfig()) == first
    assert shop.taken() == ["modes"]


def test_a_folder_that_can_be_written_is_the_only_one(tmp_path: Path) -> None:
    assert Shop(tmp_path / "user", tmp_path / "study").ask(ModesConfig()) == {"modes": 1.0}
    assert [path.name for path in tmp_path.iterdir()] == ["user"]


def test_the_folder_is_the_user_s_and_may_be_moved_or_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLMODES_FLOORS", "off")
    assert floors_folder() is None
    monkeypatch.setenv("ALLMODES_FLOORS", str(tmp_path / "own"))
    assert floors_folder() == tmp_path / "own"
    monkeypatch.delenv("ALLMODES_FLOORS")
    monkeypatch.setenv("ALLMODES_CACHE", str(tmp_path / "cache"))
    assert floors_folder() == tmp_path / "cache" / "floors"


def test_runs_share_floors_and_get_the_same_as_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Experiment.from_spec(SPEC).resources.floors
    monkeypatch.setenv("ALLMODES_FLOORS", str(tmp_path))
    first = Experiment.from_spec(SPEC).resources.floors
    (page,) = tmp_path.glob("*/*.json")
    assert page.is_file()
    monkeypatch.setattr("allmodes.experiments.resources.measure_each_floor", None)
    assert Experiment.from_spec(SPEC).resources.floors == pytest.approx(dict(first), nan_ok=True)
    assert first == pytest.approx(dict(alone), nan_ok=True)


def test_the_floor_of_a_metric_does_not_depend_on_the_others() -> None:
    data = RingConfig().build()
    metrics = build_metrics([KidConfig(size=10, subsets=3), DensityCoverageConfig(), WassersteinConfig()])
    together = measure_each_floor(metrics, data, 30, repeats=2)
    for title, metric in metrics.items():
        assert measure_floors([metric], data, 30, repeats=2) == together[title]
