"""How a run of one seed ends: which model it keeps, and the outcome that its last page, its log and observers get."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from allmodes.engine.costs import costs
from allmodes.engine.loop import Lane
from allmodes.experiments.clock import Clock
from allmodes.experiments.errors import describe_error, is_fault
from allmodes.experiments.evaluate import Evaluator
from allmodes.experiments.run_page import note
from allmodes.experiments.saving import Saver
from allmodes.models.page import ModelError
from allmodes.runs.run import Outcome, Rewind, Run, Status, Stopper
from allmodes.system.log import LOGGER
from allmodes.system.signals import Stopped

Scores = Mapping[str, float]


class EarlyEnd(NamedTuple):
    """Why a finished run ended before its last iteration, and who asked; empty where it did not."""

    why: str = ""
    by: Stopper | None = None


def begin_outcome(
    run: Run,
    iteration: int,
    clock: Clock,
    rewinds: Sequence[Rewind],
    status: Status,
    problem: BaseException | None,
    engine: str,
    early: EarlyEnd,
) -> Outcome:
    """The outcome of a run as far as it is known before its model is saved."""
    return Outcome(
        *(status, iteration, clock.seconds),
        error=None if problem is None else describe_error(problem),
        engine=engine,
        cpu_seconds=clock.cpu_seconds,
        start_cpu_seconds=clock.start_cpu_seconds,
        stopped=early.why or None,
        stopped_by=early.by if early.why else None,
        rewinds=tuple(rewinds),
        processes=run.processes,
    )


@dataclass(frozen=True)
class Ending:
    """What the end of a run is made of.

    Attributes:
        floors: Gives the scores of real data, which the end of a run is reported with.
        references: Gives those of reference samplers, by their rows.
    """

    run: Run
    lane: Lane
    evaluator: Evaluator
    saver: Saver
    floors: Callable[[], Scores]
    references: Callable[[], Mapping[str, Scores]]
    warn: Callable[[str], None]

    def finish(self, ended: Outcome) -> Outcome:
        """Save the model and complete an outcome, of which status, iteration, times and error are known."""
        spec, lane = self.run.spec, self.lane
        ended = replace(ended, costs=costs(lane.composition, spec.training.batch_size, lane.iteration))
        results = self.evaluator.results()
        if ended.status == "finished" and spec.training.keeps_best:
            kept, best = self._take_best()
            ended, results = replace(ended, kept=kept), {**results, **best}
        ended = self._save(replace(ended, results=results))
        if ended.status == "finished":
            ended = self._measure_beside(ended)
        note(self.run, self.warn, stopped=ended.stopped, kept=ended.kept)
        return ended

    def _measure_beside(self, ended: Outcome) -> Outcome:
        """Add the scores of real data and of references; whoever does not wait for them goes on with that later."""
        try:
            return replace(ended, floors=self.floors(), references=self.references())
        except Stopped:
            LOGGER.info(f"{self.run.name} is trained; real data are measured when it goes on")
            return replace(ended, status="killed")

    def _save(self, ended: Outcome) -> Outcome:
        try:
            self.saver.save_model()
        except OSError as problem:
            error = f"the model could not be saved: {problem.strerror or problem}"
            return replace(ended, status="failed", error=ended.error or error)
        return ended

    def _take_best(self) -> tuple[int | None, Scores]:
        """Go back to the weights of the best evaluation; its iteration, unless it is the last, and all its numbers."""
        last = self.lane.iteration
        try:
            self.saver.restore_best()
        except ModelError as error:
            self.warn(f"{self.run.name}: the last model is kept, and not the best: {error}")
            return None, {}
        if self.lane.iteration == last:
            return None, {}
        return self.lane.iteration, self._measure_best()

    def _measure_best(self) -> Scores:
        try:
            return self.evaluator.measure_all()
        except Exception as error:
            if not is_fault(error):
                raise
            self.warn(f"{self.run.name}: the best model was not measured again: {describe_error(error)}")
            return dict(self.evaluator.history).get(self.lane.iteration, {})
