"""The stacked engine: one turn of several runs at once, as one pure function under `vmap` that is traced once.

Every lane has its own batches and noise, the same as in the eager engine, and numbers of its own. The first time that
a turn comes up with certain terms, the eager engine takes it too, lane by lane and on the same draws, as a trial: it
holds the components to their contracts, tells which noise they ask for, and its losses and gradients have to be those
of the stacked turn.
"""

from __future__ import annotations

import pickle
import random
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from allmodes.engine import optimizers
from allmodes.engine.differences import EngineError
from allmodes.engine.draws import Asked, Drawer, RecordingNoise, Tree
from allmodes.engine.eager import EagerEngine, Gradients, Losses, Outcome, attempt
from allmodes.engine.functional import State
from allmodes.engine.knobs import Dials, Varying
from allmodes.engine.memory import PythonMemory
from allmodes.engine.reasons import explain
from allmodes.engine.stacking import Snapshot, Stack
from allmodes.engine.turns import Arguments, StackedTurn, TracedTurn
from allmodes.game.networks import Tensors
from allmodes.game.step import Draw
from allmodes_schemas import TurnConfig

Key: TypeAlias = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""A turn's players, the modules that run as in evaluation, and the terms that count."""
Run: TypeAlias = Callable[[State, Tree, Tensors, Varying], Losses]
"""Writes the new state into the state's tensors, and returns the losses (lanes,) by (player, term)."""
Trial: TypeAlias = tuple[Losses, Gradients]

TOLERANCE = 1e-2
"""How far, of their size, losses and gradients may be from the eager ones: rounding, not another formula."""

GLOBAL = "a turn draws from a global generator of Python's or NumPy's: take noise from the step"


class TrialError(Exception):
    """A component failed in the trial of a turn, which is therefore the eager engine's."""


@dataclass
class Plan:
    """How a turn is taken with certain terms: the noise that it asks for, in order, and the function."""

    asked: Sequence[Asked]
    run: Run
    arguments: Arguments
    checked: bool = False


