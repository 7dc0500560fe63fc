"""Measure the recipes `bourgan/every-mode-*` on data that nobody tuned on, beside samplers without a game.

    python plugins/bourgan/tests/every_mode.py --seeds 3

trains the recipe unchanged on random geometries, which `--geometry` numbers, and prints a table for each. Every row is
measured by the same scorer on equally many samples. `--part leave-out` exchanges parts of the recipe.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from allmodes import Evaluation, Experiment, TensorData, load_run, seeded
from allmodes.testing import compose

RECIPE = "bourgan/every-mode-grid"
SAMPLES = 2500
"""Samples that are measured, or ten for each mode where that is more."""
ITEMS = 8192
"""Training items of all data, as many as reference samplers of pixels are given."""
METRICS = "evaluation.metrics=[modes, {kind: wasserstein, samples: 1000}, memorisation]"
QUIET = ("evaluation.metrics=[]", "evaluation.references=[]", "evaluation.every=1000000", "training.engine=stacked")

DATA: Mapping[str, str] = {
    "16 modes, widths 1:4, weights 1:10": "kind: benchmarks.mixture, modes: 16, width_ratio: 4, weight_ratio: 10",
    "100 modes in clusters of clusters": "kind: benchmarks.mixture, modes: [5, 5, 4]",
    "16 modes, weights 1:200": "kind: benchmarks.mixture, modes: 16, weight_ratio: 200",
    "12 modes in 10 dimensions, widths 1:4": "kind: benchmarks.mixture, dims: 10, modes: 12, width_ratio: 4",
    "10 modes in 50 dimensions, widths 1:2": "kind: benchmarks.mixture, dims: 50, modes: 10, width_ratio: 2",
    "6 arcs": "kind: benchmarks.arcs, arcs: 6",
    "6 arcs in 10 dimensions": "kind: benchmarks.arcs, arcs: 6, dims: 10",
    "3 spirals": "kind: benchmarks.spirals, arms: 3, turns: 2",
    "1,000 modes": "kind: benchmarks.mixture, modes: 1000",
    "64 sprites of 8 x 8 px": "kind: benchmarks.sprites",
}

RAMP = "weight: {start: 5, end: 1, over: 400}"
MLP = "{kind: mlp, hidden: [64, 64]}"
LEAKY = "{kind: mlp, hidden: [64, 64], activation: leaky_relu}"
BOOTSTRAP = "prior={kind: bourgan.local}"
LEFT_OUT: Mapping[str, Sequence[str]] = {
    "the recipe": (),
    "latent copies the item (h = 0)": ("prior.noise=0",),
    "latent forgets the item (h = 1)": ("prior.noise=1",),
    "smoothed bootstrap as the latent": (BOOTSTRAP,),
    "smoothed bootstrap, D sees raw x": (BOOTSTRAP, f"discriminator={LEAKY}"),
    "smoothed bootstrap, G's network sees raw e": (BOOTSTRAP, f"generator.network={MLP}"),
    "smoothed bootstrap, penalties on raw slopes": (
        BOOTSTRAP,
        f"losses=[{{kind: relativistic}}, {{kind: r1, {RAMP}}}, {{kind: r2, {RAMP}}}]",
    ),
    "smoothed bootstrap, non-saturating game": (BOOTSTRAP, "losses.0={kind: non_saturating}"),
    "G not residual": (f"generator={MLP}",),
}
LATENTS = 4
"""The first rows exchange the latent, and are measured without the game, too."""
LEFT_OUT_ON = ("12 modes in 10 dimensions, widths 1:4", "6 arcs")


@dataclass
class Table:
    """Rows of numbers by key, one set of numbers a seed."""

    title: str
    rows: dict[str, list[dict[str, float]]] = field(default_factory=dict)

    def add(self, name: str, runs: list[dict[str, float]]) -> None:
        """Add a row, and report it."""
        self.rows[name] = runs
        print(self._row(name), file=sys.stderr, flush=True)

    def markdown(self) -> Iterator[str]:
        """The table, a line at a time: means over seeds, and modes and high quality of each seed."""
        yield f"### {self.title}\n"
        yield "| sampler | modes | high quality, % (each) | variance ratio | KL, nats | W1 | memorisation | copies, % |"
        yield "|---|---|---|---|---|---|---|---|"
        yield from (self._row(name) for name in self.rows)
        yield ""

    def _row(self, name: str) -> str:
        runs = self.rows[name]
        good = [100 * run["high_quality"] for run in runs]
        modes = ", ".join(f"{run['modes']:.0f}" for run in runs)
        means = {key: statistics.fmean(run[key] for run in runs) for key in runs[0]}
        numbers = [number(means[key]) for key in ("variance_ratio", "kl", "w1", "memorisation")]
        each = f" ({', '.join(f'{value:.1f}' for value in good)})" if len(good) > 1 else ""
        cells = [name, modes, f"{statistics.fmean(good):.1f}{each}", *numbers, f"{100 * means['copies']:.1f}"]
        return f"| {' | '.join(cells)} |"


def number(value: float) -> str:
    """A cell; one that a metric withheld is a hyphen."""
    return "-" if math.isnan(value) else f"{value:.3f}"


class Scorer:
    """Measures any samples of one set of data, beside the same held-out items."""

    def __init__(self, data: str) -> None:
        self.spec = Experiment.from_recipe(RECIPE, [data, METRICS], track=False).spec
        self.data = self.spec.data.build()
        self.metrics = [metric.build() for metric in self.spec.evaluation.metrics]
        assert self.data.truth is not None
        self.n = max(SAMPLES, 10 * len(self.data.truth.weights))
        self.real = self.data.held_out(self.n, generator(1))

    def score(self, samples: Tensor) -> dict[str, float]:
        """All numbers of samples (N, *shape)."""
        evaluation = Evaluation(samples, self.data, self.real, generator(3))
        return {key: value for metric in self.metrics for key, value in metric.compute(evaluation).items()}

    def reference(self, config: Any) -> dict[str, float]:
        """The numbers of a reference sampler."""
        sampler = config.build()
        sampler.fit(self.data, generator(4))
        return self.score(sampler.draw(self.n, generator(5)))

    def reference_of_pixels(self, config: Any) -> dict[str, float]:
        """The numbers of a reference sampler that sees images as vectors, without its reduction of pixels."""
        sampler, items = config.build(), self.data.draw(ITEMS, generator(4)).x
        sampler.fit(TensorData(items.flatten(1)), generator(4))
        drawn = sampler.draw(self.n, generator(5)).reshape(self.n, *self.data.shape)
        return self.score(drawn.clamp(items.min(), items.max()))

    def latent(self, data: str, overrides: Sequence[str], seed: int) -> dict[str, float]:
        """The numbers of a recipe's latent alone, without its network."""
        prior: Any = compose(RECIPE, data, *overrides, seed=seed).modules["prior"]
        return self.score(prior(seeded(seed), self.n).code.reshape(self.n, *self.data.shape))


