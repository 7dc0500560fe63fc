"""What theory, real data, chance and the reference samplers score on the benchmarks.

    python tests/benchmarks/references.py [--seeds 3] [--data-seed 0] [recipe ...]

Prints a table in Markdown for each recipe, by default for all of `benchmarks/...`. Reference samplers are fitted to the
training items and measured by `modes`, and 1,000 samples by `w1` and memorisation; a row is mean ± standard deviation
over seeds of all that is random but the geometry and the training items.
"""

import argparse
import math
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from statistics import fmean, stdev

import torch
from scipy.stats import chi2
from torch import Tensor

from allmodes import (
    Batch,
    Data,
    Evaluation,
    MemorisationConfig,
    Mixture,
    ModesConfig,
    Spec,
    Truth,
    WassersteinConfig,
    installed,
)
from allmodes.game.noise import rng
from allmodes.metrics import build_metrics, build_references
from allmodes.metrics.measure import measure
from allmodes.specs.loading import load

COLUMNS = {
    "modes": "modes", "high_quality": "high quality", "kl": "kl", "variance_ratio": "variance ratio", "w1": "w1",
    "memorisation": "memorisation", "copies": "copies",
}  # fmt: skip
FEW = 1000
"""Samples whose distances are measured."""
Draw = Callable[[torch.Generator], Tensor]
Numbers = Mapping[str, float]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data-seed", type=int, default=0)
    parser.add_argument("recipes", nargs="*")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    names = chosen.recipes or sorted(name for name in installed().recipes if name.startswith("benchmarks/"))
    print(f"torch {torch.__version__}, allmodes {version('allmodes')}, seeds 0 to {chosen.seeds - 1}\n")
    for name in names:
        print("\n".join(table(name, chosen.seeds, [f"data.seed={chosen.data_seed}"])), flush=True)


def table(name: str, seeds: int, overrides: Sequence[str]) -> Iterator[str]:
    """Lines of the table of a recipe."""
    spec = load(name, installed(), overrides)
    data = spec.data.build()
    n = spec.evaluation.samples
    yield f"### {name}\n\n{describe(spec, data)}; {n:,} samples\n"
    yield f"| | {' | '.join(COLUMNS.values())} |\n|---|{'---|' * len(COLUMNS)}"
    yield row("perfect, in theory", [in_theory(data.truth, n)])
    for title, draw in samplers(spec, data, n).items():
        yield row(title, [scores(data, draw, n, seed) for seed in range(seeds)])
    yield ""


def describe(spec: Spec, data: Data) -> str:
    """Settings that are not defaults, and what follows from them."""
    settings = {"kind": spec.data.kind, **spec.data.model_dump(exclude_defaults=True, exclude={"kind"})}
    given = ", ".join(f"{key}: {value}" for key, value in settings.items())
    return f"`{{{given}}}`: {data.classes:,} modes of shape {data.shape}, {data.items:,} items"


def in_theory(truth: Truth, n: int) -> Numbers:
    """What closed forms expect of n independent items of the distribution itself."""
    weights, good = truth.weights.double(), 1 - math.exp(-4.5)
    free = directions(truth)
    return {
        "modes": float((1 - (1 - good * weights) ** n).sum()),
        "high_quality": good,
        "kl": (len(weights) - 1) / (2 * n * good),
        "variance_ratio": float(chi2.cdf(truth.radius**2, free + 2) / chi2.cdf(truth.radius**2, free)),
    }


def directions(truth: Truth) -> int:
    """Number of directions in which items of a mode vary at random."""
    inside = getattr(truth, "mixture", truth)
    return inside.noisy if isinstance(inside, Mixture) else math.prod(truth.shape) - 1


def samplers(spec: Spec, data: Data, n: int) -> dict[str, Draw]:
    """How the rows' samples are drawn."""
    rows: dict[str, Draw] = {"real data": lambda generator: data.held_out(n, generator).x}
    if data.truth is not None:
        low, high = data.truth.box()
        rows["chance"] = lambda g: (low + (high - low) * torch.rand(n, len(low), generator=g)).view(n, *data.shape)
    for title, sampler in build_references(spec.evaluation.references).items():
        rows[title] = lambda g, sampler=sampler: (sampler.fit(data, g), sampler.draw(n, g))[1]  # type: ignore[misc]
    return rows


def scores(data: Data, draw: Draw, n: int, seed: int) -> Numbers:
    """The numbers of samples that are drawn from a seed."""
    generator = rng(seed, "benchmarks")
    samples, real = draw(generator), Batch(data.held_out(n, generator).x)
    numbers = measure(build_metrics([ModesConfig()]), Evaluation(samples, data, real, generator), warnings.warn)
    few = Evaluation(samples[:FEW], data, Batch(real.x[:FEW]), generator)
    others = build_metrics([WassersteinConfig(samples=FEW), MemorisationConfig()])
    return {**numbers, **measure(others, few, warnings.warn)}


def row(title: str, found: Sequence[Numbers]) -> str:
    """A line of a table."""
    return f"| {title} | {' | '.join(cell([numbers[key] for numbers in found if key in numbers]) for key in COLUMNS)} |"


def cell(values: Sequence[float]) -> str:
    """Mean and standard deviation."""
    if not values or any(map(math.isnan, values)):
        return "-"
    spread = f" ± {stdev(values):.2g}" if len(values) > 1 and stdev(values) > 0 else ""
    return f"{fmean(values):.4g}{spread}"


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
