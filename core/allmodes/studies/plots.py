"""Curves of a comparison over iterations: every method in one panel for each metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from allmodes.experiments.plots import Logged, choose, floor_of, is_share, read_log, runs_of
from allmodes.figures.curves import Panel, common, draw_curves
from allmodes.runs.run_folder import RunFolder
from allmodes.studies.comparison import Comparison, Group
from allmodes.studies.inference import interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from allmodes.figures.curves import Array, Runs

BANDED = 3
"""Seeds from which on an interval is drawn; of fewer, each seed."""

Logs: TypeAlias = Mapping[str, Sequence[Logged]]
"""The logs of a group's finished runs by method."""


def plot_comparison(comparison: Comparison, asked: Sequence[str]) -> Figure:
    """Draw the metrics asked for, by default those worth watching, in panels for each group.

    Raises ValueError for one that was not measured.
    """
    each = [(group, _read(comparison, group)) for group in comparison.groups]
    logs = [log for _, methods in each for found in methods.values() for log in found]
    numbers = {name: key for group, _ in each for name, key in group.numbers.items()}
    chosen, is_many = choose(asked, logs, numbers), len(each) > 1
    labels = {entry.name: comparison.label(entry.name) for entry in comparison.study.entries}
    return draw_curves([panel for group, methods in each for panel in _panels(group, methods, chosen, labels, is_many)])


def _read(comparison: Comparison, group: Group) -> Logs:
    folders = {entry.name: RunFolder(entry.folder) for entry in comparison.study.entries}
    return {row.method: [read_log(folders[row.method].of_seed(seed)) for seed in row.finished] for row in group.rows}


def _panels(
    group: Group, methods: Logs, chosen: Sequence[str], labels: Mapping[str, str], is_many: bool
) -> Iterator[Panel]:
    for name in chosen:
        if runs := {labels[method]: found for method, logs in methods.items() if (found := runs_of(logs, name))}:
            bands = {method: _band(found) for method, found in runs.items() if len(found) >= BANDED}
            title = f"{name}\n{group.title}" if is_many else name
            yield Panel(title, runs, floor_of(group.floors, name), is_share(group.numbers, name), bands)


def _band(runs: Runs) -> tuple[Array, Array]:
    return interval(common(runs)[1])