def generator(seed: int) -> torch.Generator:
    """A random generator."""
    return torch.Generator().manual_seed(seed)


def train(scorer: Scorer, data: str, overrides: Sequence[str], seeds: range) -> list[dict[str, float]]:
    """The numbers of each seed of a recipe on data."""
    with TemporaryDirectory() as folder:
        settings = [data, *QUIET, *overrides]
        Experiment.from_recipe(RECIPE, settings, folder=Path(folder), track=False).run(seeds=list(seeds))
        runs = sorted(Path(folder).glob("*/seed-*"))
        # Of one draw of latents, seeds that share a fit would be no replicates.
        return [scorer.score(load_run(run).sample(scorer.n, seed=7 + i)) for i, run in enumerate(runs)]


def compare(title: str, data: str, seeds: range) -> Table:
    """The recipe beside real data, reference samplers and its latent alone."""
    scorer, table = Scorer(data), Table(title)
    table.add("real data", [scorer.score(scorer.data.held_out(scorer.n, generator(2)).x)])
    for reference in scorer.spec.evaluation.references:
        table.add(reference.row(), [scorer.reference(reference)])
        if len(scorer.data.shape) > 1 and reference.kind != "copy":
            table.add(f"{reference.row()}, of all pixels", [scorer.reference_of_pixels(reference)])
    table.add("latent alone, no game", [scorer.latent(data, (), seed) for seed in seeds])
    began = time.process_time()
    table.add("**every-mode**", train(scorer, data, (), seeds))
    table.title += f" ({(time.process_time() - began) / len(seeds):.0f} CPU s a seed)"
    return table


def leave_out(title: str, data: str, seeds: range) -> Table:
    """The recipe with parts exchanged, and its latents alone."""
    scorer, table = Scorer(data), Table(title)
    table.add("real data", [scorer.score(scorer.data.held_out(scorer.n, generator(2)).x)])
    for number, (name, overrides) in enumerate(LEFT_OUT.items()):
        if number < LATENTS:
            table.add(f"{name}, no game", [scorer.latent(data, overrides, seed) for seed in seeds])
        table.add(name, train(scorer, data, overrides, seeds))
    return table


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument("--geometry", type=int, default=2718, help="number of the random geometries")
    parser.add_argument("--only", default="", help="data whose titles hold this")
    parser.add_argument("--part", choices=("compare", "leave-out"), default="compare")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    measure, titles = (compare, tuple(DATA)) if options.part == "compare" else (leave_out, LEFT_OUT_ON)
    for title in titles:
        if options.only in title:
            data = f"data={{{DATA[title]}, seed: {options.geometry}}}"
            print("\n".join(measure(title, data, range(options.seeds)).markdown()), flush=True)


if __name__ == "__main__":
    main()
