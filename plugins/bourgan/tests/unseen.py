"""Measure the recipes `bourgan/every-mode-*` on data that nobody tuned on, made from a number, and say where they fail.

    python plugins/bourgan/tests/unseen.py --numbers 0-3
    python plugins/bourgan/tests/unseen.py --numbers 0-3 --brief
    python plugins/bourgan/tests/unseen.py --numbers 0 --only trefoil --train
    python plugins/bourgan/tests/unseen.py --numbers 0-9 --only published

The first measures the latent alone, without a game, in seconds a case: it does most of the work. The second says it in
one row a case. The third trains the recipe unchanged, too. The fourth takes the ten data sets of `every_mode.py`, of
whose latent it measures draws alone. A case fails a criterion where any of its draws does, or any of its seeds.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from every_mode import DATA, QUIET, RECIPE
from torch import Tensor
from unseen_cases import FAMILIES, Case, draw_case

from allmodes import BootstrapConfig, Data, EmConfig, Evaluation, Experiment, Fitting, load_run, seeded
from allmodes_bourgan.redrawn import Redrawn

METRICS = "evaluation.metrics=[modes, memorisation]"
SAMPLES, A_MODE, RARE, MOST = 2500, 10, 12, 20_000
"""Samples: so many, or so many a mode, or of the rarest mode on average, but at most so many."""
COLUMNS = (
    *("case", "sampler", "modes", "high quality, %", "variance ratio", "KL, nats", "memorisation", "copies, %"),
    *("CPU s", "fails"),
)
BRIEF = ("case", "modes", "high quality, %", "real data", "bootstrap", "variance ratio", "memorisation", "fails")
PUBLISHED = "published"
Numbers = dict[str, float]


class Published:
    """Data of `every_mode.py` as a case."""

    def __init__(self, number: int, geometry: int = 2027) -> None:
        self.title = list(DATA)[number]
        block = f"data={{{DATA[self.title]}, seed: {geometry}}}"
        self._data = Experiment.from_recipe(RECIPE, [block, METRICS], track=False).data
        self.truth = self._data.truth

    def data(self) -> Data:
        """The training items."""
        return self._data


class Bench:
    """Measures any samples of a case beside the same held-out items."""

    def __init__(self, case: Case | Published) -> None:
        self.case, self.data, weights = case, case.data(), case.truth.weights
        self.n = min(max(SAMPLES, A_MODE * len(weights), int(RARE / float(weights.min()))), MOST)
        spec = Experiment.from_recipe(RECIPE, [METRICS], track=False).spec
        self.metrics = [metric.build() for metric in spec.evaluation.metrics]
        self.held_out = self.data.held_out(self.n, generator(1))
        self.real = self.score(self.data.held_out(self.n, generator(2)).x)

    def score(self, samples: Tensor) -> Numbers:
        """The numbers of samples (N, D)."""
        evaluation = Evaluation(samples, self.data, self.held_out, generator(3))
        return {key: value for metric in self.metrics for key, value in metric.compute(evaluation).items()}

    def reference(self, config: BootstrapConfig | EmConfig) -> Numbers:
        """The numbers of a reference sampler."""
        sampler = config.build()
        sampler.fit(self.data, generator(4))
        return self.score(sampler.draw(self.n, generator(5)))

    def latent(self, draws: int) -> list[Numbers]:
        """The numbers of draws of the recipe's latent, without a network."""
        prior = Redrawn()
        prior.fit(Fitting(self.data, seeded(0)))
        codes = (prior(seeded(10 + seed), self.n).code for seed in range(draws))
        return [self.score(code.reshape(self.n, *self.data.shape)) for code in codes]

    def trained(self, seeds: int) -> list[Numbers]:
        """The numbers of seeds of the recipe."""
        with TemporaryDirectory() as folder:
            options = {"data": self.data, "folder": Path(folder), "track": False}
            Experiment.from_recipe(RECIPE, QUIET, **options).run(seeds=list(range(seeds)))
            runs = sorted(Path(folder).glob("*/seed-*"))
            return [self.score(load_run(run).sample(self.n, seed=7 + i)) for i, run in enumerate(runs)]

    def failures(self, runs: list[Numbers], bootstrap: Numbers) -> Iterator[str]:
        """The criteria that any of the runs fails, with the worst number beside that of real data."""
        real, k = self.real, len(self.case.truth.weights)
        if (modes := min(run["modes"] for run in runs)) < k:
            yield f"modes {modes:.0f}/{k} (real {real['modes']:.0f})"
        good, best = min(run["high_quality"] for run in runs), real["high_quality"]
        if good < best - 0.015:
            yield f"quality {good:.1%} ({best:.1%})"
        if good <= bootstrap["high_quality"] < best - 0.015:
            yield f"bootstrap {bootstrap['high_quality']:.1%}"
        for ratio in (run["variance_ratio"] for run in runs):
            if not 0.85 <= ratio <= 1.05:
                yield f"variance {ratio:.3f} ({real['variance_ratio']:.3f})"
                break
        if (memory := min(run["memorisation"] for run in runs)) <= 0.9:
            yield f"memorisation {memory:.3f} ({real['memorisation']:.3f})"


