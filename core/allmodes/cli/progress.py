"""What a person sees: one progress bar per seed, and tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from allmodes.cli import describe
from allmodes.experiments import logs
from allmodes.registry.hookspecs import hookimpl
from allmodes.registry.registry import Registry
from allmodes.registry.slots import Kind, Plugin
from allmodes.runs import averages
from allmodes_schemas import DiscriminatorOptions, NetworkConfig

if TYPE_CHECKING:
    from allmodes.experiments.experiment import Results
    from allmodes.runs.run import Outcome, Run
    from allmodes.studies.study import Unit
    from allmodes_schemas import KindConfig
from allmodes.text.numbers import number

WIDE = 110  # columns of a terminal on which everything has room


def _column(text: str, style: str = "none") -> TextColumn:
    """A column of a bar whose words are no markup."""
    return TextColumn(text, style, markup=False)


class Terminal:
    """An observer that shows a bar with rate, losses and modes; silent where nobody watches."""

    def __init__(self, console: Console) -> None:
        wide = console.width >= WIDE
        self.progress = Progress(
            _column("{task.description}"),
            BarColumn(bar_width=24 if wide else 8),
            _column("{task.completed:,.0f}/{task.total:,.0f}"),
            _column("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            _column("{task.fields[modes]}", "bold"),
            _column("{task.fields[losses]}", "dim"),
            console=console,
            disable=not console.is_terminal,
            refresh_per_second=4,
        )
        self.task: TaskID | None = None

    @hookimpl
    def allmodes_run_started(self, run: Run) -> None:
        """Begin a bar, below a line that says where the run lies."""
        logs.LOGGER.info(logs.beginning(run))
        self.progress.start()
        total = run.spec.training.iterations
        self.task = self.progress.add_task(
            f"seed {run.seed}", total=total, completed=run.iteration, rate="", modes="", losses=""
        )

    @hookimpl
    def allmodes_metrics_logged(self, run: Run, iteration: int, metrics: Mapping[str, float]) -> None:
        """Move the bar and renew its numbers; of each player's losses the first is shown, its game."""
        if self.task is not None:
            shown: dict[str, Any] = _shown(metrics)
            self.progress.update(self.task, completed=iteration, **shown)

    @hookimpl
    def allmodes_run_finished(self, run: Run, outcome: Outcome) -> None:
        """Leave the bar where the run ended."""
        self.progress.stop()


class Beginning:
    """An observer that says where a run lies, and from where it goes on, and nothing else."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    @hookimpl
    def allmodes_run_started(self, run: Run) -> None:
        """One line."""
        self._say(logs.beginning(run))


class StudyTerminal:
    """A bar over all runs of a study, and one for each that is being trained; lines where nobody watches."""

    def __init__(self, console: Console, say: Callable[[str], None]) -> None:
        self.progress = Progress(
            _column("{task.description}"),
            BarColumn(bar_width=24 if console.width >= WIDE else 8),
            _column("{task.completed:,.0f}/{task.total:,.0f}"),
            TimeRemainingColumn(compact=True),
            _column("{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
            refresh_per_second=2,
        )
        self._say = say
        self._bars: dict[str, TaskID] = {}
        self._at: dict[str, int] = {}
        self._number = self._ended = 0

    def begin(self, units: Sequence[Unit], left: Sequence[Unit]) -> None:
        """Begin the bar over all."""
        self._number, self._ended = len(units), len(units) - len(left)
        self.progress.start()
        total = sum(unit.method.spec.training.iterations for unit in left)
        self.all = self.progress.add_task("all", total=total, note=self._count())
        self._say(f"{self._number} runs, {len(left)} of them to train")

    def progress_of(self, unit: Unit) -> TaskID:
        """The bar of a run."""
        if unit.name not in self._bars:
            total = unit.method.spec.training.iterations
            self._bars[unit.name] = self.progress.add_task(unit.name, total=total, note="")
        return self._bars[unit.name]

    def moved(self, unit: Unit, iteration: int) -> None:
        """Move the run's bar and that over all."""
        self.progress.update(self.progress_of(unit), completed=iteration)
        self.progress.advance(self.all, iteration - self._at.get(unit.name, 0))
        self._at[unit.name] = iteration

    def end(self, unit: Unit, status: str) -> None:
        """Count a run that ended and take its bar away."""
        if status == "finished":
            self._ended += 1
            self.moved(unit, unit.method.spec.training.iterations)
        self.progress.remove_task(self.progress_of(unit))
        del self._bars[unit.name]
        self.progress.update(self.all, note=self._count())
        self._say(f"{unit.name} {status} ({self._count()})")

    def close(self) -> None:
        """Leave the bar as it is."""
        self.progress.stop()

    def _count(self) -> str:
        return f"{self._ended} of {self._number} runs finished"


