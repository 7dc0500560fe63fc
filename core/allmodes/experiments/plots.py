"""Curves of an experiment's results: what is drawn, from the logs of its runs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from allmodes.figures.curves import Panel, draw_curves
from allmodes.runs import journal
from allmodes.runs.run_folder import RunFolder
from allmodes.text.suggest import did_you_mean
from allmodes_schemas import Key

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from allmodes.experiments.results import Results

Logged: TypeAlias = Mapping[str, Mapping[int, float]]
"""Values by iteration, by the names that frames give them."""


def plot_results(results: Results, asked: Sequence[str]) -> Figure:
    """Draw the numbers asked for, by default the metrics worth watching and the losses.

    Raises ValueError for one that was not measured.
    """
    logs = [read_log(RunFolder(results.folder).of_seed(seed)) for seed in results.outcomes]
    numbers = results.spec.evaluation.numbers()
    chosen = choose(asked, logs, numbers) or [name for log in logs[:1] for name in log if not name.startswith("time/")]
    losses = [name for log in logs[:1] for name in log if name.startswith("train/")]
    seeds = [f"seed {seed}" for seed in results.outcomes]
    return draw_curves(
        [
            Panel(name, {_title(seeds): runs_of(logs, name)}, floor_of(results.floors, name), is_share(numbers, name))
            for name in dict.fromkeys((*chosen, *(() if asked else losses)))
        ]
    )


def read_log(run: RunFolder) -> Logged:
    """Read the numbers of a run; those that were withheld are NaN."""
    found: dict[str, dict[int, float]] = {}
    for line in map(journal.numbers, journal.read(run.metrics)):
        for name, value in line.items():
            if name != "iteration":
                found.setdefault(name.removeprefix("eval/"), {})[int(line["iteration"])] = value
    return found


def choose(asked: Sequence[str], logs: Iterable[Logged], numbers: Mapping[str, Key]) -> list[str]:
    """The numbers to draw: those asked for, or the metrics that have a good direction or count modes.

    Raises ValueError for one that is in no log.
    """
    known = list(dict.fromkeys(name for log in logs for name in log))
    for name in asked:
        if name not in known:
            raise ValueError(f"{name} was not measured{did_you_mean(name, known)}: there are {', '.join(known)}")
    return list(asked) or [name for name in known if name in numbers and (numbers[name].better or numbers[name].counts)]


def runs_of(logs: Iterable[Logged], name: str) -> list[Mapping[int, float]]:
    """The values of a number in those logs that have it."""
    return [log[name] for log in logs if name in log]


def floor_of(floors: Mapping[str, float], name: str) -> float | None:
    """What real data score, where that is known."""
    floor = floors.get(name, math.nan)
    return None if math.isnan(floor) else floor


def is_share(numbers: Mapping[str, Key], name: str) -> bool:
    """Whether a number lies between 0 and 1."""
    return name in numbers and numbers[name].unit == "share"


def _title(seeds: Sequence[str]) -> str:
    return seeds[0] if len(seeds) == 1 else f"{len(seeds)} seeds"
