"""The papers' own experiments, published numbers beside ours: one command trains what is missing and prints the page.

python -m allmodes_study.papers --root data > docs/results/papers.md
"""

from __future__ import annotations

import argparse
import csv
import math
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from statistics import fmean, stdev

from allmodes import Experiment, compare
from allmodes_study.published import EXPERIMENTS, FINDINGS, NOT_RUN, PaperExperiment

COST = "cpu_seconds"
TABLE, BESIDE = "table.csv", "beside.csv"
"""What a comparison writes, and what was measured without training."""


def train(name: str, folder: Path, changes: Sequence[str]) -> None:
    """Train the runs of an experiment that are not finished, one after another."""
    experiment = EXPERIMENTS[name]
    seeds = range(experiment.seeds)
    overrides = (*experiment.changes, *changes)
    compare(experiment.recipes, seeds=seeds, overrides=overrides, jobs=1, folder=folder / name, track=False)


def measure_beside(name: str, folder: Path, changes: Sequence[str]) -> None:
    """Measure one draw of each reference sampler, as an experiment's first recipe does, and write the numbers."""
    experiment = EXPERIMENTS[name]
    recipe = Experiment.from_recipe(experiment.recipes[0], (*experiment.changes, *changes), track=False)
    draws = recipe.draw_references(1)
    rows = [(row, key, value) for row, (numbers,) in draws.items() for key, value in numbers.items()]
    (folder / name).mkdir(parents=True, exist_ok=True)
    with (folder / name / BESIDE).open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["method", "seed", "status", "metric", "value"])
        lines.writerows([row, "", "", key, "" if math.isnan(value) else repr(value)] for row, key, value in rows)


def page(folder: Path) -> str:
    """Write all experiments, from what lies in their folders."""
    parts = [INTRODUCTION, "## What the tables show\n\n" + "".join(f"- {line}\n" for line in FINDINGS)]
    parts += [section(experiment, folder / name) for name, experiment in EXPERIMENTS.items()]
    parts.append("## Not run\n\n" + "".join(f"- {line}\n" for line in NOT_RUN))
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("allmodes", "torch", "numpy"))
    parts.append(f"## Versions\n\n{versions}, Python {platform.python_version()}, one thread.\n")
    return "\n".join(parts)


INTRODUCTION = """# The papers' own experiments

By `python -m allmodes_study.papers --root DATA`, which trains what is missing; where CIFAR-10 lies in other files, with
`--set 'data={kind: arrays, path: cifar16.npz, x: x, labels: labels, test_x: test_x, test_labels: test_labels}'`.
Sizes are those of two CPU cores, and stated. Ours: mean ± standard error over seeds, last iterate, nothing selected but
where a section says so; `seeds` are the finished ones. Real data: as many held-out items by the same scorer. Shares are
between 0 and 1.
Published numbers come from other networks, budgets and sometimes rules: rows of one kind can be compared, the two kinds
only with care. Iterations are equal within an experiment, images seen are not: VEEGAN draws one batch for both players,
a plain GAN one for each. Measured on commit ca6ba17, one thread of a busy two-core CPU. Reference samplers of
images by `--references`, which trains nothing and draws once from each; measured on commit 989870a of MNIST's zeros
and fours, on 1bc82e9 of Fashion-5 and CIFAR-10's two classes, on 3440cc2 of Stacked MNIST.
"""


def section(experiment: PaperExperiment, folder: Path) -> str:
    """Tabulate an experiment: published rows, real data and whatever else was measured beside, then ours."""
    measured = {**read(folder / BESIDE), **read(folder / TABLE)}
    header = ["", "seeds", *experiment.keys, "CPU seconds a seed"]
    rows = [[f"{p.method} ({p.source})", "", *cells(p.numbers, experiment.keys), ""] for p in experiment.published]
    rows += list(measured_rows(measured, experiment))
    recipes = ", ".join(f"`{recipe}`" for recipe in experiment.recipes)
    changes = f" with {', '.join(f'`{c}`' for c in experiment.changes)}" if experiment.changes else ""
    note = "" if measured else "\n**Not run.**\n"
    text = f"## {experiment.title}\n\n{experiment.differences} Recipes: {recipes}{changes}.\n{note}"
    return f"{text}\n{table(header, rows)}"


def read(file: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Read numbers by method, seed and metric from a comparison's table; nothing if it is not there."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    if file.exists():
        with file.open(encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                if row["value"] and row["status"] in ("finished", ""):
                    found.setdefault(row["method"], {}).setdefault(row["seed"], {})[row["metric"]] = float(row["value"])
    return found


def measured_rows(
    measured: Mapping[str, Mapping[str, Mapping[str, float]]], experiment: PaperExperiment
) -> Iterator[list[str]]:
    """A row for each method of a table: real data and references first, which have no seeds.

    A reference that has none of the numbers that are shown is left out.
    """
    ordered = sorted(measured.items(), key=lambda item: "" not in item[1])
    for method, seeds in ordered:
        numbers = {key: average([one[key] for one in seeds.values() if key in one]) for key in (*experiment.keys, COST)}
        n = "" if "" in seeds else str(len(seeds))
        if not n and not any(numbers.values()):
            continue
        yield [f"**{method}**" if n else method, n, *cells(numbers, experiment.keys), numbers[COST].partition(" ")[0]]


def average(values: Sequence[float]) -> str:
    """Format a mean and, of two or more, its standard error and each seed's."""
    if len(values) < 2:
        return "".join(f"{value:.4g}" for value in values)
    error, each = stdev(values) / math.sqrt(len(values)), ", ".join(f"{value:.4g}" for value in values)
    return f"{fmean(values):.4g} ± {error:.2g} ({each})"


def cells(numbers: Mapping[str, str], keys: Sequence[str]) -> list[str]:
    """The numbers by key, empty where there is none."""
    return [numbers.get(key, "") for key in keys]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows as Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    """Train the experiments that are named, or all, and print the page of all that there are."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", choices=[*EXPERIMENTS, []], help="experiments to train (default: all)")
    parser.add_argument("--folder", type=Path, default=Path("runs/papers"), help="where runs lie")
    parser.add_argument("--root", help="folder of MNIST, FashionMNIST and cifar-10-batches-py")
    parser.add_argument("--set", action="append", default=[], metavar="CHANGE", help="a change to every spec trained")
    parser.add_argument("--page", action="store_true", help="train nothing")
    parser.add_argument("--references", action="store_true", help="measure reference samplers alone")
    options = parser.parse_args()
    begin = measure_beside if options.references else train
    for name in () if options.page else options.names or EXPERIMENTS:
        root = [f"data.root={options.root}"] if options.root and has_root(name) else []
        begin(name, options.folder, [*root, *options.set])
    sys.stdout.write(page(options.folder))


def has_root(name: str) -> bool:
    """Whether an experiment's data are files."""
    return name not in ("veegan-ring", "veegan-grid", "veegan-1200")


if __name__ == "__main__":
    main()