def _shown(metrics: Mapping[str, float]) -> dict[str, str]:
    shown: dict[str, str] = {}
    if rate := metrics.get("time/iterations_per_second"):
        shown["rate"] = f"{rate:,.0f} it/s"
    first: dict[str, float] = {}
    for name, value in metrics.items():
        kind, _, loss = name.partition("/")
        if kind == "train":
            first.setdefault(loss.partition("/")[0], value)
    if first:
        shown["losses"] = "  ".join(f"{player[0].upper()} {value:.2g}" for player, value in first.items())
    for name, unit in (("eval/modes", "modes"), ("eval/stacked_modes", "modes"), ("eval/classes", "classes")):
        if not math.isnan(metrics.get(name, math.nan)):
            shown["modes"] = f"{metrics[name]:.0f} {unit}"
    return shown


def results_table(results: Results) -> Table:
    """A row for each metric: mean and standard error over the seeds, the end's average, real data, every seed.

    A dash stands for what is withheld; where some seeds withheld a number, the mean says over how many it is.
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
    table.caption = _caption(outcome.results for outcome in results.outcomes.values())
    return table


def measures_table(title: str, seeds: Mapping[int, Mapping[str, float]], floors: Mapping[str, float]) -> Table:
    """A row for each metric: what real data score, and every seed."""
    table = Table(title=title, title_justify="left")
    for column in ("metric", "real data", *(f"seed {seed}" for seed in seeds)):
        table.add_column(column, justify="left" if column == "metric" else "right")
    for metric in dict.fromkeys(name for results in seeds.values() for name in results):
        each = [number(results.get(metric)) for results in seeds.values()]
        table.add_row(metric, number(floors.get(metric)), *each)
    table.caption = _caption(seeds.values())
    return table


def _caption(seeds: Iterable[Mapping[str, float]]) -> str | None:
    """What a dash means, where a seed withheld a number."""
    withheld = any(math.isnan(value) for results in seeds for value in results.values())
    return "-: withheld, too little to measure (docs/metrics.md)" if withheld else None


def plugins_table(registry: Registry) -> Table:
    """A row for each plugin: distribution, version, origin, kinds and recipes, or why it could not be loaded."""
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
    """A row for each kind with its one-line summary."""
    table = Table(title="Kinds", title_justify="left")
    for column in ("slot", "kind", "what it is", "from"):
        table.add_column(column, overflow="fold")
    for word, kind in registry.all_kinds():
        table.add_row(word, kind.name, kind.config.summary(), str(kind.plugin))
    return table


def kind_table(slot: str, kind: Kind) -> Table:
    """What a kind is for, who provides it, and what it requires and provides itself."""
    table = Table(title=f"{kind.name}: {kind.config.summary()}", title_justify="left", show_header=False)
    table.add_row("slot", slot)
    table.add_row("from", str(kind.plugin))
    table.add_row("requires", "\n".join(describe.requires(kind.config)) or "nothing")
    if brings := describe.provides(kind.config):
        table.add_row("provides", "\n".join(brings))
    return table


def options_table(config: type[KindConfig]) -> Table:
    """A row for each option of a kind: name, type with range and unit, default, meaning."""
    table = Table(title="Options", title_justify="left")
    for column in ("option", "type", "default", "meaning"):
        table.add_column(column, overflow="fold")
    for option in describe.options(config):
        table.add_row(option.name, option.type, option.default, option.meaning)
    if issubclass(config, NetworkConfig):
        for option in describe.options(DiscriminatorOptions):
            table.add_row(
                option.name, option.type, option.default, f"{option.meaning} In the slot discriminator alone."
            )
    return table
