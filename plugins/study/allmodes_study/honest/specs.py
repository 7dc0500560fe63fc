"""Specs out of the tables: a method on data, for a number of iterations, with the settings of a trial."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from allmodes import Experiment
from allmodes_study.honest.datasets import TUNING, Dataset
from allmodes_study.honest.methods import Block
from allmodes_study.honest.plan import BASELINE, POINTS, Plan, Trial
from allmodes_study.honest.samplers import SAMPLERS

FLAT = 0.3
"""Share of a run before the rate begins to fall to 0."""


def spec(
    plan: Plan, method: str, data: Dataset, iterations: int, trial: Trial, name: str = "", is_first: bool = True
) -> Block:
    """A spec as a mapping; all that methods have in common is written here.

    What is measured once for data, reference samplers and memory, is measured in the `is_first` stage on them.
    """
    own = plan.methods[method]
    values = {
        "$modes": data.modes,
        "$latent": max(16, data.modes),
        "$dims": data.dims,
        "$noise": data.dims + 1,
        "$iterations": iterations,
    }
    slots = {"prior": own.prior, "generator": own.generator, "discriminator": own.discriminator}
    parts = {**slots, "auxiliaries": dict(own.auxiliaries), "losses": list(own.losses)}
    return {
        "schema_version": 1,
        "name": name or method,
        "description": f"{own.description}; {data.description}",
        "data": dict(data.block),
        **{slot: _fill(block, values) for slot, block in parts.items() if block},
        "training": {**_training(plan, iterations, trial), **own.training},
        "evaluation": _evaluation(plan, iterations, own.is_given_items, is_first),
        "seeds": list(plan.seeds),
    }


def draws(plan: Plan, method: str) -> int:
    """Fresh batches of real items that an iteration of a method's schedule draws."""
    turns = experiment(spec(plan, method, TUNING, POINTS, Trial(plan.rates[0], 0))).turns
    return sum(turn.times for turn in turns if turn.draw == "fresh")


def iterations(plan: Plan, method: str) -> int:
    """Iterations in which a method sees the budget of images."""
    return POINTS * max(1, plan.images // (plan.batch * draws(plan, method) * POINTS))


def experiment(block: Block) -> Experiment:
    """The experiment of a block that is not run: ramps and measurements need not suit so short a run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Experiment.from_spec(block)


def write(block: Block, folder: Path) -> Path:
    """Write a spec to `<name>.json` in a folder; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{block['name']}.json"
    path.write_text(json.dumps(block, indent=1) + "\n", encoding="utf-8")
    return path


def _training(plan: Plan, iterations: int, trial: Trial) -> Block:
    begin = int(FLAT * iterations)
    lr = {"start": trial.lr, "end": 0, "begin": begin, "over": max(1, iterations - begin)}
    return {
        "iterations": iterations,
        "batch_size": plan.batch,
        "threads": 1,
        "engine": "stacked",
        "optimizer": {"kind": "adam", "lr": lr, "betas": [trial.beta, 0.99]},
        "ema": {"decay": 0.99},
        "log_every": max(1, iterations // 20),
        "checkpoints": {"every": max(1000, iterations)},
    }


def _evaluation(plan: Plan, iterations: int, is_given_items: bool, is_first: bool) -> Block:
    every = max(1, iterations // POINTS)
    distance = {"kind": "wasserstein", "samples": plan.pairs, "every": 2 * every}
    memory = [{"kind": "memorisation", "every": POINTS * every}] if is_given_items and is_first else []
    found = {"every": every, "samples": plan.samples, "metrics": ["modes", distance, *memory], "figure": False}
    return found if is_first else {**found, "references": []}


def whole(iterations: float) -> int:
    """The nearest number of iterations that is a multiple of the points of a curve, and at least one of them."""
    return POINTS * max(1, round(iterations / POINTS))


def last_evaluation(plan: Plan, iterations: int) -> Block:
    """What trials are chosen by: modes and w1 at the end alone."""
    metrics = ["modes", {"kind": "wasserstein", "samples": plan.pairs}]
    return {"every": iterations, "samples": plan.samples, "metrics": metrics, "references": [], "figure": False}


def beside(plan: Plan, data: Dataset) -> Block:
    """What measures samplers without a game on data as methods are measured: by w1 alone, of as many samples."""
    found = spec(plan, BASELINE, data, POINTS, Trial(plan.rates[0], 0))
    metrics = [{"kind": "wasserstein", "samples": plan.pairs}]
    return {**found, "evaluation": {**last_evaluation(plan, POINTS), "metrics": metrics, "references": list(SAMPLERS)}}


def _fill(block: Any, values: Block) -> Any:
    """Put what a case knows into the places of a block that stand for it."""
    if isinstance(block, dict):
        return {key: _fill(inner, values) for key, inner in block.items()}
    if isinstance(block, list | tuple):
        return [_fill(inner, values) for inner in block]
    return values.get(block, block) if isinstance(block, str) else block
