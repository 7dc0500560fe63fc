"""Numbers of runs as pandas' frames; pandas is imported when a frame is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from allmodes.runs import journal
from allmodes.runs.run import Outcome
from allmodes.runs.run_folder import RunFolder

if TYPE_CHECKING:
    from pandas import DataFrame

FACTS = ("status", "iteration")
"""Columns of a run that are no numbers of an evaluation, in front of those."""


def load_pandas() -> Any:
    """Import pandas.

    Raises ModuleNotFoundError where it is not installed.
    """
    try:
        return import_module("pandas")
    except ModuleNotFoundError as error:
        message = "frames need pandas, which is not installed here: pip install pandas"
        raise ModuleNotFoundError(message, name="pandas") from error


def row(outcome: Outcome) -> dict[str, object]:
    """A run as a row: how it ended, its last measurements, and its seconds."""
    facts = {"status": outcome.status, "iteration": outcome.iteration}
    return {**outcome.results, **facts, "seconds": outcome.seconds}


def numbers_of(outcomes: Iterable[Outcome]) -> list[str]:
    """Names of all numbers of outcomes: the metrics, then their averages over the end of the run."""
    names = list(dict.fromkeys(name for outcome in outcomes for name in outcome.results))
    return sorted(names, key=lambda name: name.startswith("recent_"))


def frame(
    rows: Sequence[Mapping[str, object]],
    index: Sequence[str],
    columns: Sequence[str],
    types: Mapping[str, str] = MappingProxyType({}),
) -> DataFrame:
    """Make a frame of rows, with an index of some keys and the columns in their order, some of a given type."""
    pandas = load_pandas()
    each = list(dict.fromkeys((*index, *columns)))
    made: DataFrame = pandas.DataFrame(rows, columns=each).astype(dict(types)).set_index(list(index))
    return made


def history(runs: Iterable[tuple[Mapping[str, object], RunFolder]], keys: Sequence[str]) -> DataFrame:
    """Make a long frame of all numbers in the logs of runs, each with the keys that name it."""
    pandas = load_pandas()
    columns = [*keys, "iteration", "metric", "value"]
    rows = [(*names.values(), *line) for names, run in runs for line in _lines(run)]
    made: DataFrame = pandas.DataFrame(rows, columns=columns).astype({"iteration": "int64", "value": "float64"})
    return made


def _lines(run: RunFolder) -> Iterable[tuple[int, str, float]]:
    for line in journal.read(run.metrics):
        numbers = journal.numbers({name: value for name, value in line.items() if name != "iteration"})
        for name, value in numbers.items():
            yield line["iteration"], name.removeprefix("eval/"), value
