"""Ctrl-C at random iterations, then resume: does every recipe end as if nothing had happened?

    python tests/reliability/resume.py [--times 5] [--seed 0] [--data ../shared/data]

Each installed recipe is shortened and trained once without a break, then `--times` times with one to three random
interruptions, each followed by a resume. Compared bit for bit: all weights, moving averages and logged numbers. Prints
the counts; ends with 1 if any run differs.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import warnings
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from allmodes import DataError, Experiment, installed
from allmodes.testing.interrupted import InterruptingObserver, equal_runs, first_seed

ITERATIONS = 24
SHORT = (
    f"training.iterations={ITERATIONS}", "training.log_every=1", "training.batch_size=32", "training.device=cpu",
    "training.checkpoints.every=7", "evaluation.every=10", "evaluation.samples=32", "evaluation.figure=false",
    "seeds=[0]",
)  # fmt: skip


def shortened(name: str, folder: Path, data: str) -> Experiment:
    registry = installed()
    overrides = [*SHORT]
    spec = Experiment.from_recipe(name, overrides, registry=registry).spec
    overrides += [f"data.root={data}"] if "root" in type(spec.data).model_fields else []
    kinds = [metric.kind for metric in spec.evaluation.metrics]
    if "stacked_mnist" in kinds:  # trains a classifier for minutes; measuring does not touch training
        overrides.append("evaluation.metrics=[]")
    return Experiment.from_recipe(name, overrides, registry=registry, folder=folder, track=False)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", default="../shared/data")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    chance = random.Random(options.seed)
    print(f"{'recipe':28} {'runs':>5} {'interruptions':>14} {'equal':>6}")
    differing = 0
    for name in installed().recipes:
        with tempfile.TemporaryDirectory() as place:
            differing += compared(name, Path(place), options.times, chance, options.data)
    return int(differing > 0)


def compared(name: str, folder: Path, times: int, chance: random.Random, data: str) -> int:
    """Print a recipe's counts; returns how many runs differed."""
    try:
        unbroken = first_seed(shortened(name, folder / "unbroken", data).run())
    except DataError as error:
        print(f"{name:28} skipped: {error}")
        return 0
    same = interruptions = 0
    for i in range(times):
        cuts = chance.sample(range(1, ITERATIONS), chance.randint(1, 3))
        broken = interrupted(shortened(name, folder / str(i), data), cuts)
        interruptions += len(cuts)
        same += equal_runs(broken, unbroken)
    print(f"{name:28} {times:5} {interruptions:14} {same:6}", flush=True)
    return times - same


def interrupted(experiment: Experiment, cuts: list[int]) -> Path:
    """The folder of a run that was interrupted at iterations and resumed each time."""
    experiment.observers = {"interrupting": InterruptingObserver(*cuts)}
    results = experiment.run()
    while results.status == "killed":
        results = Experiment.resume(results.folder, track=False, observers=experiment.observers).run()
    return first_seed(results)


if __name__ == "__main__":
    sys.exit(main())