class StackedEngine:
    """Updates several lanes at once.

    Args:
        engines: The eager engines of the lanes, whose modules and optimisers become views of stacked tensors.

    Raises EngineError where lanes cannot be stacked.
    """

    name = "stacked"

    def __init__(self, engines: Sequence[EagerEngine]) -> None:
        self._fill(engines)
        self._asked: dict[Key, Sequence[Asked]] = {}

    def _fill(self, engines: Sequence[EagerEngine]) -> None:
        self.stack = Stack(engines)
        self.differing: Sequence[str] = self.stack.differences.places
        compositions = [engine.composition for engine in engines]
        self.memories = [PythonMemory(composition) for composition in compositions]
        self.dials = Dials(compositions, self.stack.differences, self.stack.device)
        self.drawer = Drawer(len(engines))
        self.places = list(range(len(engines)))
        self.plans: dict[Key, Plan] = {}
        self._is_loose = False  # whether the lanes are to be stacked anew before their next turn

    def update(self, turn: TurnConfig, draws: Sequence[Draw], iteration: int) -> list[Outcome]:
        """Take a turn on a draw of each lane; returns the losses of each, or the error that ends it.

        Raises EngineError, with all as it was, where the turn cannot be taken in this way.
        """
        if self._is_loose:
            self._refill()
        first = self.stack.composition
        weights = first.weights(iteration)
        if not first.active(turn, weights):
            return [{} for _ in draws]
        key, placed = (turn.players, tuple(turn.inference), tuple(weights)), dict(zip(self.places, draws, strict=True))
        plan = self.plans.get(key)
        if plan is not None and plan.checked:
            return self._split(self._run(plan, placed, iteration))
        return self._begin(key, turn, placed, iteration)

    def leave(self, position: int) -> None:
        """Give a lane, by its position among those in training, its own tensors; half a stack is to be stacked anew."""
        self.stack.release(self.places.pop(position))
        self._is_loose |= 2 * len(self.places) <= len(self.stack.engines)

    def close(self) -> None:
        """Give all lanes their own tensors."""
        for place in self.places:
            self.stack.release(place)

    def _refill(self) -> None:
        """Stack the lanes that are left anew; raises EngineError where they cannot be any more."""
        self.close()
        self.differing = ()  # settings are not what keeps them apart then
        self._fill([self.stack.engines[place] for place in self.places])

    def gather(self) -> None:
        """Take over what fits have set anew."""
        has_room = all(self.stack.gather(place) for place in self.places)
        if not has_room or any(memory.find_change() for memory in self.memories):
            self._is_loose = True

    # A turn for the first time

    def _begin(self, key: Key, turn: TurnConfig, draws: Mapping[int, Draw], iteration: int) -> list[Outcome]:
        """Take a turn that was not taken before, and compare it with the eager engine's."""
        before, generators = self.stack.snapshot(), _read_generators()
        memories = [PythonMemory(self.stack.engines[place].composition) for place in draws]
        try:
            trials = self._try_out(key, turn, draws, iteration)
        except TrialError:
            self._put_back(before, memories)
            return self._take_eagerly(turn, draws, iteration)
        try:
            if changed := self._put_back(before, memories):
                raise EngineError(f"a turn changes the attribute {changed}, which only a buffer may keep")
            if _read_generators() != generators:
                raise EngineError(GLOBAL)
            with _no_slow_batching(), self.stack.hidden():
                losses = self._run(self._plan(key, turn, draws, iteration), draws, iteration)
            self._compare(trials, losses, before, iteration)
        except BaseException as error:
            self._put_back(before, memories)
            if isinstance(error, EngineError) or not isinstance(error, Exception):
                raise
            raise EngineError(explain(error)) from error
        self.plans[key].checked = True
        return self._split(losses)

    def _put_back(self, before: Snapshot, memories: Sequence[PythonMemory]) -> str | None:
        """Make all as it was; returns the place of what changed in Python, if anything did."""
        self.stack.restore(before)
        return next(filter(None, [memory.put_back() for memory in memories]), None)

    def _try_out(self, key: Key, turn: TurnConfig, draws: Mapping[int, Draw], iteration: int) -> dict[int, Trial]:
        """The losses and gradients of the eager engine on draws that stay unused. Raises TrialError."""
        trials = {}
        for place, draw in draws.items():
            noise = RecordingNoise(_copy(draw.noise.generator), dict(draw.noise.drawn))
            try:
                trials[place] = self.stack.engines[place].try_out(turn, Draw(draw.batch, noise), iteration)
            except Exception as error:
                raise TrialError from error
            self._asked[key] = list(noise.asked.values())
        return trials

    def _take_eagerly(self, turn: TurnConfig, draws: Mapping[int, Draw], iteration: int) -> list[Outcome]:
        """Take a turn lane by lane; those that are left then are stacked anew."""
        self.close()
        self._is_loose = True
        return [attempt(self.stack.engines[place], turn, draw, iteration) for place, draw in draws.items()]

    def _plan(self, key: Key, turn: TurnConfig, draws: Mapping[int, Draw], iteration: int) -> Plan:
        if key not in self.plans:
            asked = self._asked[key]
            self._draw(asked, draws, iteration)
            noise = self.drawer.find(asked)
            arguments = Arguments(self.stack.state, self.drawer.tree, noise, self.dials.varying)
            stacked = StackedTurn(self.stack.composition, turn, key[2], self.dials)
            self.plans[key] = Plan(asked, self._make(stacked, arguments), arguments)
        return self.plans[key]

    def _make(self, turn: StackedTurn, arguments: Arguments) -> Run:
        """What takes a turn on these arguments, whose tensors stay where they are."""
        return TracedTurn(turn, arguments, self._make_stepper)

    def _make_stepper(self, player: str) -> optimizers.StackedStepper:
        configs = [engine.composition.players[player].optimizer for engine in self.stack.engines]
        own = self.stack.composition.own(player, self.stack.state["parameters"])
        return optimizers.StackedStepper(configs, own, self.stack.state["memories"][player])

    # Taking it

    def _run(self, plan: Plan, draws: Mapping[int, Draw], iteration: int) -> Losses:
        self._draw(plan.asked, draws, iteration)
        try:
            with torch.no_grad():
                return plan.run(*plan.arguments)
        except Exception as error:
            raise EngineError(explain(error)) from error

    def _draw(self, asked: Sequence[Asked], draws: Mapping[int, Draw], iteration: int) -> None:
        """Write batches, noise and numbers of an iteration into the tensors that turns read."""
        self.drawer.write_batches(draws)
        self.drawer.write_noise(asked, draws)
        self.dials.turn_to(iteration)

    def _split(self, losses: Losses) -> list[Outcome]:
        """The losses of each lane in training."""
        columns = {name: value.unbind(0) for name, value in losses.items()}
        return [{name: column[place] for name, column in columns.items()} for place in self.places]

    def _compare(self, trials: Mapping[int, Trial], losses: Losses, before: Snapshot, iteration: int) -> None:
        """Raise EngineError where losses or gradients are not those of the eager engine."""
        for place, (expected, gradients) in trials.items():
            for (player, term), value in expected.items():
                if not _are_close([losses[player, term][place]], [value.detach()], 1.0):
                    raise EngineError(_wrong(f"loss {term} of player {player!r}", losses[player, term][place], "value"))
            for player, gradient in gradients.items():
                self._compare_gradient(place, player, gradient, before, iteration)

    def _compare_gradient(
        self, place: int, player: str, gradient: Sequence[Tensor | None], before: Snapshot, iteration: int
    ) -> None:
        """Compare a gradient by what the step added to the optimiser's first moment."""
        composition = self.stack.engines[place].composition
        config = composition.players[player].optimizer
        moment, keep, add = optimizers.first_moment(config, iteration)
        after: Any = self.stack.state["memories"][player][moment]
        names = composition.named_parameters(player)
        given = [torch.zeros_like(p) if g is None else g for p, g in zip(names.values(), gradient, strict=True)]
        added = [(after[name][place] - keep * before["memories", player, moment, name][place]) / add for name in names]
        if not _are_close(added, given):
            flat = torch.cat([gradient.flatten() for gradient in added])
            raise EngineError(_wrong(f"the losses of player {player!r}", flat, "gradient"))


