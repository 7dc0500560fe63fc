"""What evaluation costs of a run, by how w1 is measured, for one seed and for ten, with and without a cache of floors.

    python tests/benchmarks/evaluation.py [study/ring-gan ...]

Runs train in this process on one thread, one after another; times are CPU seconds of it, so that other processes
disturb little. Pictures and their log are part of an evaluation. Prints a table for each recipe.
"""

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from allmodes import Experiment
from allmodes.experiments.evaluate import Evaluator
from allmodes.experiments.resources import Resources

EACH = ("evaluation.metrics=[modes, wasserstein]", "evaluation.figure_every=null")
LAST = ("evaluation.metrics=[modes, {kind: wasserstein, every: 3000}]",)
STACKED = ("training.engine=stacked", "seeds=[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]")
OPTIONS = {
    "w1 of 2,500 and a picture at each evaluation, floors measured": (EACH, False),
    "w1 of 2,500 and a picture at each evaluation": (EACH, True),
    "w1 of 2,500 and a picture at the end": (LAST, True),
    "w1 of 1,000 and a picture at the end (the recipe), floors measured": ((), False),
    "the recipe": ((), True),
    "w1 of 2,500 and a picture at the end, ten seeds stacked": ((*LAST, *STACKED), True),
    "the recipe, ten seeds stacked": (STACKED, True),
}
"""Overrides, and whether floors come from the cache, which they do where nothing else is said."""


@dataclass
class Costs:
    """CPU seconds of a run: all of it, its evaluations and its floors."""

    whole: float = 0.0
    evaluations: float = 0.0
    floors: float = 0.0

    def row(self) -> str:
        """Training, evaluations and floors in seconds, and the share of the last two in the whole."""
        outside = self.evaluations + self.floors
        shown = (self.whole - outside, self.evaluations, self.floors)
        return " | ".join([*(f"{seconds:.2f}" for seconds in shown), f"{outside / self.whole:.0%}"])


@contextmanager
def timed(owner: type, method: str, spent: Callable[[float], None]) -> Iterator[None]:
    """Pass the CPU seconds of each call of a method on."""
    original = getattr(owner, method)

    def wrapped(*arguments: Any, **options: Any) -> Any:
        began = time.process_time()
        try:
            return original(*arguments, **options)
        finally:
            spent(time.process_time() - began)

    with patch.object(owner, method, wrapped):
        yield


def measure(recipe: str, overrides: Sequence[str], floors: Path | None, folder: Path) -> Costs:
    """Train the first seed of a recipe, or those of the overrides; its floors are kept in a folder, if there is one."""
    costs, more = Costs(), ["seeds=[0]", "training.device=cpu", "training.threads=1", "training.engine=eager"]

    def evaluated(seconds: float) -> None:
        costs.evaluations += seconds

    def floored(seconds: float) -> None:
        costs.floors += seconds

    with (
        patch.dict(os.environ, ALLMODES_FLOORS="off" if floors is None else str(floors)),
        timed(Evaluator, "evaluate", evaluated),
        timed(Resources, "_measure_floors", floored),
    ):
        began = time.process_time()
        Experiment.from_recipe(recipe, [*more, *overrides], folder=folder, track=False).run()
        costs.whole = time.process_time() - began
    return costs


def main() -> None:
    """Measure recipes with each of the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipes", nargs="*", default=["study/ring-gan", "study/grid-clustergan"])
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        short = ["training.iterations=2", "evaluation.every=1", "evaluation.samples=50"]
        measure("study/ring-gan", short, None, folder)  # imports
        for recipe in parser.parse_args().recipes:
            for overrides in ((), LAST, EACH):
                measure(recipe, ["training.iterations=1", *overrides], folder / "floors", folder)
            print(f"| {recipe} | training s | evaluations s | floors s | share |\n|---|---|---|---|---|")
            for title, (overrides, cached) in OPTIONS.items():
                costs = measure(recipe, overrides, folder / "floors" if cached else None, folder)
                print(f"| {title} | {costs.row()} |", flush=True)


if __name__ == "__main__":
    main()
