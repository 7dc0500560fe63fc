"""The run of one seed: builds it, decides when to log, evaluate and save, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from allmodes.data.base import Data
from allmodes.data.labelled import LabelledItems
from allmodes.engine.eager import Outcome as Updated
from allmodes.experiments.clock import Clock, starting
from allmodes.experiments.early_stopping import why_stop
from allmodes.experiments.ending import EarlyEnd, Ending, begin_outcome
from allmodes.experiments.errors import (
    CollapseError,
    check_losses,
    describe_error,
    is_fault,
    report_fault,
)
from allmodes.experiments.evaluate import Evaluator
from allmodes.experiments.lanes import build_lane
from allmodes.experiments.leading import Leader, describe_number
from allmodes.experiments.report import Report
from allmodes.experiments.rewinding import Rewinding
from allmodes.experiments.saving import Saver
from allmodes.experiments.warm_start import warm_start
from allmodes.game.contracts import Functions
from allmodes.game.untouched import LostError
from allmodes.metrics import Metric
from allmodes.models.checkpoints import State
from allmodes.registry.registry import Registry
from allmodes.runs.run import Outcome, Rewind, Run, RunError, Status, Stopper


@dataclass(eq=False)
class SeedRun:
    """One seed in training: what is done around its updates.

    Attributes:
        floors: Gives the scores of real data, which the end of a run is reported with.
        references: Gives those of reference samplers, by their rows.
        warn_once: Warns of what was not said of another seed; by default `warn` does.
        is_resumed: Whether an attempt before has begun it.
        here: Where a relative `training.from` is looked for.
        leader: Has the other processes do the same, where several train the run.
        failed: Why the last evaluation failed, if it did; a run whose last one fails has no samples, and fails.
    """

    run: Run
    data: Data
    metrics: Mapping[str, Metric]
    registry: Registry
    warn: Callable[[str], None]
    floors: Callable[[], Mapping[str, float]] = dict
    references: Callable[[], Mapping[str, Mapping[str, float]]] = dict
    functions: Functions = field(default_factory=dict)
    labelled: Mapping[str, LabelledItems] | None = None
    here: Path = Path()
    leader: Leader | None = None
    failed: Exception | None = None
    is_resumed: bool = False
    warn_once: Callable[[str], None] | None = None

    def __post_init__(self) -> None:
        self.report = Report(self.run, self.registry, self.warn)
        self._build()

    def _build(self) -> None:
        """Build lane, evaluator and saver in their state before the first iteration."""
        self.clock = Clock()
        with starting(self.clock):
            peers = self.leader.peers if self.leader else None
            self.lane = build_lane(self.run, self.data, self.functions, self.labelled, peers)
        self.evaluator = Evaluator(self.run, self.data, self.metrics, self.lane, self.report, self.warn)
        self.rewinding, self._early = Rewinding(self.run), ""
        collect = None
        if self.leader:
            self.leader.begin(self.lane, self.rewinding)
            collect = self.leader.collect
        self.saver = Saver(self.run, self.data, self.lane, self.report.journal, self.warn, collect)

    @property
    def samples(self) -> Tensor | None:
        """Samples of the last evaluation, if there was one."""
        return self.evaluator.samples

    @property
    def is_at_end(self) -> bool:
        """Whether all iterations are done."""
        return self.lane.iteration >= self.run.spec.training.iterations

    @property
    def is_over(self) -> bool:
        """Whether all iterations are done, or the run is to stop before."""
        return self.is_at_end or bool(self.stopped)

    @property
    def stopped(self) -> str:
        """Why the run is to end before its last iteration; empty where it is not."""
        if self.is_at_end:
            return ""
        return next(iter(self.run.stops), "") or self._early

    @property
    def stopped_by(self) -> Stopper | None:
        """Who asked the run to end before its last iteration."""
        return ("observer" if self.run.stops else "early_stopping") if self.stopped else None

    def begin(self) -> None:
        """Report the start, try what a broken sampler would spoil later, and make up for an evaluation that failed."""
        self.report.start(self.lane.iteration)
        self.evaluator.try_sampler()
        if self.rewinding.left:
            self.checkpoint()  # where there is none that is good, the run goes back to its beginning
        if self._is_evaluation_due and self.evaluator.evaluated != self.lane.iteration:
            self.evaluate()  # which failed in the attempt before

    def take(self, updated: Updated) -> None:
        """Log, evaluate and save after an iteration on their cadences. Raises the error that the iteration ended in."""
        if isinstance(updated, Exception):
            raise updated
        for found in self.lane.engine.strays.take():
            (self.warn_once or self.warn)(f"{self.run.spec.name}: {found}")
        iteration = self.lane.iteration
        if iteration % self.run.spec.training.log_every == 0 or iteration == 1:
            values = self.report.losses(iteration, updated, self.clock)
            check_losses(values, self.lane.composition.modules, iteration)
        if self._is_evaluation_due:
            self.evaluate()
        if self.saver.is_due:
            self.checkpoint()

    def complete(self) -> None:
        """Save the last checkpoint, and measure a last time what is stopped.

        Raises the error of the last evaluation, if it failed and no iteration is left.
        """
        self.checkpoint()
        if self.stopped:
            self.evaluate(is_last=True)  # behind the checkpoint, so that who goes on does so as if nobody had stopped
        if self.failed is not None and self.is_over:
            raise self.failed

    def end(self, status: Status, problem: BaseException | None = None, engine: str = "") -> Outcome:
        """Save the model and report how the run ended, and which engine made its last updates."""
        if problem is not None and is_fault(problem):
            report_fault(problem, self.run, self.warn)
        self.lane.loader.close()
        early = EarlyEnd(self.stopped, self.stopped_by) if status == "finished" else EarlyEnd()
        reached = self.lane.iteration, self.clock, self.rewinding.done
        ended = begin_outcome(self.run, *reached, status, problem, engine, early)
        beside = self.floors, self.references, self.warn
        outcome = Ending(self.run, self.lane, self.evaluator, self.saver, *beside).finish(ended)
        self.report.end(outcome)
        return outcome

    @property
    def _is_evaluation_due(self) -> bool:
        iteration, spec = self.lane.iteration, self.run.spec
        return iteration > 0 and (iteration % spec.evaluation.every == 0 or iteration == spec.training.iterations)

    def evaluate(self, is_last: bool = False) -> None:
        """Evaluate the model, the last time by all metrics; warn of a collapse or stop there, and save the best.

        A component that fails, such as a sampler, costs a warning and the evaluation, not the run.
        """
        self.failed = None
        try:
            found = self.evaluator.evaluate(is_last or self.is_at_end)
        except Exception as error:
            if not is_fault(error) or isinstance(error, LostError):
                raise
            self.failed = error
            self.warn(f"{self.run.name}: no evaluation at iteration {self.lane.iteration}: {describe_error(error)}")
            return
        if not is_last:
            self.rewinding.check(found.collapse, self.evaluator.history)
        self._early = why_stop(self.run.spec, self.evaluator.history)
        if found.collapse:
            self._react(found.collapse, found.is_new)
        if found.is_best:
            self.checkpoint(is_best=True)

    def checkpoint(self, is_best: bool = False) -> None:
        """Save everything that a resumed run needs."""
        good = self.evaluator.evaluated or 0 if self.rewinding.left else None
        self.saver.save(self._progress(), is_best, good)

    def _progress(self) -> State:
        return {**self.clock.state_dict(), **self.evaluator.state_dict(), **self.rewinding.state_dict()}

    def sign_in(self, error: Exception) -> str:
        """The sign to go back that an error is; empty where it ends the run."""
        return self.rewinding.sign_in(error)

    def rewind(self, sign: str) -> None:
        """Go back to the newest good checkpoint, with lower learning rates. The time that was spent stays spent."""
        at, spent, done = self.lane.iteration, self.clock, self.rewinding.done
        good = self.rewinding.good(self.evaluator.history, at)
        self.lane.loader.close()
        self._build()
        self._go_back(good)
        self.clock = spent
        last = Rewind(at=at, to=self.lane.iteration, sign=sign, factor=self.rewinding.factor(len(done) + 1))
        self.rewinding.done = [*done, last]
        self.rewinding.scale(self.lane)
        self.saver.rewrite(self._progress())
        self.report.rewind(self.rewinding.done)

    def _go_back(self, good: int) -> None:
        """Restore the newest checkpoint up to an iteration or, where none can be read, the beginning."""
        if not self.saver.restore(self._load_state, good):
            self.lane.loader.close()
            self._build()
            self.warm_start()

    def warm_start(self) -> None:
        """Take the weights that the run is to begin with, if any. Raises ModelError where there are none that fit."""
        if self.run.spec.training.source is not None:
            warm_start(self.run, self.lane, self.here, self.warn)

    def restore(self) -> None:
        """Go on from the newest checkpoint that can be read, or from the start where there is none."""
        self.is_resumed = True
        if not self.saver.restore(self._load_progress):
            self.warn(f"{self.run.name} has no checkpoint that can be read: it starts from the beginning")
            self.lane.loader.close()
            self._build()  # one that did not fit may have been restored in part
            self.warm_start()

    def _load_progress(self, state: State) -> None:
        self._load_state(state)
        self.rewinding.load_state_dict(state)
        self.rewinding.scale(self.lane)

    def _load_state(self, state: State) -> None:
        if self.leader:
            self.leader.take(state)
        elif "ranks" in state:
            raise RunError(describe_number(len(state["ranks"]), 1))
        self.evaluator.load_state_dict(state)
        self._early = why_stop(self.run.spec, self.evaluator.history)
        self.clock.load_state_dict(state)

    def _react(self, collapse: str, is_new: bool) -> None:
        """React to a collapse as the spec asks; warn once for each."""
        action = self.run.spec.evaluation.collapse
        if action == "stop":
            self.checkpoint()
            raise CollapseError(f"{collapse}; evaluation.collapse is stop")
        if action == "warn" and is_new:
            self.warn(f"{self.run.name}: collapse: {collapse}")