def _are_close(found: Sequence[Tensor], expected: Sequence[Tensor], size: float = 1e-4) -> bool:
    """Whether values are equal but for rounding, beside their own size or, if they are small, this one."""
    f, e = (torch.cat([tensor.flatten().double() for tensor in tensors]) for tensors in (found, expected))
    if not bool(e.isfinite().all()):
        return True  # the run has diverged, which the losses tell
    return bool((f - e).norm() <= TOLERANCE * max(float(e.norm()), size))


def _wrong(what: str, found: Tensor, name: str) -> str:
    """What is wrong with a value that is not that of the eager engine; NaN is what hidden tensors hold."""
    if bool(found.isnan().any()):
        return f"{what} reads a tensor of a module that the step does not give: use step.call or step.tensor"
    return f"it gives {what} another {name} than the eager engine"


def _copy(generator: torch.Generator | None) -> torch.Generator:
    """A generator that gives the same draws."""
    assert generator is not None
    return generator.clone_state()


def _read_generators() -> tuple[object, ...]:
    """The states of the global generators whose numbers a trace would take for constants."""
    return random.getstate(), pickle.dumps(np.random.get_state())


@contextmanager
def _no_slow_batching() -> Iterator[None]:
    """Make an error of torch's warning that an operation has no batching rule, so that it names the term."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*batching rule.*")
        yield
