"""A metric's declarations decide how its numbers are shown and used, whoever wrote the metric."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from allmodes import Evaluation, Experiment, Key, Metric, MetricConfig, Run, SpecError
from allmodes.builtin.config.mixtures import RingConfig
from allmodes.data.batch import Batch
from allmodes.experiments.collapse import CollapseDetector
from allmodes.experiments.progress import bar_fields
from allmodes.figures.titles import summarise
from allmodes.metrics.measure import measure
from allmodes.runs.run import Outcome
from allmodes.specs import loading
from allmodes.studies.comparison import Group, Row
from allmodes.studies.sheets import make_sheet
from allmodes.tracking import description
from allmodes_schemas import Spec
from faulty import registry_of
from tiny import SPEC
from tracked import runs_in

FOUND = {"acme.captured": 8.0, "acme.purity": 0.25, "acme.limit": 3.0, "acme.loss": 0.5}


class CapturedConfig(MetricConfig):
    """Modes that a plugin counts in its own way."""

    kind: Literal["acme.captured"] = "acme.captured"

    def numbers(self) -> Mapping[str, Key]:
        return {
            "acme.limit": Key(constant=True),
            "acme.captured": Key("higher", counts=True, label="blobs"),
            "acme.purity": Key("higher", unit="share", label="purity"),
            "acme.loss": Key("lower"),
        }

    def build(self) -> Any:
        return Captured()


class Captured(Metric):
    """Finds fewer and fewer modes."""

    def __init__(self) -> None:
        self.found = iter([8.0, 7.0, 3.0, 3.0])

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        return {**FOUND, "acme.captured": next(self.found)}

    def floor(self, evaluation: Evaluation) -> dict[str, float]:
        return {}


REGISTRY = registry_of(CapturedConfig)


def values(collapse: str = "warn", best: str | None = None) -> dict[str, Any]:
    evaluation = {"every": 5, "samples": 64, "metrics": ["acme.captured"], "collapse": collapse, "figure": False}
    return {**SPEC, "evaluation": evaluation, "training": {**SPEC["training"], "checkpoints": {"best": best}}}


def spec_of(**changes: Any) -> Spec:
    return loading.parse(values(**changes), REGISTRY)


def test_a_plugin_s_count_of_modes_is_watched_for_collapse(tmp_path: Path) -> None:
    warnings = list[str]()
    options: dict[str, Any] = {"registry": REGISTRY, "folder": tmp_path, "track": False}
    results = Experiment.from_spec(values(), warn=warnings.append, **options).run()
    assert results.status == "finished"
    assert warnings == ["tiny/seed-3: collapse: 3 of 8 blobs are left at iteration 15"]
    outcome = Experiment.from_spec(values("stop"), warn=warnings.append, **options).run().outcomes[3]
    assert outcome.error == "CollapseError: 3 of 8 blobs are left at iteration 15; evaluation.collapse is stop"


def test_a_plugin_s_count_is_held_only_above_the_chance_that_the_plugin_declares() -> None:
    class Wary(Captured):
        def chance(self, data: Any) -> dict[str, float]:
            return {"acme.purity": 0.2}

    numbers, data, fall = spec_of().evaluation.numbers(), RingConfig().build(), [FOUND, {**FOUND, "acme.captured": 2.0}]
    assert CollapseDetector(numbers, [Captured()], data).find(fall) == "2 of 8 blobs are left"
    assert CollapseDetector(numbers, [Wary()], data).find(fall) == ""


def test_a_plugin_s_numbers_stand_in_bars_and_titles() -> None:
    numbers = spec_of().evaluation.numbers()
    assert bar_fields({f"eval/{key}": value for key, value in FOUND.items()}, numbers)["modes"] == "8 blobs"
    assert summarise(FOUND, numbers) == "blobs 8  purity 25 %"


def test_a_plugin_s_shares_are_per_cent_in_tables_and_its_constants_are_left_out() -> None:
    row = Row("mine", {0: Outcome("finished", 1, 1.0, FOUND)}, {0: "finished"})
    group = Group("ring", (row,), spec_of().evaluation.numbers())
    assert make_sheet(group, ()).header == ["method", "seeds", "acme.captured ↑", "acme.purity ↑", "acme.loss ↓"]
    assert make_sheet(group, ()).lines[1].texts == ["mine", "1", "8", "25 %", "0.5"]


def test_a_plugin_s_labelled_numbers_are_columns_in_mlflow(tmp_path: Path) -> None:
    run: Run = replace(runs_in(tmp_path, 0)[0], spec=spec_of())
    assert description.labelled(run) == ["acme.captured", "acme.purity"]


def test_the_best_checkpoint_can_be_that_of_a_plugin_s_number_with_a_direction() -> None:
    assert spec_of(best="acme.loss").training.checkpoints.best == "acme.loss"
    with pytest.raises(SpecError, match=r"'acme.limit' is not a number of this spec's metrics that has a best value"):
        spec_of(best="acme.limit")


@pytest.mark.parametrize("values", [{"better": "up"}, {"unit": "percent"}, {"counts": "often"}, {"label": 3}])
def test_a_key_refuses_other_values(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        Key(**values)


def test_a_metric_that_declares_its_numbers_in_another_form_is_named() -> None:
    class Loose(CapturedConfig):
        def numbers(self) -> Any:
            return {"acme.captured": {"better": "higher"}}

    with pytest.raises(SpecError, match=r"acme.captured declares its numbers as .*: numbers\(\) must return a Key"):
        loading.parse(values(), registry_of(Loose))


def test_two_metrics_do_not_give_numbers_of_one_name() -> None:
    class Same(CapturedConfig):
        kind: Literal["acme.same"] = "acme.same"  # type: ignore[assignment]

    given = {**values(), "evaluation": {**values()["evaluation"], "metrics": ["acme.captured", "acme.same"]}}
    with pytest.raises(SpecError, match=r"acme.same gives a number 'acme.limit', as acme.captured does: list one"):
        loading.parse(given, registry_of(CapturedConfig, Same))


NOTHING = Evaluation(torch.zeros(1, 2), RingConfig().build(), Batch(torch.zeros(1, 2)), torch.Generator())


@pytest.mark.parametrize("returned", [None, {3: 1.0}, {"acme.captured": "eight"}, {"acme.captured": None}])
def test_a_metric_that_returns_other_things_than_numbers_costs_a_warning(returned: Any) -> None:
    class Loose(Captured):
        def compute(self, evaluation: Any) -> Any:
            return returned

    warnings = list[str]()
    assert measure({"a": Loose(), "b": Captured()}, NOTHING, warnings.append) == FOUND
    assert len(warnings) == 1
    assert re.fullmatch(r"metric a \(.*\): (returns|gives) .*: its numbers are left out", warnings[0])


def test_tensors_of_one_number_are_numbers() -> None:
    class Loose(Captured):
        def compute(self, evaluation: Any) -> Any:
            return {"acme.captured": torch.tensor(3), "acme.loss": torch.tensor([0.5])}

    numbers = measure({"a": Loose()}, NOTHING, pytest.fail)
    assert numbers == {"acme.captured": 3.0, "acme.loss": 0.5}
    assert all(type(number) is float for number in numbers.values())


def test_a_count_that_is_not_finite_is_not_held() -> None:
    numbers, data = spec_of().evaluation.numbers(), RingConfig().build()
    endless = [{**FOUND, "acme.captured": math.inf}] * 2
    assert CollapseDetector(numbers, [Captured()], data).find(endless) == ""
