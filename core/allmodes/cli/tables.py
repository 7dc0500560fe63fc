"""Tables of results, plugins and kinds for the terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from allmodes.cli import console, describe
from allmodes.experiments.logs import describe_end
from allmodes.registry.registry import Registry
from allmodes.registry.slots import Kind, Plugin
from allmodes.runs import averages
from allmodes.text.numbers import number
from allmodes_schemas import DiscriminatorOptions, NetworkConfig, Spec

if TYPE_CHECKING:
    from allmodes.experiments.results import Results
    from allmodes_schemas import KindConfig

ARROWS = {"higher": "\u2191", "lower": "\u2193"}
PLAIN_ARROWS = {"higher": "^", "lower": "v"}
"""For terminals that have no others."""


def results_table(results: Results) -> Table:
    """Tabulate metrics: mean and standard error over the seeds, the average over the end, real data, every seed.

    A dash is a number that was withheld; if some seeds withheld theirs, the mean is followed by how many did not.
    """
    seeds = (f"seed {seed}" for seed in results.outcomes)
    title = f"{results.spec.name}: {results.status}"
    table = _numbers_table(title, "metric", "mean", "s.e.", "last 30 %", "real data", *seeds)
    keys = arrow_keys(results.spec)
    for metric in results.metrics:
        each = [number(outcome.results.get(metric)) for outcome in results.outcomes.values()]
        mean, recent = _mean(results, metric), _mean(results, f"recent_{metric}")
        error = number(results.standard_error(metric))
        table.add_row(_with_arrow(metric, keys), mean, error, recent, number(results.floors.get(metric)), *each)
    captions = (
        _name_sampler(results.spec),
        _explain_arrows(results.metrics, keys),
        _explain_dash(one.results for one in results.outcomes.values()),
        _explain_lengths(results),
        *_explain_ends(results),
    )
    table.caption = "\n".join(filter(None, captions)) or None
    return table


def measures_table(
    title: str, seeds: Mapping[int, Mapping[str, float]], floors: Mapping[str, float], spec: Spec | None = None
) -> Table:
    """Tabulate metrics: real data, and every seed, whose samples were drawn as a spec says."""
    table = _numbers_table(title, "metric", "real data", *(f"seed {seed}" for seed in seeds))
    keys = arrow_keys(spec)
    metrics = list(dict.fromkeys(name for results in seeds.values() for name in results))
    for metric in metrics:
        each = [number(results.get(metric)) for results in seeds.values()]
        table.add_row(_with_arrow(metric, keys), number(floors.get(metric)), *each)
    captions = (_name_sampler(spec), _explain_arrows(metrics, keys), _explain_dash(seeds.values()))
    table.caption = "\n".join(filter(None, captions)) or None
    return table


def references_table(
    metrics: Iterable[str],
    seeds: Sequence[Mapping[str, float]],
    floors: Mapping[str, float],
    references: Mapping[str, Mapping[str, float]],
) -> Table:
    """Tabulate metrics: the mean over seeds, real data, and reference samplers."""
    table = _numbers_table("What a game has to beat", "metric", "mean", "real data", *references)
    for metric in metrics:
        mean = averages.mean([results[metric] for results in seeds if metric in results])
        table.add_row(metric, *map(number, (mean, *(one.get(metric) for one in (floors, *references.values())))))
    return table


def beside_table(title: str, beside: Mapping[str, Mapping[str, float]], spec: Spec) -> Table:
    """Tabulate metrics of what stands beside a model: real data and reference samplers, by their rows."""
    table, keys = _numbers_table(title, "metric", *beside), arrow_keys(spec)
    metrics = list(dict.fromkeys(name for numbers in beside.values() for name in numbers))
    for metric in metrics:
        table.add_row(_with_arrow(metric, keys), *(number(numbers.get(metric)) for numbers in beside.values()))
    captions = (_explain_arrows(metrics, keys), _explain_dash(beside.values()))
    table.caption = "\n".join(filter(None, captions)) or None
    return table


def plugin_rows(registry: Registry, wanted: Callable[[str], bool]) -> Iterator[tuple[str | Text, ...]]:
    """For each plugin: distribution, version, origin, kinds and recipes, or why it could not be loaded.

    Only those that are wanted by name or distribution; of others, the contents that are.
    """
    for plugin in registry.plugins.values():
        content = _describe_content(plugin, registry)
        if not wanted(f"{plugin.name} {plugin}"):
            content = "\n".join(filter(wanted, str(content).splitlines()))
        if content or wanted(f"{plugin.name} {plugin}"):
            yield plugin.name, str(plugin), plugin.origin, content


def kind_rows(registry: Registry) -> list[tuple[str, ...]]:
    """For each kind: its slot, name, one-line summary and plugin."""
    return [(word, kind.name, kind.config.summary(), str(kind.plugin)) for word, kind in registry.all_kinds()]


def plugins_table(rows: Iterable[Sequence[str | Text]]) -> Table:
    """Tabulate rows of plugins."""
    return _fill(_texts_table("Plugins", "plugin", "distribution", "from", "kinds and recipes"), rows)


def kinds_table(rows: Iterable[Sequence[str | Text]]) -> Table:
    """Tabulate rows of kinds."""
    return _fill(_texts_table("Kinds", "slot", "kind", "what it is", "from"), rows)


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
    table = _texts_table("Options", "option", "type", "default", "meaning")
    for option in describe.list_options(config):
        table.add_row(option.name, option.type, option.default, option.meaning)
    for option in describe.list_options(DiscriminatorOptions) if issubclass(config, NetworkConfig) else ():
        table.add_row(option.name, option.type, option.default, f"{option.meaning} In the slot discriminator alone.")
    return table


def runs_table(rows: Iterable[Sequence[str]]) -> Table:
    """Tabulate runs."""
    columns = ("run", "status", "iterations", "seeds", "main metric", "last change")
    return _fill(_texts_table("Runs, newest first", *columns), rows)


def _fill(table: Table, rows: Iterable[Sequence[str | Text]]) -> Table:
    for row in rows:
        table.add_row(*row)
    return table


def _numbers_table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for i, column in enumerate(columns):
        table.add_column(column, justify="right" if i else "left")
    return table


def _texts_table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _mean(results: Results, metric: str) -> str:
    """Format a mean with how many seeds have the number, if not all; empty if it was never computed."""
    if not any(metric in outcome.results for outcome in results.averaged):
        return ""
    values = results.values(metric)
    return number(averages.mean(values)) + averages.over(values, len(results.averaged))


def arrow_keys(spec: Spec | None) -> Mapping[str, str]:
    """The arrow to the better values of each number of a spec that has some; none in a pipe, where names are read."""
    if spec is None or not console.out.is_terminal:
        return {}
    arrows = ARROWS if _can_show("".join(ARROWS.values())) else PLAIN_ARROWS
    return {name: arrows[key.better] for name, key in spec.evaluation.numbers().items() if key.better}


def _can_show(signs: str) -> bool:
    try:
        signs.encode(console.out.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _with_arrow(metric: str, arrows: Mapping[str, str]) -> str:
    return f"{metric} {arrows[metric]}" if metric in arrows else metric


def _explain_arrows(metrics: Iterable[str], arrows: Mapping[str, str]) -> str | None:
    """Say what the arrows beside metrics mean, where there are some."""
    shown = {arrows[metric] for metric in metrics if metric in arrows}
    meanings = {arrow: f"{better} is better" for signs in (ARROWS, PLAIN_ARROWS) for better, arrow in signs.items()}
    return ", ".join(f"{arrow} {meaning}" for arrow, meaning in meanings.items() if arrow in shown) or None


def _name_sampler(spec: Spec | None) -> str | None:
    """Name the sampler that drew what was measured, if there was one."""
    return f"samples are drawn by {spec.sampler.kind}" if spec and spec.sampler else None


def _explain_dash(seeds: Iterable[Mapping[str, float]]) -> str | None:
    """Explain the dash, if a seed withheld a number."""
    withheld = any(math.isnan(value) for results in seeds for value in results.values())
    return "-: withheld, too little to measure (docs/metrics.md)" if withheld else None


def _explain_lengths(results: Results) -> str | None:
    """List the iterations of the seeds, if they differ."""
    iterations = {seed: outcome.iteration for seed, outcome in results.outcomes.items()}
    if len(set(iterations.values())) < 2:
        return None
    each = ", ".join(f"{iteration:,} (seed {seed})" for seed, iteration in iterations.items())
    return f"means are over seeds at different iterations: {each}"


def _explain_ends(results: Results) -> Iterator[str]:
    """Say which seeds were stopped before their last iteration, went back, or kept another model than the last."""
    for seed, outcome in results.outcomes.items():
        if outcome.stopped or outcome.kept is not None or outcome.rewinds:
            yield f"seed {seed}: {describe_end(outcome)}"


def _describe_content(plugin: Plugin, registry: Registry) -> str | Text:
    if plugin.error:
        return Text.assemble(("could not be loaded:", "red"), f" {plugin.error}")
    kinds = [f"{word} {kind.name}" for word, kind in registry.all_kinds() if kind.plugin.name == plugin.name]
    recipes = [f"recipe {name}" for name in registry.recipes if name.startswith(f"{plugin.name}/")]
    return "\n".join([*kinds, *recipes])
