"""Tables of results, plugins and kinds for the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from allmodes.cli import describe
from allmodes.registry.registry import Registry
from allmodes.registry.slots import Kind, Plugin
from allmodes.runs import averages
from allmodes.text.numbers import number
from allmodes_schemas import DiscriminatorOptions, NetworkConfig

if TYPE_CHECKING:
    from allmodes.runs.results import Results
    from allmodes_schemas import KindConfig


def results_table(results: Results) -> Table:
    """Tabulate metrics: mean and standard error over the seeds, the average over the end, real data, every seed.

    A dash is a number that was withheld; if some seeds withheld theirs, the mean is followed by how many did not.
    """
    seeds = list(results.outcomes)
    table = Table(title=f"{results.spec.name}: {results.status}", title_justify="left")
    columns = ["metric", "mean", "s.e.", "last 30 %", "real data", *(f"seed {seed}" for seed in seeds)]
    for column in columns:
        table.add_column(column, justify="left" if column == "metric" else "right")
    for metric in results.metrics:
        each = [number(outcome.results.get(metric)) for outcome in results.outcomes.values()]
        own, recent = results.values(metric), results.values(f"recent_{metric}")
        means = [number(averages.mean(values)) + averages.over(values, len(seeds)) for values in (own, recent)]
        error = number(averages.standard_error(own))
        table.add_row(metric, means[0], error, means[1], number(results.floors.get(metric)), *each)
    captions = (_explain_dash(one.results for one in results.outcomes.values()), _explain_lengths(results))
    table.caption = "\n".join(filter(None, captions)) or None
    return table


def measures_table(title: str, seeds: Mapping[int, Mapping[str, float]], floors: Mapping[str, float]) -> Table:
    """Tabulate metrics: real data, and every seed."""
    table = Table(title=title, title_justify="left")
    for column in ("metric", "real data", *(f"seed {seed}" for seed in seeds)):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for metric in dict.fromkeys(name for results in seeds.values() for name in results):
        each = [number(results.get(metric)) for results in seeds.values()]
        table.add_row(metric, number(floors.get(metric)), *each)
    table.caption = _explain_dash(seeds.values())
    return table


def _explain_lengths(results: Results) -> str | None:
    """List the iterations of the seeds, if they differ."""
    at = {seed: outcome.iteration for seed, outcome in results.outcomes.items()}
    if len(set(at.values())) < 2:
        return None
    return (
        f"means are over seeds at different iterations: {', '.join(f'{n:,} (seed {seed})' for seed, n in at.items())}"
    )


def _explain_dash(seeds: Iterable[Mapping[str, float]]) -> str | None:
    """Explain the dash, if a seed withheld a number."""
    withheld = any(math.isnan(value) for results in seeds for value in results.values())
    return "-: withheld, too little to measure (docs/metrics.md)" if withheld else None


def plugins_table(registry: Registry) -> Table:
    """Tabulate plugins: distribution, version, origin, kinds and recipes, or why one could not be loaded."""
    table = Table(title="Plugins", title_justify="left")
    for column in ("plugin", "distribution", "from", "kinds and recipes"):
        table.add_column(column, overflow="fold")
    kinds = list(registry.all_kinds())
    recipes = list(registry.recipes)
    for plugin in registry.plugins.values():
        own = [f"{word} {kind.name}" for word, kind in kinds if kind.plugin.name == plugin.name]
        table.add_row(plugin.name, str(plugin), plugin.origin, _offer(plugin, own, recipes))
    return table


def _offer(plugin: Plugin, kinds: Sequence[str], recipes: Sequence[str]) -> str | Text:
    if plugin.error:
        return Text.assemble(("could not be loaded:", "red"), f" {plugin.error}")
    owned = [name for name in recipes if name.startswith(f"{plugin.name}/")]
    return "\n".join([*kinds, *(f"recipe {name}" for name in owned)])


def kinds_table(registry: Registry) -> Table:
    """Tabulate kinds, each with its one-line summary."""
    table = Table(title="Kinds", title_justify="left")
    for column in ("slot", "kind", "what it is", "from"):
        table.add_column(column, overflow="fold")
    for word, kind in registry.all_kinds():
        table.add_row(word, kind.name, kind.config.summary(), str(kind.plugin))
    return table


def kind_table(slot: str, kind: Kind) -> Table:
    """Tabulate a kind: its slot and plugin, what it requires and what it provides."""
    table = Table(title=f"{kind.name}: {kind.config.summary()}", title_justify="left", show_header=False)
    table.add_row("slot", slot)
    table.add_row("from", str(kind.plugin))
    table.add_row("requires", "\n".join(describe.list_requirements(kind.config)) or "nothing")
    if provisions := describe.list_provisions(kind.config):
        table.add_row("provides", "\n".join(provisions))
    return table


def options_table(config: type[KindConfig]) -> Table:
    """Tabulate the options of a kind: name, type with range and unit, default, meaning."""
    table = Table(title="Options", title_justify="left")
    for column in ("option", "type", "default", "meaning"):
        table.add_column(column, overflow="fold")
    for option in describe.list_options(config):
        table.add_row(option.name, option.type, option.default, option.meaning)
    if issubclass(config, NetworkConfig):
        for option in describe.list_options(DiscriminatorOptions):
            table.add_row(
                option.name, option.type, option.default, f"{option.meaning} In the slot discriminator alone."
            )
    return table
