"""Evaluating a model while it trains: numbers and figures, the best so far, and collapse."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from allmodes.data.base import Data
from allmodes.engine.loop import Lane
from allmodes.experiments.collapse import CollapseDetector
from allmodes.experiments.errors import check_weights
from allmodes.experiments.report import Report
from allmodes.figures.draw import draw_samples
from allmodes.figures.titles import summarise
from allmodes.game.noise import rng
from allmodes.game.parts import fit_sampler
from allmodes.game.sampling import draw
from allmodes.metrics import Evaluation, Metric, measure
from allmodes.metrics.base import owners_of
from allmodes.runs.run import Run
from allmodes.runs.run_folder import RunFolder
from allmodes_schemas import Key

RECENT = 0.3
"""Share of a run, at its end, over which `recent_*` are averaged."""

History = Sequence[tuple[int, Mapping[str, float]]]
"""The numbers of each evaluation, with its iteration."""


@dataclass(frozen=True)
class Evaluated:
    """The results of an evaluation.

    Attributes:
        is_best: Whether it is the best so far by the metric that the spec names.
        collapse: Which modes are left, if the model has lost half of those that it held; else empty.
        is_new: Whether the evaluation before found no collapse.
    """

    is_best: bool
    collapse: str
    is_new: bool


@dataclass
class Evaluator:
    """Evaluates the model of a lane and remembers what it found.

    Attributes:
        history: The numbers of each evaluation so far.
        samples: Those of the last evaluation, if any, as the generator makes them.
    """

    run: Run
    data: Data
    metrics: Mapping[str, Metric]
    lane: Lane
    report: Report
    warn: Callable[[str], None]
    history: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    collapsed: bool = False
    samples: Tensor | None = None

    def evaluate(self) -> Evaluated:
        """Measure the model on fresh draws and report numbers and figures."""
        run, lane, n = self.run, self.lane, self.run.spec.evaluation.samples
        modules, iteration = lane.sampled(), lane.iteration
        if "sampler" in modules:  # it may draw for ever from a model that has diverged
            check_weights(modules, iteration)
        evaluation = measure.make_evaluation(lane.composition, modules, self.data, n, run.seed, iteration, run.device)
        self.samples = evaluation.samples
        due = self._due(iteration)
        others = owners_of(metric for title, metric in self.metrics.items() if title not in due)
        measured = measure.measure(due, evaluation, self.warn)
        results = {key: value for key, value in measured.items() if key not in others}
        self.history.append((iteration, results))
        self.report.numbers(iteration, {f"eval/{key}": value for key, value in results.items()})
        if self._is_drawn(iteration):
            self._draw(evaluation, results, due)
        before = self.collapsed
        found = self.find_collapse()
        return Evaluated(self.is_best(), found, not before)

    @property
    def evaluated(self) -> int | None:
        """The iteration of the last evaluation."""
        return self.history[-1][0] if self.history else None

    def try_sampler(self) -> None:
        """Fit the sampler, if there is one, and draw two items, so that a broken one fails before the training."""
        modules, run, iteration = self.lane.sampled(), self.run, self.lane.iteration
        if "sampler" in modules:
            fit_sampler(modules, self.data, run.seed, iteration)
            draw(modules, 2, rng(run.seed, f"trial/{iteration}", run.device))

    def results(self) -> dict[str, float]:
        """The numbers of the last evaluation, and their averages over the end of the run."""
        last = self.history[-1][1] if self.history else {}
        recent = recent_means(self.history, self.lane.iteration, self._declared_due)
        return last | {f"recent_{key}": value for key, value in recent.items()}

    def find_collapse(self) -> str:
        """Describe which modes are left if the last evaluation lost half of those that were held; else empty."""
        detector = CollapseDetector(self.run.spec.evaluation.numbers(), self.metrics.values(), self.data, self.warn)
        found = detector.find([results for _, results in self.history])
        if detector.key in self.history[-1][1] or not detector.key:  # one that was not measured tells nothing new
            self.collapsed = bool(found)
        return f"{found} at iteration {self.lane.iteration}" if found else ""

    def is_best(self) -> bool:
        """Whether the last evaluation is the best so far by the metric that the spec names."""
        key = self.run.spec.training.checkpoints.best or ""
        sign = -1 if self.run.spec.evaluation.numbers().get(key, Key()).better == "lower" else 1
        *before, last = [sign * results.get(key, math.nan) for _, results in self.history]
        return not math.isnan(last) and not any(value >= last for value in before)

    def state_dict(self) -> dict[str, Any]:
        """The evaluations so far, as plain values."""
        return {"evaluations": self.history, "collapsed": self.collapsed}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from the evaluations of an earlier attempt."""
        self.collapsed = state["collapsed"]
        self.history = [(iteration, dict(results)) for iteration, results in state["evaluations"]]

    def _due(self, iteration: int) -> dict[str, Metric]:
        """The metrics to measure at an iteration: at the last one all of them, those without a config always."""
        spec = self.run.spec
        if iteration >= spec.training.iterations:
            return dict(self.metrics)
        rests = {one.title() for one in spec.evaluation.metrics if not spec.evaluation.is_due(one, iteration)}
        return {title: metric for title, metric in self.metrics.items() if title not in rests}

    def _is_drawn(self, iteration: int) -> bool:
        """Whether pictures are drawn at an iteration: at the last one in any case."""
        spec = self.run.spec
        is_last = iteration >= spec.training.iterations
        return spec.evaluation.figure and (is_last or spec.evaluation.is_drawn(iteration))

    def _declared_due(self, key: str, iteration: int) -> bool:
        """Whether a number was to be measured at an evaluation; one that no metric declares, at each."""
        evaluation = self.run.spec.evaluation
        metric = next((one for one in evaluation.metrics if key in one.numbers()), None)
        return metric is None or evaluation.is_due(metric, iteration)

    def _draw(self, evaluation: Evaluation, results: Mapping[str, float], due: Mapping[str, Metric]) -> None:
        run, iteration, folder = self.run, self.lane.iteration, RunFolder(self.run.folder).figures
        title = f"{run.name}  iteration {iteration:,}\n{summarise(results, run.spec.evaluation.numbers())}"
        try:
            path = folder / f"samples-{iteration:08d}.png"
            draw_samples(evaluation.samples, self.data, path, title)
            self.report.figure(iteration, path, "samples")
        except OSError as error:
            self.warn(f"{run.name}: no picture at iteration {iteration}: {error.strerror or error}")
        for name, path in measure.save_figures(due, evaluation, folder, iteration, self.warn):
            self.report.figure(iteration, path, name)


def recent_means(
    history: History, iteration: int, is_due: Callable[[str, int], bool] = lambda key, iteration: True
) -> dict[str, float]:
    """Mean of each number over the last part of a run that has come to an iteration; NaN where one was withheld.

    It is over the evaluations that measured the number. One that is missing where it was due has no mean.
    """
    last = [(at, results) for at, results in history if at >= (1 - RECENT) * iteration]
    keys = dict.fromkeys(key for _, results in reversed(last) for key in results)
    whole = (key for key in keys if all(key in results or not is_due(key, at) for at, results in last))
    values = ((key, [results[key] for _, results in last if key in results]) for key in whole)
    return {key: sum(each) / len(each) for key, each in values}
