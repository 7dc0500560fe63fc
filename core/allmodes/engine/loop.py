"""The training loop, the same for all methods: for each turn that is due, draw a batch and update."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from allmodes.data.base import Loader
from allmodes.data.batch import Batch
from allmodes.engine.eager import EagerEngine, Losses
from allmodes.game.composition import Composition
from allmodes.game.noise import Noise
from allmodes.game.parts import Refits
from allmodes.game.step import Draw
from allmodes.registry.faults import FAULTS, fail
from allmodes_schemas import EmaConfig, at


@dataclass
class Loop:
    """A run in progress; `iteration` is the number of complete passes through the schedule."""

    composition: Composition
    engine: EagerEngine
    loader: Loader
    generator: torch.Generator
    average: Average | None = None
    refits: Refits | None = None
    iteration: int = 0

    def iterate(self) -> Losses:
        """One pass through the schedule; returns the last value of each term by (player, term)."""
        draw: Draw | None = None
        losses: Losses = {}
        for turn in self.composition.schedule:
            if not turn.due(self.iteration):
                continue
            for _ in range(turn.times):
                if draw is None or turn.draw == "fresh":
                    draw = Draw(self._next_batch(), Noise(self.generator))
                else:
                    draw = draw.reuse()
                losses |= self.engine.update(turn, draw, self.iteration)
        if self.refits is not None:
            self.refits.fit(self.iteration + 1)
        if self.average is not None:
            self.average.update(self.iteration)
        self.iteration += 1
        return losses

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
        """Restore the state of a loop of the same composition, data and kind of device."""
        self.engine.load_state_dict(state["engine"])
        self.loader.load_state_dict(state["data"])
        self.generator.set_state(state["noise"])
        self.composition.differentiates_scores = state.get("differentiates_scores", False)
        self.iteration = state["iteration"]


class Average:
    """An exponential moving average of the generator and of a learned prior; buffers are copied."""

    def __init__(self, config: EmaConfig, composition: Composition) -> None:
        self.config = config
        self.live = {name: composition.modules[name] for name in ("generator", "prior")}
        self.modules = {name: copy.deepcopy(module).requires_grad_(False) for name, module in self.live.items()}

    @torch.no_grad()
    def update(self, iteration: int) -> None:
        """Move the average towards the weights."""
        decay = at(self.config.decay, iteration) if iteration >= self.config.start else 0.0
        for name, module in self.modules.items():
            parameters: list[torch.Tensor] = list(module.parameters())
            if parameters:
                torch._foreach_lerp_(parameters, list(self.live[name].parameters()), 1 - decay)
            for buffer, live in zip(module.buffers(), self.live[name].buffers(), strict=True):
                buffer.copy_(live)
