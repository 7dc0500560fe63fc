"""Seconds that the fit of a metric mixture takes, beside two other ways to the same points, in one run.

    python plugins/bourgan/tests/benchmark_fit.py --items 4096 --dim 784

- `rows`: what the plugin does: distances by faiss for some rows at a time, and minima over the members of each subset.
- `search`: faiss' nearest-neighbour search against each subset in turn; no more memory than the items.
- `scipy`: the same steps in plain NumPy and SciPy, float64, with the whole matrix of distances (--no-scipy: not).

Each ends with the same scaling and statistics; the coordinates are compared. Peak memory is that of the process so far.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import faiss
import numpy as np
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from allmodes_bourgan.distances import faiss_distance
from allmodes_bourgan.embedding import coordinates, random_sets
from allmodes_bourgan.fit import PAIRED, EmbeddingOptions, embed

SCIPY = {"l2": "euclidean", "l1": "cityblock", "linf": "chebyshev"}
FAISS = {"l2": faiss.METRIC_L2, "l1": faiss.METRIC_L1, "linf": faiss.METRIC_Linf}


def rows(x: Tensor, sets: list[Tensor], metric: str) -> Tensor:
    """The plugin's own coordinates."""
    return coordinates(x, sets, faiss_distance(metric))[0]


def search(x: Tensor, sets: list[Tensor], metric: str) -> Tensor:
    """Coordinates by a search for one neighbour in each subset."""
    columns = [
        faiss.knn(x.numpy(), x[s].numpy(), 1, FAISS[metric])[0][:, 0] if len(s) else np.zeros(len(x)) for s in sets
    ]
    found = np.stack(columns, 1)
    return torch.from_numpy(np.sqrt(found.clip(0)) if metric == "l2" else found).float()


def scipys(x: Tensor, sets: list[Tensor], metric: str) -> Tensor:
    """Coordinates from the whole matrix of distances."""
    d = cdist(x.double().numpy(), x.double().numpy(), SCIPY[metric])
    return torch.from_numpy(np.stack([d[:, s.numpy()].min(1) if len(s) else np.zeros(len(x)) for s in sets], 1)).float()


def statistics(x: Tensor, f: Tensor, metric: str) -> tuple[float, float]:
    """What the fit does besides, in NumPy and SciPy: scaling, and the largest and smallest ratio."""
    f = f - f.mean(0)
    f = f * float(f.shape[1] / f.square().sum(1).mean()) ** 0.5
    some = slice(PAIRED)
    d, e = cdist(x[some], x[some], SCIPY[metric]), cdist(f[some], f[some])
    upper = np.triu(np.ones(d.shape, bool), 1) & (d > 0) & (e > 0)
    ratio = np.log(d[upper]) - np.log(e[upper])
    return float(ratio.max()), float(ratio.min())


def timed(what: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came out."""
    began = time.perf_counter()
    found = what()
    return time.perf_counter() - began, found


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=4096)
    parser.add_argument("--dim", type=int, default=784)
    parser.add_argument("--metrics", nargs="+", default=["l2", "l1"], choices=list(SCIPY))
    parser.add_argument("--no-scipy", action="store_true")
    asked = parser.parse_args()
    x = torch.rand(asked.items, asked.dim, generator=torch.Generator().manual_seed(0))
    sets = random_sets(asked.items, 5, torch.Generator().manual_seed(1))
    print(f"{asked.items} items of {asked.dim} dimensions, {len(sets)} subsets, {torch.get_num_threads()} threads")
    print(f"faiss {faiss.__version__}, torch {torch.__version__}")
    ways: dict[str, Callable[[Tensor, list[Tensor], str], Tensor]] = {"rows": rows, "search": search}
    if not asked.no_scipy:
        ways["scipy"] = scipys
    for metric in asked.metrics:
        options = EmbeddingOptions(metric=metric)
        whole, _ = timed(lambda: embed(options, x, faiss_distance(metric), torch.Generator().manual_seed(1)))  # noqa: B023
        print(f"{metric}: whole fit {whole:.2f} s")
        truth: Tensor | None = None
        for name, way in ways.items():
            seconds, f = timed(lambda: way(x, sets, metric))  # noqa: B023
            more = f" + statistics {timed(lambda: statistics(x, f, metric))[0]:.2f} s" if name == "scipy" else ""  # noqa: B023
            truth = f if truth is None else truth
            apart = float((f - truth).abs().max())
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            print(f"{metric}: {name:7} {seconds:6.2f} s{more}  largest difference {apart:.1e}  peak {peak:.1f} GB")


if __name__ == "__main__":
    main()
