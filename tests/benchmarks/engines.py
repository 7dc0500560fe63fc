"""What runs cost when an engine updates them together: the price of 1, 10 and 16 runs, in eager runs.

    python tests/benchmarks/engines.py [--recipes study/ring-gan] [--lanes 1 10 16] [--rounds 12]

All engines train in this process, in blocks that alternate, so that a change of the machine's speed hits all of them.
A price is the ratio of low quantiles (10 %) of the thread's time for an iteration, data and noise included; evaluation,
logs and checkpoints are not. Also prints what an engine's first two iterations take: trials, traces, compiling.
What was compiled is kept in the user's cache folder: `ALLMODES_CACHE=$(mktemp -d)` measures compiling anew.
"""

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

import torch

from allmodes.data.base import Data
from allmodes.engine.eager import EagerEngine
from allmodes.engine.engines import make_engine
from allmodes.engine.loop import Lane, Loop
from allmodes.experiments.batches import make_loader
from allmodes.game.compose import compose
from allmodes.game.noise import rng
from allmodes.testing import load_spec
from allmodes_schemas import Spec

RECIPES = ("study/ring-gan", "study/grid-clustergan", "study/grid-veegan", "veegan/grid")
ENGINES, LANES = ("eager", "stacked", "compiled"), (1, 10, 16)
BLOCK = 0.03
"""Seconds that a block takes at least."""
ONE = ("eager", 1)

Case = tuple[str, int]
"""An engine and a number of lanes."""


class Cost(NamedTuple):
    """Seconds before the third iteration, and for one from then on."""

    preparing: float
    iteration: float


def measure(recipe: str, lanes: Sequence[int], rounds: int, changes: Sequence[str] = ()) -> dict[Case, Cost]:
    """The costs of a recipe's runs by engine and number of lanes."""
    spec = load_spec(recipe, "training.device=cpu", *changes)
    data: Data = spec.data.build()
    cases = dict.fromkeys((ONE, *product(ENGINES, lanes)))
    loops = {case: make_loop(spec, data, *case) for case in cases}
    preparing = {case: timed(loop, 2) for case, loop in loops.items()}
    sizes = {case: 1 + int(BLOCK / timed(loop, 1)) for case, loop in loops.items()}
    times: dict[Case, list[float]] = {case: [] for case in loops}
    for _ in range(rounds):
        for case, loop in loops.items():
            times[case].append(timed(loop, sizes[case]) / sizes[case])
    return {case: Cost(preparing[case], sorted(values)[len(values) // 10]) for case, values in times.items()}


def make_loop(spec: Spec, data: Data, engine: str, lanes: int) -> Loop:
    """Runs of the first seeds under an engine."""
    made = [make_lane(spec, data, seed) for seed in range(lanes)]
    return Loop(made, make_engine(engine, [lane.engine for lane in made]))


def make_lane(spec: Spec, data: Data, seed: int) -> Lane:
    """The run of a seed."""
    composition = compose(spec, data, seed)
    for module in composition.modules.values():
        module.train()
    return Lane(composition, EagerEngine(composition), make_loader(spec, data, seed), rng(seed, "noise"))


def timed(loop: Loop, iterations: int) -> float:
    """Seconds of this thread that iterations take."""
    began = time.thread_time()
    for _ in range(iterations):
        loop.iterate()
    return time.thread_time() - began


def rows(recipe: str, costs: Mapping[Case, Cost], lanes: Sequence[int]) -> Iterator[str]:
    """The rows of a table for a recipe."""
    one = costs[ONE].iteration
    for engine in ENGINES:
        prices = " | ".join(f"{costs[engine, count].iteration / one:.2f}" for count in lanes)
        preparing = ", ".join(f"{costs[engine, count].preparing:.1f}" for count in lanes)
        yield f"| `{recipe}` ({1e3 * one:.2f} ms) | {engine} | {prices} | {preparing} |"


def main(arguments: Sequence[str] | None = None, changes: Sequence[str] = ()) -> None:
    """Measure the recipes and print a row for each engine."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--lanes", nargs="+", type=int, default=LANES)
    parser.add_argument("--rounds", type=int, default=12)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print(
        f"torch {torch.__version__}, 1 thread, {given.rounds} rounds; prices in eager runs, seconds before they train\n"
    )
    print(f"| recipe (an eager iteration) | engine | {' | '.join(map(str, given.lanes))} | prepared in s |")
    print("|---" * (3 + len(given.lanes)) + "|")
    for recipe in given.recipes:
        costs = measure(recipe, given.lanes, given.rounds, changes)
        print("\n".join(rows(recipe, costs, given.lanes)), flush=True)


if __name__ == "__main__":
    main()
