"""Measure latents without the training set, a few charts and a plain Gaussian, for docs/results/every_mode_latents.md.

    python plugins/bourgan/tests/every_mode_latents.py grid ring

fills two tables of that page; without names all of them. Every row of a table is measured by one scorer on as many
samples. Recipes are as they are shipped, on the data of the table; rows below them exchange one thing. Needs
allmodes-modern beside this plugin.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from every_mode import QUIET, SAMPLES, Scorer, generator, number

from allmodes import Experiment, load_run
from allmodes.testing import compose
from allmodes_bourgan.atlas import EMPTY, Atlas

PAGE = Path(__file__).parents[3] / "docs" / "results" / "every_mode_latents.md"
SWITCH = "modern/switch-grid"
LOCAL_GAME = (
    "discriminator={kind: bourgan.chart, network: {kind: mlp, hidden: [64, 64], activation: leaky_relu}}",
    "losses=[{kind: modern.coupling}, {kind: relativistic, start: 1000},"
    " {kind: bourgan.local_penalty, start: 1000, weight: {start: 5, end: 1, begin: 1000, over: 1000}}]",
)


class Row(NamedTuple):
    """A name, one set of numbers a seed, numbers of the data that are kept, and CPU seconds a seed."""

    name: str
    runs: list[dict[str, float]]
    kept: int | None = None
    seconds: float | None = None

    def cells(self) -> str:
        """A line of the table."""
        good, modes = ([run[key] for run in self.runs] for key in ("high_quality", "modes"))
        each = f" ({min(good):.1%} to {max(good):.1%})" if len(good) > 1 else ""
        keys = ("variance_ratio", "kl", "w1", "memorisation")
        means = [number(statistics.fmean(run[key] for run in self.runs)) for key in keys]
        found = f"{min(modes):.0f}" if min(modes) == max(modes) else f"{min(modes):.0f} to {max(modes):.0f}"
        kept = "" if self.kept is None else f"{self.kept:,}"
        cost = "" if self.seconds is None else f"{self.seconds:.0f}"
        return f"| {' | '.join([self.name, found, f'{statistics.fmean(good):.1%}{each}', *means, kept, cost])} |"


class Bench:
    """Rows about one set of data."""

    def __init__(self, data: str, seeds: int) -> None:
        self.data, self.seeds, self.scorer = data, range(seeds), Scorer(data)
        d = self.scorer.real.x[0].numel()
        self.size = f"prior={{kind: gaussian, dim: {d}, nuisance_dim: {d + 1}}}"

    def references(self) -> Iterator[Row]:
        """Real data, and samplers that learn nothing."""
        yield Row("real data", [self.scorer.score(self.scorer.data.held_out(SAMPLES, generator(2)).x)])
        items = int(self.scorer.data.items or 0) * int(self.scorer.real.x[0].numel())
        for reference in self.scorer.spec.evaluation.references:
            kept = None if reference.kind == "em" else items
            yield Row(reference.row(), [self.scorer.reference(reference)], kept)

    def latent(self, name: str, *overrides: str) -> Row:
        """The latent of every-mode with these overrides, without a network."""
        runs = [self.scorer.latent(self.data, overrides, seed) for seed in self.seeds]
        return Row(name, runs, kept("bourgan/every-mode-grid", self.data, *overrides, of=("prior",)))

    def trained(self, name: str, recipe: str, *overrides: str) -> Row:
        """A recipe with these overrides on the data."""
        began, settings = time.process_time(), [self.data, *QUIET, *overrides]
        with TemporaryDirectory() as folder:
            Experiment.from_recipe(recipe, settings, folder=Path(folder), track=False).run(seeds=list(self.seeds))
            cost = (time.process_time() - began) / len(self.seeds)
            models = [load_run(run) for run in sorted(Path(folder).glob("*/seed-*"))]
            runs = [self.scorer.score(model.sample(SAMPLES, seed=7 + seed)) for seed, model in enumerate(models)]
        return Row(name, runs, kept(recipe, self.data, *overrides), cost)


def kept(recipe: str, *overrides: str, of: Sequence[str] = ("prior", "generator")) -> int:
    """Numbers of the data that modules keep: items, charts, experts' first places; not learned weights."""
    modules: Any = compose(recipe, *overrides).modules
    parts = [part for name in of for part in modules[name].modules()]
    charts = {part.centres.numpy().tobytes(): _charts(part) for part in parts if isinstance(part, Atlas)}
    return sum(charts.values()) + sum(_own(part) for part in parts if not isinstance(part, Atlas))


