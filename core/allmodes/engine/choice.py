"""Which engine updates runs, by rule; nothing here needs torch."""

from __future__ import annotations

from typing import NamedTuple

from allmodes_schemas import TrainingConfig

TRACING = 1_000
"""How long the preparation of stacked turns takes, in iterations of one small run."""
COMPILING = 20_000
"""How many iterations it takes until compiled turns of small runs have made up for their compilation."""
SMALL = 4_000_000
"""Products per pass, parameters times batch size, up to which Python takes most of a step's time."""
LANES = 16
"""Runs that are updated together, at most: what more of them compute does not fit a processor's cache."""


class Choice(NamedTuple):
    """An engine, and why it is taken."""

    engine: str
    why: str


def choose(training: TrainingConfig, device: str, lanes: int, parameters: int, convolutions: bool) -> Choice:
    """The engine for a number of runs on a device with as many parameters each, with or without convolutions.

    The numbers are from `docs/results/engines.md`: two CPU cores.
    """
    if training.engine != "auto":
        return Choice(training.engine, "the spec asks for it")
    if device != "cpu" or training.device.startswith("cuda"):
        return Choice("eager", "the others were not measured on CUDA")
    if convolutions:
        return Choice("eager", "convolutions of several runs at once are slower on a CPU")
    if (work := parameters * training.batch_size) > SMALL:
        return Choice("eager", f"with {work:,} products a pass others would save nothing")
    return _choose_by_length(training.iterations, lanes)


def _choose_by_length(iterations: int, lanes: int) -> Choice:
    """The engine for small networks: what saves more time than its preparation takes."""
    runs = "one small run" if lanes == 1 else f"{lanes} small runs"
    length = f"{runs} of {iterations:,} iterations"
    if iterations >= COMPILING:
        return Choice("compiled", length)
    if lanes > 1 and iterations * (0.7 * lanes - 0.5) >= TRACING:  # a stack costs half a run, and 0.3 for each lane
        return Choice("stacked", length)
    return Choice("eager", f"{length}: too short for another to pay")
