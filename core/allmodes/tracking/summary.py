"""Final numbers, their means over seeds, and a description in Markdown, which MLflow shows first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from allmodes.runs import averages
from allmodes.text.markdown import table
from allmodes.text.numbers import number
from allmodes.tracking import description
from allmodes.tracking.events import Description, End

COURSE = ("train/", "eval/", "time/", "floor/", "reference/", "recent/")
BESIDE = ("floor/", "reference/")
ABOUT = "\n\n### What was run\n\n"


def final(end: End) -> dict[str, float]:
    """The last metrics of a run, and their averages over its end (`recent/`).

    Beside them those of real data (`floor/`), and those of reference samplers (`reference/<row>/`).
    """
    results = {name.replace("recent_", "recent/", 1): value for name, value in end.results.items()}
    results |= {f"floor/{name}": value for name, value in end.floors.items()}
    for row, values in end.references.items():
        results |= {f"reference/{_word(row)}/{name}": value for name, value in values.items()}
    return results


def over_seeds(seeds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of each final metric over the seeds that have it, and its standard error where there are several.

    Where some seeds withheld a number, `<name>_seeds` is how many have it; where all did, the mean is NaN.
    """
    names = {name for metrics in seeds for name in metrics if not name.startswith(COURSE)}
    summary: dict[str, float] = {}
    for name in sorted(names):
        values = [metrics.get(name, math.nan) for metrics in seeds]
        error, given = averages.standard_error(values), len(averages.known(values))
        summary[name] = averages.mean(values)
        summary |= {} if math.isnan(error) else {f"{name}_se": error}
        summary |= {f"{name}_seeds": float(given)} if given < len(seeds) else {}
    return summary


def beside(seeds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The metrics of real data and of reference samplers, which are the same for every seed."""
    return {name: value for metrics in seeds[:1] for name, value in metrics.items() if name.startswith(BESIDE)}


def page(start: Description, run_id: str, is_seed: bool) -> str:
    """The description of a run, and the command that samples its model; no path, which holds on one machine only."""
    if is_seed:
        return f"{start.about}\n\nSample its model: `allmodes sample runs:/{run_id}`."
    return f"{start.about}\n\nIts seeds are the runs nested in it; each holds a model."


def note(before: str, metrics: Mapping[str, float]) -> str:
    """The description with a table of final metrics on top, where MLflow shows it without a click."""
    names = [name for name in metrics if not name.startswith(COURSE) and not name.endswith(("_se", "_seeds"))]
    references = dict.fromkeys(name.split("/")[1] for name in metrics if name.startswith("reference/"))
    columns = {"model": "", "real data": "floor/", **{row: f"reference/{row}/" for row in references}}
    rows = [(name, *(_cell(metrics, prefix + name) for prefix in columns.values())) for name in names]
    return table(("metric", *columns), rows).rstrip() + ABOUT + about(before) if rows else about(before)


def tables_first(page: str) -> str:
    """A study's page without its title, and with what the tables mean behind them: MLflow shows the first lines."""
    head, mark, tables = page.partition("## ")
    text = head.partition("\n")[2].strip() if head.startswith("# ") else head.strip()
    return f"{mark}{tables}\n{text}".strip() if mark else page


def about(page: str) -> str:
    """A description without its table."""
    return page.rpartition(ABOUT)[2]


def overall(statuses: Sequence[str], seeds: int) -> str | None:
    """Status of an experiment from its seeds: the worst of them, or None while it still runs."""
    for bad in ("KILLED", "FAILED"):
        if bad in statuses:
            return bad
    return "FINISHED" if len(statuses) >= seeds and set(statuses) == {"FINISHED"} else None


def _word(row: str) -> str:
    """The title of a row within the name of a metric."""
    return description.key(row.replace("/", " "))


def _cell(metrics: Mapping[str, float], name: str) -> str:
    seeds = metrics.get(f"{name}_seeds")
    over = f" ({_seeds(seeds)})" if seeds else ""
    return number(metrics.get(name), metrics.get(f"{name}_se")) + over


def _seeds(number: float) -> str:
    return "1 seed" if number == 1 else f"{number:.0f} seeds"
