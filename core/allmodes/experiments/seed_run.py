"""The run of one seed: builds and trains it, decides when to log, evaluate and save, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from allmodes.data.base import Data
from allmodes.data.labelled import LabelledItems
from allmodes.engine.costs import costs
from allmodes.engine.eager import EagerEngine
from allmodes.engine.loop import Average, Loop
from allmodes.experiments.batches import make_loader
from allmodes.experiments.clock import Clock
from allmodes.experiments.errors import (
    CollapseError,
    DivergenceError,
    check_losses,
    describe_error,
    is_fault,
    report_fault,
)
from allmodes.experiments.evaluate import Evaluator
from allmodes.experiments.report import Report
from allmodes.experiments.saving import Saver
from allmodes.game.compose import compose
from allmodes.game.contracts import Functions
from allmodes.game.noise import rng
from allmodes.game.parts import Refits
from allmodes.game.untouched import LostError
from allmodes.metrics import Metric
from allmodes.models.checkpoints import State
from allmodes.registry.registry import Registry
from allmodes.runs.run import Outcome, Run, Status
from allmodes.system.signals import Stop


@dataclass
class SeedRun:
    """One seed in training, until its last iteration or until `stop` is asked for.

    Attributes:
        failed: Why the last evaluation failed, if it did; a run whose last one fails has no samples, and fails.
    """

    run: Run
    data: Data
    metrics: Mapping[str, Metric]
    registry: Registry
    warn: Callable[[str], None]
    stop: Stop
    functions: Functions = field(default_factory=dict)
    labelled: Mapping[str, LabelledItems] | None = None
    failed: Exception | None = None

    def __post_init__(self) -> None:
        self.clock, self.report = Clock(), Report(self.run, self.registry, self.warn)
        self._build()

    def _build(self) -> None:
        """Build loop, evaluator and saver in their state before the first iteration."""
        self.loop = build_loop(self.run, self.data, self.functions, self.labelled)
        self.evaluator = Evaluator(self.run, self.data, self.metrics, self.loop, self.report, self.warn)
        self.saver = Saver(self.run, self.data, self.loop, self.report.journal, self.warn)

    @property
    def samples(self) -> Tensor | None:
        """Samples of the last evaluation, if there was one."""
        return self.evaluator.samples

    def train(self, floors: Callable[[], Mapping[str, float]]) -> Outcome:
        """Train to the end, to the user's stop, or to an error; the model is saved and the end reported in any case."""
        self.begin()
        status: Status = "failed"
        error: str | None = None
        try:
            self.evaluator.try_sampler()
            status = self.advance(self.run.spec.training.iterations)
            self.checkpoint()
            if self.failed is not None and status == "finished":
                raise self.failed
        except BaseException as problem:
            error = describe_error(problem)
            status = "killed" if isinstance(problem, KeyboardInterrupt) else "failed"
            if is_fault(problem):
                report_fault(problem, self.run, self.warn)
            elif not isinstance(problem, DivergenceError | CollapseError | KeyboardInterrupt):
                raise
        finally:
            self.loop.loader.close()
            outcome = self._finish(status, error, floors if status == "finished" else dict)
        return outcome

    def begin(self) -> None:
        """Start the clock and report the start."""
        self.clock.start()
        self.report.start(self.loop.iteration)

    def advance(self, until: int) -> Status:
        """Train to an iteration, logging, evaluating and saving on their cadences, or to the user's stop."""
        spec, loop = self.run.spec, self.loop
        if self._is_evaluation_due and self.evaluator.evaluated != loop.iteration:
            self.evaluate()  # which failed in the attempt before
        while loop.iteration < until and not self.stop.asked:
            losses = loop.iterate()
            if loop.iteration % spec.training.log_every == 0 or loop.iteration == 1:
                values = self.report.losses(loop.iteration, losses, self.clock.seconds)
                check_losses(values, loop.composition.modules, loop.iteration)
            if self._is_evaluation_due:
                self.evaluate()
            if self.saver.is_due:
                self.checkpoint()
        return "killed" if self.stop.asked else "finished"

    @property
    def _is_evaluation_due(self) -> bool:
        iteration, spec = self.loop.iteration, self.run.spec
        return iteration > 0 and (iteration % spec.evaluation.every == 0 or iteration == spec.training.iterations)

    def evaluate(self) -> None:
        """Evaluate the model; warn of a collapse or stop there, and save the best.

        A component that fails, such as a sampler, costs a warning and the evaluation, not the run.
        """
        self.failed = None
        try:
            with self.clock.pause():
                found = self.evaluator.evaluate()
        except Exception as error:
            if not is_fault(error) or isinstance(error, LostError):
                raise
            self.failed = error
            self.warn(f"{self.run.name}: no evaluation at iteration {self.loop.iteration}: {describe_error(error)}")
            return
        if found.collapse:
            self._react(found.collapse, found.is_new)
        if found.is_best:
            self.checkpoint(is_best=True)

    def checkpoint(self, is_best: bool = False) -> None:
        """Save everything that a resumed run needs."""
        with self.clock.pause():
            self.saver.save({"seconds": self.clock.seconds, **self.evaluator.state_dict()}, is_best)

    def restore(self) -> None:
        """Go on from the newest checkpoint that can be read, or from the start where there is none."""
        if not self.saver.restore(self._load_progress):
            self.warn(f"{self.run.name} has no checkpoint that can be read: it starts from the beginning")
            self.loop.loader.close()
            self._build()  # one that did not fit may have been restored in part

    def _load_progress(self, state: State) -> None:
        self.evaluator.load_state_dict(state)
        self.clock.before = state["seconds"]

    def _react(self, collapse: str, is_new: bool) -> None:
        """React to a collapse as the spec asks; warn once for each."""
        action = self.run.spec.evaluation.collapse
        if action == "stop":
            self.checkpoint()
            raise CollapseError(f"{collapse}; evaluation.collapse is stop")
        if action == "warn" and is_new:
            self.warn(f"{self.run.name}: collapse: {collapse}")

    def _finish(self, status: Status, error: str | None, floors: Callable[[], Mapping[str, float]]) -> Outcome:
        seconds, loop = self.clock.seconds, self.loop
        try:
            self.saver.save_model()
        except OSError as problem:
            status, error = "failed", error or f"the model could not be saved: {problem.strerror or problem}"
        spent = costs(loop.composition, self.run.spec.training.batch_size, loop.iteration)
        outcome = Outcome(status, loop.iteration, seconds, self.evaluator.results(), floors(), error, spent)
        self.report.end(outcome)
        return outcome


def build_loop(run: Run, data: Data, functions: Functions, labelled: Mapping[str, LabelledItems] | None = None) -> Loop:
    """Build the training loop of a run, before its first iteration."""
    spec, seed, device = run.spec, run.seed, run.device
    composition = compose(spec, data.to("cpu"), seed, functions)
    for module in composition.modules.values():
        module.to(device).train()
    return Loop(
        composition,
        EagerEngine(composition),
        make_loader(spec, data, seed, labelled),
        rng(seed, "noise", device),
        Average(spec.training.ema, composition) if spec.training.ema else None,
        Refits(composition.modules, data, seed, functions),
    )