def generator(seed: int) -> torch.Generator:
    """A random generator."""
    return torch.Generator().manual_seed(seed)


def row(title: str, name: str, runs: list[Numbers], seconds: float, failures: str) -> str:
    """A line of the table, of the means over runs."""
    modes, mean = counts(runs), means(runs)
    numbers = [f"{mean[key]:.3f}" for key in ("variance_ratio", "kl", "memorisation")]
    cells = [title, name, modes, percent(mean), *numbers, f"{100 * mean['copies']:.1f}", f"{seconds:.1f}", failures]
    return f"| {' | '.join(cells)} |"


def counts(runs: list[Numbers]) -> str:
    """The modes of each run."""
    return ", ".join(f"{run['modes']:.0f}" for run in runs)


def means(runs: list[Numbers]) -> Numbers:
    """Each number's mean over runs."""
    return {key: sum(run[key] for run in runs) / len(runs) for key in runs[0]}


def percent(numbers: Numbers) -> str:
    """The share of high quality."""
    return f"{100 * numbers['high_quality']:.1f}"


def summarise(case: Case | Published, options: argparse.Namespace) -> Iterator[str]:
    """One row for a case: draws of the latent, with the high quality of real data and of the bootstrap."""
    bench = Bench(case)
    bootstrap, runs = bench.reference(BootstrapConfig()), bench.latent(options.draws)
    mean, fails = means(runs), "; ".join(bench.failures(runs, bootstrap))
    shares = [percent(numbers) for numbers in (mean, bench.real, bootstrap)]
    numbers = [f"{mean[key]:.3f}" for key in ("variance_ratio", "memorisation")]
    yield f"| {' | '.join([case.title, counts(runs), *shares, *numbers, fails])} |"


def measure(case: Case | Published, options: argparse.Namespace) -> Iterator[str]:
    """The rows of a case."""
    began = time.process_time()
    bench = Bench(case)
    bootstrap = bench.reference(BootstrapConfig())

    def rows(name: str, runs: list[Numbers]) -> str:
        nonlocal began
        now, began = began, time.process_time()
        failures = "; ".join(bench.failures(runs, bootstrap)) if name in ("latent", "every-mode") else ""
        return row(case.title, name, runs, began - now, failures)

    yield rows("real data", [bench.real])
    yield rows("bootstrap", [bootstrap])
    if options.em:
        yield rows("mixture by EM", [bench.reference(EmConfig())])
    yield rows("latent", bench.latent(options.draws))
    if options.train:
        yield rows("every-mode", bench.trained(options.draws))


def main() -> None:
    """Print a row for each sampler of each case, and how many cases fail which criterion."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--numbers", default="0", help="numbers of the cases of each family, such as 0-3")
    parser.add_argument("--only", default=",".join(FAMILIES), help=f"families, with commas; or {PUBLISHED}")
    parser.add_argument("--draws", type=int, default=3, help="draws of the latent, and seeds of the recipe")
    parser.add_argument("--em", action="store_true", help="measure a mixture by EM, too")
    parser.add_argument("--train", action="store_true", help="train the recipe, too")
    parser.add_argument("--brief", action="store_true", help="print one row a case, of the latent alone")
    options = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    first, _, last = options.numbers.partition("-")
    columns, rows = (BRIEF, summarise) if options.brief else (COLUMNS, measure)
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for number in range(int(first), int(last or first) + 1):
        for name in options.only.split(","):
            case = Published(number) if name == PUBLISHED else draw_case(name, number)
            for line in rows(case, options):
                print(line, flush=True)
    print(f"torch {torch.__version__}", file=sys.stderr)


if __name__ == "__main__":
    main()
