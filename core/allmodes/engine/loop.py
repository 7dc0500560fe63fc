"""The training loop, the same for all methods and engines: for each turn that is due, draw batches and update."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from allmodes.data.base import Loader
from allmodes.data.batch import Batch
from allmodes.engine.differences import EngineError
from allmodes.engine.eager import EagerEngine, Outcome, attempt
from allmodes.game.composition import Composition
from allmodes.game.noise import Noise
from allmodes.game.parts import Refits
from allmodes.game.step import Draw
from allmodes.registry.faults import FAULTS, fail
from allmodes_schemas import EmaConfig, TurnConfig, at


@dataclass(eq=False)
class Lane:
    """A run in progress; `iteration` is the number of complete passes through the schedule."""

    composition: Composition
    engine: EagerEngine
    loader: Loader
    generator: torch.Generator
    average: Average | None = None
    refits: Refits | None = None
    iteration: int = 0

    def draw(self, last: Draw | None) -> Draw:
        """A draw for a turn: the last one again where it is given."""
        return Draw(self._next_batch(), Noise(self.generator)) if last is None else last.reuse()

    def _next_batch(self) -> Batch:
        try:
            return next(self.loader)
        except FAULTS as error:
            fail(error, "a batch of the data", self.loader)

    def sampled(self) -> Mapping[str, nn.Module]:
        """The modules for sampling: moving averages where there are any."""
        return {**self.composition.modules, **(self.average.modules if self.average else {})}

    def state_dict(self) -> dict[str, Any]:
        """All that determines the next iteration, except the modules, as plain numbers and tensors."""
        return {
            "iteration": self.iteration,
            "engine": self.engine.state_dict(),
            "data": self.loader.state_dict(),
            "noise": self.generator.get_state(),
            "differentiates_scores": self.composition.differentiates_scores,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state of a run of the same composition, data and kind of device, whichever engine it had."""
        self.engine.load_state_dict(state["engine"])
        self.loader.load_state_dict(state["data"])
        self.generator.set_state(state["noise"])
        self.composition.differentiates_scores = state.get("differentiates_scores", False)
        self.iteration = state["iteration"]


class Engine(Protocol):
    """Updates lanes that are at the same iteration; `name` is that of the spec.

    `differing` are the settings of their modules whose values are tensors, as they differ from lane to lane.
    """

    name: str

    @property
    def differing(self) -> Sequence[str]:
        """Names of settings."""

    def update(self, turn: TurnConfig, draws: Sequence[Draw], iteration: int) -> Sequence[Outcome]:
        """Take a turn on a draw of each lane; returns the losses of each, or the error that ends it.

        Raises EngineError, with all as it was, where this engine cannot.
        """

    def gather(self) -> None:
        """Take over tensors that a fit has set anew. Raises EngineError where this engine cannot."""

    def leave(self, position: int) -> None:
        """Let a lane, by its position, go."""

    def close(self) -> None:
        """Let all lanes go."""


class EagerLanes:
    """The eager engine for any number of lanes, one after another."""

    name = "eager"
    differing: Sequence[str] = ()

    def __init__(self, engines: Sequence[EagerEngine]) -> None:
        self.engines = list(engines)

    def update(self, turn: TurnConfig, draws: Sequence[Draw], iteration: int) -> list[Outcome]:
        """Take a turn lane by lane."""
        return [attempt(engine, turn, draw, iteration) for engine, draw in zip(self.engines, draws, strict=True)]

    def gather(self) -> None:
        """Nothing to do: an eager engine works on the modules' own tensors."""

    def leave(self, position: int) -> None:
        """Let a lane, by its position, go."""
        del self.engines[position]

    def close(self) -> None:
        """Nothing to do: the tensors are the modules' own."""


