"""What it costs that two processes train one run: processor time of an iteration, beside one that has as many items.

`PYTHONPATH=tests python tests/benchmarks/ranks.py`. Time on the wall would tell of the machine's other work.
"""

import time
from functools import partial
from pathlib import Path

from allmodes import Experiment, installed
from allmodes.engine.loop import Loop
from allmodes.engine.peers import Peers
from allmodes.experiments.lanes import build_lane
from allmodes.specs.loading import load
from allmodes.system.ranks import find_rank
from ranked import in_ranks

RECIPES = ("gan/ring", "gan/digits")
ITERATIONS = 100


def measure(recipe: str, batch_size: int) -> float:
    """Processor time of this process for an iteration, in ms, after the first ones, which try the turns out."""
    changes = ["training.device=cpu", f"training.batch_size={batch_size}", "seeds=[0]"]
    experiment = Experiment(load(recipe, installed(), changes))
    peers = None if (rank := find_rank()) is None else Peers(rank)
    if peers is not None:
        peers.open("cpu")
    loop = Loop([build_lane(experiment.run_of(0, Path("nowhere")), experiment.data, {}, {}, peers)])
    loop.iterate()
    began = time.process_time()
    for _ in range(ITERATIONS):
        loop.iterate()
    spent = 1000 * (time.process_time() - began) / ITERATIONS
    if peers is not None:
        peers.close()
    return spent


def main() -> None:
    """Print a line for each recipe and size of a process's part."""
    for recipe in RECIPES:
        for items in (64, 512):
            alone = measure(recipe, items)
            both = in_ranks(*[partial(measure, recipe, 2 * items)] * 2)
            line = f"{recipe}, {items} items a process: alone {alone:.2f} ms, of two {both[0]:.2f} ms"
            print(f"{line}: times {both[0] / alone:.2f}", flush=True)


if __name__ == "__main__":
    main()
