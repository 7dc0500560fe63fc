"""Training runs in lockstep: each is logged, evaluated and saved by itself, ends by itself, and the others go on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from allmodes.engine.choice import Choice
from allmodes.engine.coupling import CouplingError
from allmodes.engine.differences import Differences, EngineError
from allmodes.engine.eager import EagerEngine
from allmodes.engine.engines import SLOWER, make_engine
from allmodes.engine.loop import EagerLanes, Engine, Loop
from allmodes.engine.peers import PeerError
from allmodes.experiments.clock import sharing
from allmodes.experiments.errors import CollapseError, DivergenceError, is_fault, print_traceback
from allmodes.experiments.logs import LOGGER, log_engine
from allmodes.experiments.seed_run import SeedRun
from allmodes.runs.run import Outcome, Status
from allmodes.system.signals import Stop

OWN = (DivergenceError, CollapseError, CouplingError, PeerError)
"""Errors of no component that end their run alone."""


class Lockstep:
    """Runs of equal shapes in training, until all have ended or `stop` is asked for.

    Attributes:
        runs: Those that have not ended.
        outcomes: Of those that have.
        is_forgiving: Whether an error that is no component's ends its run alone, too, and an end of the program.
    """

    def __init__(self, runs: Sequence[SeedRun], choice: Choice, stop: Stop, is_forgiving: bool = False) -> None:
        self.runs, self.stop, self.warn, self.is_forgiving = list(runs), stop, runs[0].warn, is_forgiving
        self.outcomes: dict[SeedRun, Outcome] = {}
        self.choice, self.engine, self._is_apart = choice, choice.engine, False
        self._names = ", ".join(run.run.name for run in runs)
        self._exit: SystemExit | None = None
        self.loop: Loop
        self._training: list[SeedRun] = []
        self._waiting = sorted(self.runs, key=lambda run: run.lane.iteration)

    def train(self) -> None:
        """Train all to their ends; however that happens, models are saved and ends reported."""
        try:
            for run in tuple(self.runs):
                self._attempt(run, run.begin)
            if self.runs:
                log_engine([run.run for run in self.runs], self.choice)
            self.advance()
            if self._is_apart:
                self._train_apart()
            for run in tuple(self.runs):
                self._complete(run, "killed")
        except KeyboardInterrupt as problem:
            self._end_all("killed", problem)
        except SystemExit as problem:
            self._end_all("killed", problem)
            raise
        except BaseException as problem:
            self._end_all("failed", problem)
            raise
        if self._exit is not None:
            raise self._exit

    def advance(self, until: int | None = None) -> None:
        """Train to an iteration (by default: each run to its end), or to the user's stop."""
        self._complete_those_over(self.runs)
        while (self._training or self._waiting) and not (self.stop.asked or self._is_apart or self._exit):
            if not self._training or self._is_joined:
                self._join()
            if until is not None and self.loop.iteration >= until:
                return
            self._iterate()

    def _train_apart(self) -> None:
        """Train those of equal settings together, group after group."""
        if self._training:
            self.loop.close()
        self._training = self._waiting = []
        for group in _group(self.runs, is_equal=True):
            lockstep = Lockstep(group, self.choice, self.stop, self.is_forgiving)
            lockstep.outcomes = self.outcomes
            try:
                lockstep.advance()
            finally:
                self.runs = [run for run in self.runs if run not in self.outcomes]
            if (exit := lockstep._exit) is not None:
                self._exit = exit
                return

    @property
    def _is_joined(self) -> bool:
        """Whether a run that was ahead, as its last checkpoint was a newer one, is now at the same iteration."""
        return bool(self._waiting) and self._waiting[0].lane.iteration == self.loop.iteration

    def _join(self) -> None:
        """Train those together that are at the lowest iteration."""
        if self._training:
            self.loop.close()
        at = self._waiting[0].lane.iteration
        self._training += [run for run in self._waiting if run.lane.iteration == at]
        self._waiting = [run for run in self._waiting if run.lane.iteration != at]
        lanes = [run.lane for run in self._training]
        self.loop = Loop(lanes, self._make_engine([lane.engine for lane in lanes]), self._slow_down)

    def _iterate(self) -> None:
        leader = self._training[0].leader
        if leader is not None and not self._attempt(self._training[0], leader.iterate):
            return
        with sharing([run.clock for run in self._training]):
            updated = self.loop.iterate()
        for run in tuple(self._training):
            self._attempt(run, partial(run.take, updated[run.lane]))
        self._complete_those_over(self.runs)

    def _complete_those_over(self, runs: Sequence[SeedRun]) -> None:
        for run in tuple(runs):
            if run.is_over:
                self._complete(run, "finished")

    def _attempt(self, run: SeedRun, action: Callable[[], None]) -> bool:
        """Do something for a run, which goes back or ends with the error that this raises; whether there was none.

        Raises what is no fault of the run's own.
        """
        try:
            action()
        except Exception as error:
            if sign := run.sign_in(error):
                self._attempt(run, partial(self._rewind, run, sign))
                return False
            if isinstance(exit := error.__cause__, SystemExit) and not self.is_forgiving:
                self._exit = exit
                self._end(run, "killed", error)
                return False
            self._end(run, "failed", error)
            is_own = isinstance(error, OWN) or is_fault(error)
            if not is_own and not self.is_forgiving:
                raise
            if not is_own:
                print_traceback(error)
            return False
        return True

    def _rewind(self, run: SeedRun, sign: str) -> None:
        """Send a run back; those that were trained with it wait until it has come to them again."""
        if self._training:
            self.loop.close()
        self._waiting, self._training = [*self._waiting, *self._training], []
        run.rewind(sign)
        self._waiting.sort(key=lambda one: one.lane.iteration)

    def _complete(self, run: SeedRun, status: Status) -> None:
        if self._attempt(run, run.complete) or (status == "killed" and run in self.runs):
            self._end(run, status)

    def _end(self, run: SeedRun, status: Status, error: BaseException | None = None) -> None:
        if run in self._training:
            self._training.remove(run)
            if run.lane in self.loop.lanes:
                self.loop.leave(run.lane)
        if run in self._waiting:
            self._waiting.remove(run)
        self.runs.remove(run)
        if run.leader and error is not None:
            run.leader.fail(error)
        self.outcomes[run] = run.end(status, error, self.engine)

    def _end_all(self, status: Status, error: BaseException) -> None:
        for run in tuple(self.runs):
            self._end(run, status, error)

    def _make_engine(self, lanes: Sequence[EagerEngine]) -> Engine:
        while True:
            try:
                return make_engine(self.engine, lanes)
            except EngineError as error:
                self._say(str(error))

    def _slow_down(self, engine: Engine, reason: str) -> Engine:
        """The next slower engine, with a warning that says why.

        Runs of several settings go on apart after this iteration: what cannot be a tensor may be a number.
        """
        engine.close()
        lanes = [run.lane.engine for run in self._training if run.lane in self.loop.lanes]
        if engine.differing:
            self._is_apart, settings = True, ", ".join(engine.differing)
            self.warn(
                f"{self._names}: the {self.engine} engine cannot train these together: {reason}: "
                f"those that have the same {settings} go on together"
            )
            return EagerLanes(lanes)
        self._say(reason)
        return self._make_engine(lanes)

    def _say(self, reason: str) -> None:
        """Warn that the next slower engine goes on; a stop may be the reason, and then it ends the iteration alone."""
        slower = SLOWER[self.engine]
        if not self.stop.asked:
            self.warn(f"{self._names}: the {self.engine} engine cannot train this: {reason}: it goes on {slower}")
        self.engine = slower


