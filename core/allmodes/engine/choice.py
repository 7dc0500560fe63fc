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

    The numbers are from `docs/results/engines.md`, two CPU cores, and from `docs/results/gpu.md`, one H200.
    """
    is_cuda = device == "cuda" or training.device.startswith("cuda")
    if training.engine != "auto":
        return Choice(training.engine, "the spec asks for it")
    if device != "cpu" and not is_cuda:
        return Choice("eager", f"the others were not measured on {device}")
    if convolutions:
        beside = "save little on CUDA" if is_cuda else "are slower on a CPU"
        return Choice("eager", f"convolutions of several runs at once {beside}")
    if (work := parameters * training.batch_size) > SMALL:
        saved = "were not measured on CUDA" if is_cuda else "would save nothing"
        return Choice("eager", f"with {work:,} products a pass others {saved}")
    return _choose_by_length(training.iterations, lanes, is_cuda)


def _choose_by_length(iterations: int, lanes: int, is_cuda: bool) -> Choice:
    """The engine for small networks: what saves more time than its preparation takes."""
    runs = "one small run" if lanes == 1 else f"{lanes} small runs"
    length = f"{runs} of {iterations:,} iterations"
    if is_cuda:  # replayed graphs cost a fifth of a run, and each further lane little
        engine, saved = "graphed", lanes - 0.2
    else:  # a stack costs half a run, and 0.3 for each lane
        engine, saved = "stacked", 0.7 * lanes - 0.5 if lanes > 1 else 0
    if not is_cuda and iterations >= COMPILING:
        return Choice("compiled", length)
    if iterations * saved >= TRACING:
        return Choice(engine, length)
    return Choice("eager", f"{length}: too short for another to pay")