def _charts(atlas: Atlas) -> int:
    """Numbers of the charts that are not empty, and of the units."""
    each = (atlas.log_shares, atlas.centres, atlas.axes, atlas.lengths, atlas.widths)
    there = atlas.log_shares > EMPTY / 2
    return sum(values[there].numel() for values in each) + atlas.mean.numel() + atlas.std.numel()


def _own(part: Any) -> int:
    """Numbers of a part's own buffers that are the data's."""
    own = dict(part.named_buffers(recurse=False))
    return sum(own[name].numel() for name in ("items", "centres", "widths", "mean", "std") if name in own)


def compressed(charts: int | str) -> str:
    """The prior with so many charts."""
    return f"prior={{kind: bourgan.compressed, charts: {charts}}}"


def recipes(bench: Bench) -> Iterator[Row]:
    """The recipes beside what learns nothing and what has no game."""
    yield from bench.references()
    yield bench.latent("charts alone, no game", compressed("null"))
    yield bench.trained("**every-mode-compressed**, charts and a game", "bourgan/every-mode-compressed-grid")
    yield bench.trained("**switch**, a Gaussian latent, no game", SWITCH, bench.size)


def sizes(bench: Bench) -> Iterator[Row]:
    """How coarse the latent may be, without the game and, where that leaves something to mend, with it."""
    for m in (16, 64, 256, 1024):
        yield bench.latent(f"m = {m}, no game", compressed(m))
        if m <= 64:
            yield bench.trained(f"m = {m}, game", "bourgan/every-mode-compressed-grid", f"prior.charts={m}")


def parts(bench: Bench) -> Iterator[Row]:
    """What the Gaussian latent owes to each part."""
    yield bench.trained("switch", SWITCH, bench.size)
    yield bench.trained("coupled at random", SWITCH, bench.size, "losses.0.block=1")
    yield bench.trained("16 experts", SWITCH, bench.size, "generator.experts=16")
    yield bench.trained("one expert: a continuous map and noise", SWITCH, bench.size, "generator.experts=1")


def game(bench: Bench) -> Iterator[Row]:
    """What a game adds to the Gaussian latent."""
    yield bench.trained("switch, no game", SWITCH, bench.size)
    yield bench.trained("switch, and a game in local units", SWITCH, bench.size, *LOCAL_GAME)


HEAD = """| sampler | modes | high quality (from, to) | variance ratio | KL, nats | W1 | memorisation | kept | CPU s |
|---|---:|---|---:|---:|---:|---:|---:|---:|"""
TEN = Experiment.from_recipe("bourgan/every-mode-ten-dims", track=False).spec.data.model_dump_json()
TABLES: Mapping[str, tuple[Callable[[Bench], Iterator[Row]], str, int]] = {
    "grid": (recipes, "{kind: grid, items: 8192}", 5),
    "ten-dims": (recipes, TEN, 3),
    "parts": (parts, "{kind: grid, items: 8192}", 2),
    "sizes": (sizes, "{kind: grid, items: 8192}", 2),
    "ring": (recipes, "{kind: ring, items: 8192}", 5),
    "game": (game, TEN, 2),
    "widths": (recipes, "{kind: benchmarks.mixture, modes: 16, width_ratio: 4, weight_ratio: 10, seed: 2027}", 2),
    "arcs": (recipes, "{kind: benchmarks.arcs, arcs: 6, seed: 2027}", 2),
}


def fill(page: str, name: str, text: str) -> str:
    """The page with a text between its marks `<!-- begin name -->` and `<!-- end name -->`."""
    begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    if not after:
        raise SystemExit(f"{PAGE} has no marks for {name}")
    return f"{before}{begin}{text}\n{end}{after}"


def measured() -> str:
    """When, by what, and on what code."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout
    versions = f"Python {platform.python_version()}, torch {torch.__version__}"
    return f"Measured on {time.strftime('%Y-%m-%d')}, {versions}, commit {commit.strip()}, one thread of a shared CPU."


def main() -> None:
    """Fill the page's tables, one by one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", default=list(TABLES), help=f"of {', '.join(TABLES)}; by default all")
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    for name in parser.parse_args().tables:
        rows, data, seeds = TABLES[name]
        bench = Bench(f"data={data}", seeds)
        lines = [HEAD.replace("sampler", f"sampler, {seeds} seeds", 1)]
        for row in rows(bench):
            lines.append(row.cells())
            print(lines[-1], file=sys.stderr, flush=True)
        PAGE.write_text(fill(PAGE.read_text("utf-8"), name, "\n".join(lines)), "utf-8")
    PAGE.write_text(fill(PAGE.read_text("utf-8"), "measured", measured()), "utf-8")


if __name__ == "__main__":
    main()
