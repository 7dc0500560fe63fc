"""Rewinds of a run: the signs that send it back, the checkpoint that it goes back to, and how often it did.

**Good** is a checkpoint that is not newer than the last evaluation without a sign: what came after it nobody judged.
The run goes on from the newest of them, with its batches and noise again and with lower learning rates.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from allmodes.engine.loop import Lane
from allmodes.experiments.early_stopping import History, sign_of
from allmodes.experiments.errors import DivergenceError
from allmodes.runs.run import Rewind, Run
from allmodes.text.numbers import number


class RewindError(RuntimeError):
    """A sign, found by an evaluation, that sends a run back."""


class Rewinding:
    """Counts the rewinds of a run.

    Attributes:
        done: Those so far, on the way that led to the run's present state.
    """

    def __init__(self, run: Run) -> None:
        self.spec, self.config = run.spec, run.spec.training.rewind
        self.done: list[Rewind] = []

    @property
    def left(self) -> int:
        """How often the run may still go back."""
        return 0 if self.config is None else max(self.config.times - len(self.done), 0)

    def check(self, collapse: str, history: History) -> None:
        """Raise RewindError where the last evaluation, or the collapse that it found, is a sign to go back."""
        if self.config is None or not self.left:
            return
        if collapse and "collapse" in self.config.signs:
            raise RewindError(collapse)
        if sign := self._find_fall(history):
            raise RewindError(sign)

    def sign_in(self, error: Exception) -> str:
        """The sign to go back that an error is; empty where it ends the run."""
        if isinstance(error, RewindError):
            return str(error)
        is_sign = self.config is not None and "divergence" in self.config.signs and self.left > 0
        return str(error).partition(": ")[0] if is_sign and isinstance(error, DivergenceError) else ""

    def good(self, history: History, iteration: int) -> int:
        """The iteration up to which checkpoints are good, where a sign was found at an iteration."""
        return max((at for at, _ in history if at < iteration), default=0)

    def scale(self, lane: Lane) -> None:
        """Lower the learning rates of a lane that has those of the spec, as often as the run went back."""
        if self.config is not None and self.done:
            lane.engine.scale_rates(self.factor(len(self.done)), self.config.players, lane.iteration)

    def factor(self, times: int) -> float:
        """What learning rates are multiplied by after a number of rewinds."""
        return 1.0 if self.config is None else float(self.config.rate**times)

    def state_dict(self) -> dict[str, Any]:
        """The rewinds so far, as plain values."""
        return {"rewinds": [dict(one) for one in self.done]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a checkpoint; those of older versions have none."""
        self.done = list(state.get("rewinds", ()))

    def _find_fall(self, history: History) -> str:
        """Describe a number that was at least as good as the limit and is worse now; else empty."""
        if self.config is None or self.config.metric is None or self.config.limit is None:
            return ""
        key, limit, sign = self.config.metric, self.config.limit, sign_of(self.spec, self.config.metric)
        *before, last = [results.get(key, math.nan) for _, results in history]
        fell = sign * last < sign * limit and any(sign * value >= sign * limit for value in before)
        return f"{key} is {number(last)} at iteration {history[-1][0]:,}, worse than {number(limit)}" if fell else ""


def describe_rewind(one: Rewind, times: int, most: int) -> str:
    """Describe the last of several rewinds."""
    back = f"goes back from iteration {one['at']:,} to {one['to']:,} ({one['sign']})"
    return f"{back} with learning rates times {one['factor']:g}: rewind {times} of {most}"