def train_together(
    runs: Sequence[SeedRun], choice: Choice, stop: Stop, is_forgiving: bool = False
) -> dict[SeedRun, Outcome]:
    """Train runs together, those of other shapes after them; returns how they ended."""
    outcomes: dict[SeedRun, Outcome] = {}
    for group in _group(runs) if choice.engine != "eager" else [[run] for run in runs]:
        lockstep = Lockstep(group, choice, stop, is_forgiving)
        lockstep.train()
        outcomes |= lockstep.outcomes
    return outcomes


def _group(runs: Sequence[SeedRun], is_equal: bool = False) -> list[list[SeedRun]]:
    """Runs of equal shapes, or of equal settings, by the first of each group; the log says why others are apart."""
    groups: list[list[SeedRun]] = []
    for run in runs:
        reasons = [_reason_against(group[0], run, is_equal) for group in groups]
        if None in reasons:
            groups[reasons.index(None)].append(run)
        else:
            if reasons:
                LOGGER.info(f"{run.run.name} cannot be trained together with {groups[0][0].run.name}: {reasons[0]}")
            groups.append([run])
    return groups


def _reason_against(one: SeedRun, other: SeedRun, is_equal: bool) -> str | None:
    try:
        differences = Differences([one.lane.composition, other.lane.composition])
    except EngineError as error:
        return str(error)
    return f"they differ in {', '.join(differences.places)}" if is_equal and differences.attributes else None
