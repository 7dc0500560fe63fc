"""The contract of a metric."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from matplotlib.figure import Figure
from typing_extensions import override

from allmodes.game.composition import Composition
from allmodes.metrics import Evaluation, Metric, build_metrics, measure, measure_floors
from allmodes.specs import loading
from allmodes.testing.advice import explain_errors
from allmodes.testing.composing import ComposedContract
from allmodes.testing.modules_under_vmap import all_equal
from allmodes.testing.randomness import own_randomness
from allmodes.testing.snapshots import take_flat_snapshot
from allmodes_schemas import KindConfig, MetricConfig, Spec


class MetricContract(ComposedContract):
    """A metric gives finite numbers, the same for the same evaluation, and changes nothing by measuring.

    Attributes:
        config: The metric's settings.
        recipe: A recipe whose model it can measure.
        spec: A spec, as a mapping, in the place of a recipe.
        overrides: Further settings of the spec, such as `data.root=/data`.
    """

    base = MetricConfig
    config: ClassVar[MetricConfig]

    def test_its_numbers_for_real_items_are_finite(self) -> None:
        """A model that draws as data are has numbers; those of an untrained one may be NaN."""
        evaluation = self.evaluation(self.composed_spec.compose())
        for name, value in self.measure(evaluation.of(evaluation.real.x)).items():
            assert isinstance(value, float | int), (
                f"{self.name}: {name} is a {type(value).__name__}: return float(...) for each key"
            )
            assert math.isfinite(value), f"{self.name}: {name} is {value}, which is not finite"

    def test_the_same_evaluation_gives_the_same_numbers(self) -> None:
        """A stored run can be measured again."""
        one, other = self.measure(), self.measure()
        assert repr(one) == repr(other), (  # NaN is not equal to itself
            f"{self.name}: the same evaluation gives {one}, then {other}: take randomness from evaluation.generator"
        )

    def test_the_numbers_that_it_declares_are_those_that_it_gives(self) -> None:
        """Declarations are read by tables and titles, by the best checkpoint and the watch for collapse."""
        numbers, declared = self.measure(), self.config.numbers()
        unknown = [name for name in declared if name not in numbers]
        assert not unknown, (
            f"{self.name}: numbers() declares {', '.join(unknown)}, but compute gives {', '.join(numbers) or 'nothing'}"
        )

    def test_its_floor_is_of_its_own_numbers(self) -> None:
        """Scores of real data stand beside those of the model, under the same name."""
        with explain_errors(f"{self.name}: floor fails: return {{}} where a perfect sampler has no score"):
            floor = measure_floors([self.metric()], self.composed_spec.data, 64, repeats=2)
        unknown = [name for name in floor if name not in self.measure()]
        assert not unknown, f"{self.name}: floor names {', '.join(unknown)}, which compute does not give"

    def test_measuring_changes_neither_the_model_nor_the_global_generators(self) -> None:
        """A run that is measured trains as one that is not."""
        composition = self.composed_spec.compose()
        evaluation, metric = self.evaluation(composition), self.metric()
        before, modes = take_flat_snapshot(composition), _modes(composition)
        with own_randomness(f"{self.name}: compute", "take it from evaluation.generator"):
            metric.compute(evaluation)
        assert all_equal(take_flat_snapshot(composition), before), (
            f"{self.name}: compute changes the model: work on copies"
        )
        assert _modes(composition) == modes, (
            f"{self.name}: compute leaves modules in another mode: use evaluation.sample and encode, or restore it"
        )
        drawn = self.evaluation(composition)
        assert torch.equal(evaluation.samples, drawn.samples), f"{self.name}: compute changes the samples in place"
        assert torch.equal(evaluation.real.x, drawn.real.x), f"{self.name}: compute changes the real items in place"

    def test_its_picture_is_one_of_matplotlib(self) -> None:
        """Or there is none."""
        with explain_errors(f"{self.name}: figure fails: return None where there is nothing to draw"):
            figure = self.metric().figure(self.evaluation(self.composed_spec.compose()))
        assert figure is None or isinstance(figure, Figure), (
            f"{self.name}: figure returns {type(figure).__name__}: return a matplotlib.figure.Figure, or None"
        )

    @override
    def within(self, values: dict[str, Any]) -> dict[str, Any]:
        return {**values, "evaluation": {**values["evaluation"], "metrics": [loading.plain(self.config)]}}

    def metric(self) -> Metric:
        """Build and prepare the metric."""
        (metric,) = build_metrics(self.composed_spec.spec.evaluation.metrics).values()
        assert isinstance(metric, Metric), f"{self.name}: build() must return an allmodes.Metric, not {metric!r}"
        metric.prepare(self.composed_spec.data)
        return metric

    def evaluation(self, composition: Composition) -> Evaluation:
        """Evaluate samples of an untrained model beside held-out items."""
        n = self.composed_spec.spec.evaluation.samples
        return measure.make_evaluation(composition, composition.modules, self.composed_spec.data, n, 0, 0, "cpu")

    def measure(self, evaluation: Evaluation | None = None) -> dict[str, float]:
        """Compute the metric's numbers, by default for an untrained model."""
        with explain_errors(f"{self.name}: compute fails"):
            numbers = self.metric().compute(evaluation or self.evaluation(self.composed_spec.compose()))
        assert isinstance(numbers, dict), f"{self.name}: compute must return numbers by key, not {numbers!r}"
        return numbers

    @override
    def place(self, settings: Any) -> dict[str, Any]:
        return {"evaluation": {"metrics": [settings]}}

    @override
    def find(self, spec: Spec) -> KindConfig:
        return spec.evaluation.metrics[0]


def _modes(composition: Composition) -> list[bool]:
    return [inner.training for module in composition.modules.values() for inner in module.modules()]
