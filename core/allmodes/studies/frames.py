"""The runs of a comparison as pandas' frames."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from allmodes.runs import frames
from allmodes.runs.run_folder import RunFolder
from allmodes.studies.comparison import COSTS, Comparison, Group, Row, costs_of

if TYPE_CHECKING:
    from pandas import DataFrame

INDEX = ("method", "seed")


def tabulate(comparison: Comparison, beside: bool) -> DataFrame:
    """Make a frame with a row for each run and, if asked for, for what real data and references score."""
    rows = [row for group in comparison.groups for row in _group_rows(group, beside)]
    outcomes = [outcome for group in comparison.groups for row in group.rows for outcome in row.outcomes.values()]
    varied = dict.fromkeys(path for group in comparison.groups for path in group.varied)
    columns = ["data", *varied, *frames.FACTS, *frames.numbers_of(outcomes), *COSTS]
    return frames.frame(rows, INDEX, columns, {"seed": "Int64"})  # real data have no seed


def read_history(comparison: Comparison) -> DataFrame:
    """Make a long frame of all numbers in the logs of all runs that have begun."""
    entries = {entry.name: entry.folder for entry in comparison.study.entries}
    runs = [
        ({"data": group.title, "method": row.method, "seed": seed}, RunFolder(entries[row.method]).of_seed(seed))
        for group in comparison.groups
        for row in group.rows
        for seed in row.states
    ]
    return frames.history(runs, ["data", *INDEX])


def _group_rows(group: Group, beside: bool) -> Iterator[dict[str, object]]:
    for title, numbers in group.beside.items() if beside else ():
        yield {"method": title, "seed": None, "data": group.title, **numbers}
    for row in group.rows:
        settings = {path: _plain(row.varied.get(path)) for path in group.varied}
        yield from ({**one, **settings, "method": row.method, "data": group.title} for one in _seed_rows(row))


def _seed_rows(row: Row) -> Iterator[dict[str, object]]:
    for seed, state in row.states.items():
        outcome = row.outcomes.get(seed)
        known = {} if outcome is None else {**frames.row(outcome), **costs_of(outcome)}
        yield {**row.varied, **known, "seed": seed, "status": state}


def _plain(value: object) -> object:
    """A setting that varies as a frame can sort and group it: a number, a text or, of anything else, its JSON."""
    return value if isinstance(value, str | int | float | None) else json.dumps(value)
