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
from allmodes.experiments.early_stopping import sign_of
from allmodes.experiments.errors import check_weights
from allmodes.experiments.report import Report
from allmodes.figures.draw import draw_samples
from allmodes.figures.titles import summarise
from allmodes.game.noise import rng
from allmodes.game.parts import fit_sampler
from allmodes.game.sampling import draw
from allmodes.metrics import Evaluation, Metric, measure
from allmodes.metrics.base import owners_of
from allmodes.runs import journal
from allmodes.runs.run import Run
from allmodes.runs.run_folder import RunFolder
from allmodes_schemas import MetricConfig

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

    def evaluate(self, is_last: bool = False) -> Evaluated:
        """Measure the model on fresh draws and report numbers and figures.

        The last time that is by all metrics; what was measured at this iteration already is not measured again.
        """
        iteration = self.lane.iteration
        due, is_drawn = self._due(iteration, is_last), self._is_drawn(iteration, is_last)
        if self.evaluated == iteration and not due and not is_drawn:
            return Evaluated(False, "", False)
        evaluation = self._draw_samples(iteration)
        others = owners_of(metric for title, metric in self.metrics.items() if title not in due)
        measured = measure.measure(due, evaluation, self.warn)
        results = {key: value for key, value in measured.items() if key not in others}
        self._remember(iteration, results)
        self.report.numbers(iteration, {f"eval/{key}": value for key, value in results.items()})
        if is_drawn:
            self._draw(evaluation, results, due)
        before = self.collapsed
        found = self.find_collapse()
        return Evaluated(self.is_best(), found, not before)

    def measure_all(self) -> dict[str, float]:
        """Measure the model, of an earlier iteration, by all metrics, without a report."""
        return measure.measure(self.metrics, self._draw_samples(self.lane.iteration), self.warn)

    def _draw_samples(self, iteration: int) -> Evaluation:
        run, lane, modules = self.run, self.lane, self.lane.sampled()
        if "sampler" in modules:  # it may draw for ever from a model that has diverged
            check_weights(modules, iteration)
        n = run.spec.evaluation.samples
        evaluation = measure.make_evaluation(lane.composition, modules, self.data, n, run.seed, iteration, run.device)
        self.samples = evaluation.samples
        return evaluation

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
        key = self.run.spec.training.best or ""
        sign = sign_of(self.run.spec, key)
        *before, last = [sign * results.get(key, math.nan) for _, results in self.history]
        return not math.isnan(last) and not any(value >= last for value in before)

    def state_dict(self) -> dict[str, Any]:
        """The evaluations so far, as plain values."""
        return {"evaluations": self.history, "collapsed": self.collapsed}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from the evaluations of an earlier attempt."""
        self.collapsed = state["collapsed"]
        self.history = [(iteration, journal.numbers(results)) for iteration, results in state["evaluations"]]

    def _remember(self, iteration: int, results: dict[str, float]) -> None:
        """Add numbers to the history; an iteration has one entry."""
        if self.evaluated == iteration:
            results = self.history.pop()[1] | results
        self.history.append((iteration, results))

    def _due(self, iteration: int, is_last: bool) -> dict[str, Metric]:
        """The metrics to measure: the last time all that are not measured yet; those without a config always."""
        rests = {one.title() for one in self.run.spec.evaluation.metrics if not self._is_due(one, iteration)}
        due = {title: metric for title, metric in self.metrics.items() if title not in rests}
        if not is_last:
            return due
        done = due if self.evaluated == iteration else {}
        return {title: metric for title, metric in self.metrics.items() if title not in done}

    def _is_due(self, metric: MetricConfig, iteration: int) -> bool:
        return self.run.spec.evaluation.is_due(metric, iteration)

    def _is_drawn(self, iteration: int, is_last: bool) -> bool:
        """Whether pictures are drawn: the last time in any case, unless they are drawn."""
        evaluation = self.run.spec.evaluation
        is_due = evaluation.is_drawn(iteration)
        return evaluation.figure and (not (is_due and self.evaluated == iteration) if is_last else is_due)

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
