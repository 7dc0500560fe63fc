"""The contract of a metric."""

from __future__ import annotations

import copy
import math
from typing import Any, ClassVar, get_args

import torch
from matplotlib.figure import Figure
from typing_extensions import override

from allmodes.game.composition import Composition
from allmodes.metrics import Evaluation, Metric, built, floors, measure
from allmodes.metrics.base import Better
from allmodes.specs import loading
from allmodes.testing.advice import saying
from allmodes.testing.composing import ComposedContract
from allmodes.testing.modules_under_vmap import same
from allmodes.testing.randomness import own_randomness
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
        evaluation = self.evaluation(self.made.composed())
        for name, value in self.measured(evaluation.of(evaluation.real.x)).items():
            assert isinstance(value, float | int), (
                f"{self.who}: {name} is a {type(value).__name__}: return float(...) for each key"
            )
            assert math.isfinite(value), f"{self.who}: {name} is {value}, which is not finite"

    def test_the_same_evaluation_gives_the_same_numbers(self) -> None:
        """A stored run can be measured again."""
        one, other = self.measured(), self.measured()
        assert repr(one) == repr(other), (  # NaN is not equal to itself
            f"{self.who}: the same evaluation gives {one}, then {other}: take randomness from evaluation.generator"
        )

    def test_it_says_of_its_own_numbers_which_values_are_good(self) -> None:
        """`better` is read by tables, by early stops, and by the best checkpoint."""
        numbers, better = self.measured(), self.metric().better
        unknown = [name for name in better if name not in numbers]
        assert not unknown, (
            f"{self.who}: better names {', '.join(unknown)}, but compute gives {', '.join(numbers) or 'nothing'}"
        )
        wrong = [f"{name}: {value!r}" for name, value in better.items() if value not in get_args(Better)]
        assert not wrong, f"{self.who}: better says {', '.join(wrong)}: write 'higher', 'lower' or 'near'"

    def test_its_floor_is_of_its_own_numbers(self) -> None:
        """What real data score stands beside what the model scores, under the same name."""
        with saying(f"{self.who}: floor fails: return {{}} where a perfect sampler has no score"):
            floor = floors([self.metric()], self.made.data, 64, repeats=2)
        unknown = [name for name in floor if name not in self.measured()]
        assert not unknown, f"{self.who}: floor names {', '.join(unknown)}, which compute does not give"

    def test_measuring_changes_neither_the_model_nor_the_global_generators(self) -> None:
        """A run that is measured trains as one that is not."""
        composition = self.made.composed()
        evaluation, metric = self.evaluation(composition), self.metric()
        before, modes = copy.deepcopy(_state(composition)), _modes(composition)
        with own_randomness(f"{self.who}: compute", "take it from evaluation.generator"):
            metric.compute(evaluation)
        assert same(_state(composition), before), f"{self.who}: compute changes the model: work on copies"
        assert _modes(composition) == modes, (
            f"{self.who}: compute leaves modules in another mode: use evaluation.sample and encode, or restore it"
        )
        drawn = self.evaluation(composition)
        assert torch.equal(evaluation.samples, drawn.samples), f"{self.who}: compute changes the samples in place"
        assert torch.equal(evaluation.real.x, drawn.real.x), f"{self.who}: compute changes the real items in place"

    def test_its_picture_is_one_of_matplotlib(self) -> None:
        """Or there is none."""
        with saying(f"{self.who}: figure fails: return None where there is nothing to draw"):
            figure = self.metric().figure(self.evaluation(self.made.composed()))
        assert figure is None or isinstance(figure, Figure), (
            f"{self.who}: figure returns {type(figure).__name__}: return a matplotlib.figure.Figure, or None"
        )

    @override
    def within(self, values: dict[str, Any]) -> dict[str, Any]:
        return {**values, "evaluation": {**values["evaluation"], "metrics": [loading.plain(self.config)]}}

    def metric(self) -> Metric:
        """The metric, prepared."""
        (metric,) = built(self.made.spec.evaluation.metrics).values()
        assert isinstance(metric, Metric), f"{self.who}: build() must return an allmodes.Metric, not {metric!r}"
        metric.prepare(self.made.data)
        return metric

    def evaluation(self, composition: Composition) -> Evaluation:
        """An untrained model's draws beside held-out items."""
        n = self.made.spec.evaluation.samples
        return measure.evaluation(composition, composition.modules, self.made.data, n, 0, 0, "cpu")

    def measured(self, evaluation: Evaluation | None = None) -> dict[str, float]:
        """The metric's numbers, by default of an untrained model."""
        with saying(f"{self.who}: compute fails"):
            numbers = self.metric().compute(evaluation or self.evaluation(self.made.composed()))
        assert isinstance(numbers, dict), f"{self.who}: compute must return numbers by key, not {numbers!r}"
        return numbers

    @override
    def placed(self, settings: Any) -> dict[str, Any]:
        return {"evaluation": {"metrics": [settings]}}

    @override
    def found(self, spec: Spec) -> KindConfig:
        return spec.evaluation.metrics[0]


def _state(composition: Composition) -> dict[str, torch.Tensor]:
    modules = composition.modules.items()
    return {f"{name}.{key}": value for name, module in modules for key, value in module.state_dict().items()}


def _modes(composition: Composition) -> list[bool]:
    return [inner.training for module in composition.modules.values() for inner in module.modules()]
