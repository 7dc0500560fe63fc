"""Which engine updates runs, by rule; nothing here needs torch."""

from __future__ import annotations

from typing import NamedTuple

from allmodes_schemas import TrainingConfig

SHORT = 300
"""Iterations up to which preparing another engine takes longer than it saves."""
LONG = 20_000
"""Iterations from which on compiling pays."""
SMALL = 4_000_000
"""Products per pass, parameters times batch size, up to which Python takes most of a step's time."""
LANES = 32
"""Runs that are updated together, at most."""


class Choice(NamedTuple):
    """An engine, and why it is taken."""

    engine: str
    why: str


def choose_by_length(training: TrainingConfig) -> Choice | None:
    """What a spec alone decides: an engine that it names, or the eager one for what is short or on a GPU."""
    if training.engine != "auto":
        return Choice(training.engine, "the spec asks for it")
    if training.iterations <= SHORT:
        return Choice("eager", f"{training.iterations:,} iterations are too few for another engine to pay")
    if training.device.startswith("cuda"):
        return Choice("eager", "the others were not measured on CUDA")
    return None


def choose(training: TrainingConfig, device: str, lanes: int, parameters: int, convolutions: bool) -> Choice:
    """The engine for a number of runs on a device with as many parameters each, with or without convolutions."""
    if (decided := choose_by_length(training)) is not None:
        return decided
    if device != "cpu":
        return Choice("eager", "the others were not measured on CUDA")
    if convolutions:
        return Choice("eager", "convolutions of several runs at once are slower on a CPU")
    if (work := parameters * training.batch_size) > SMALL:
        return Choice("eager", f"with {work:,} products a pass others would save nothing")
    if training.iterations >= LONG:
        return Choice("compiled", f"small networks and {training.iterations:,} iterations")
    if lanes > 1:
        return Choice("stacked", f"small networks, {lanes} runs of equal shapes")
    return Choice("eager", f"one run of {training.iterations:,} iterations")