class Loop:
    """Runs in lockstep.

    Attributes:
        lanes: The runs that are still in training, all at the same iteration.
        engine: What updates them.

    `slow_down` gives the engine to go on with where this one cannot, from the reason.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        engine: Engine | None = None,
        slow_down: Callable[[Engine, str], Engine] | None = None,
    ) -> None:
        self.lanes = list(lanes)
        self.engine: Engine = engine or EagerLanes([lane.engine for lane in lanes])
        self.schedule = lanes[0].composition.schedule
        self._slow_down = slow_down

    @property
    def iteration(self) -> int:
        """The number of complete passes through the schedule."""
        return self.lanes[0].iteration

    def iterate(self) -> dict[Lane, Outcome]:
        """One pass through the schedule; returns of each lane the last value of each term by (player, term).

        Where a run fails, its error is returned instead, and the others go on without it.
        """
        outcomes: dict[Lane, Outcome] = {lane: {} for lane in self.lanes}
        draws: dict[Lane, Draw] = {}
        for turn in self.schedule:
            if turn.due(self.iteration):
                for _ in range(turn.times):
                    self._take(turn, draws, outcomes)
                    if not self.lanes:
                        return outcomes
        self._end(outcomes)
        return outcomes

    def leave(self, lane: Lane) -> None:
        """Let a run go, with tensors of its own."""
        self.engine.leave(self.lanes.index(lane))
        self.lanes.remove(lane)

    def close(self) -> None:
        """Let all runs go."""
        self.engine.close()
        self.lanes = []

    def _take(self, turn: TurnConfig, draws: dict[Lane, Draw], outcomes: dict[Lane, Outcome]) -> None:
        """Take a turn; draws are kept for those that share them."""
        for lane in tuple(self.lanes):
            try:
                draws[lane] = lane.draw(draws.get(lane) if turn.draw == "shared" else None)
            except Exception as error:
                self._lose(lane, error, outcomes)
        lanes = tuple(self.lanes)
        if not lanes:
            return
        for lane, outcome in zip(lanes, self._update(turn, [draws[lane] for lane in lanes]), strict=True):
            losses = outcomes[lane]
            if isinstance(outcome, Exception) or isinstance(losses, Exception):
                self._lose(lane, outcome, outcomes)
            else:
                losses |= outcome

    def _lose(self, lane: Lane, error: Outcome, outcomes: dict[Lane, Outcome]) -> None:
        outcomes[lane] = error
        self.leave(lane)

    def _update(self, turn: TurnConfig, draws: Sequence[Draw]) -> Sequence[Outcome]:
        """Take a turn by the engine or, where it cannot, by the next slower one, on the same draws."""
        while True:
            try:
                return self.engine.update(turn, draws, self.iteration)
            except EngineError as error:
                self._change_engine(error)

    def _change_engine(self, error: EngineError) -> None:
        if self._slow_down is None:
            raise error
        self.engine = self._slow_down(self.engine, str(error))

    def _end(self, outcomes: dict[Lane, Outcome]) -> None:
        """End the iteration: what is fitted again, then the moving averages."""
        fitted = False
        for lane in tuple(self.lanes):
            try:
                fitted |= lane.refits is not None and lane.refits.fit(lane.iteration + 1)
            except Exception as error:
                self._lose(lane, error, outcomes)
        if fitted and self.lanes:
            self._gather()
        for lane in self.lanes:
            if lane.average is not None:
                lane.average.update(lane.iteration)
            lane.iteration += 1

    def _gather(self) -> None:
        try:
            self.engine.gather()
        except EngineError as error:
            self._change_engine(error)


class Average:
    """An exponential moving average of the generator and of a learned prior; buffers are copied."""

    def __init__(self, config: EmaConfig, composition: Composition) -> None:
        self.config = config
        self.live = {name: composition.modules[name] for name in ("generator", "prior")}
        self.modules = {name: copy.deepcopy(module).requires_grad_(False) for name, module in self.live.items()}
        self._averaged, self._followed = (_parameters(modules) for modules in (self.modules, self.live))
        self._copies = list(zip(_buffers(self.modules), _buffers(self.live), strict=True))

    @torch.no_grad()
    def update(self, iteration: int) -> None:
        """Move the average towards the weights."""
        decay = at(self.config.decay, iteration) if iteration >= self.config.start else 0.0
        if self._averaged:
            torch._foreach_lerp_(self._averaged, self._followed, 1 - decay)
        for (own, name), (live, _) in self._copies:  # by name: a fit may have set another tensor
            own[name].copy_(live[name])


def _parameters(modules: Mapping[str, nn.Module]) -> list[torch.Tensor]:
    return [parameter for module in modules.values() for parameter in module.parameters()]


def _buffers(modules: Mapping[str, nn.Module]) -> list[tuple[dict[str, Any], str]]:
    """The buffers of modules: where each is kept, and its name there."""
    inner = (inner for module in modules.values() for inner in module.modules())
    return [(m._buffers, name) for m in inner for name, buffer in m._buffers.items() if buffer is not None]
