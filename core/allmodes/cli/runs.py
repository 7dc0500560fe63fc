"""The command `runs`, and the word `latest` in the place of a run's folder. They load no torch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from allmodes.cli.console import OK, out, print_line, print_note, print_warning
from allmodes.runs.listing import LATEST, Listed, find_latest, list_runs
from allmodes.specs.source import SpecError
from allmodes.system.no_such_file import holds, no_such_file
from allmodes.system.paths import at_home, near
from allmodes.text.numbers import number

RUNS = Path("runs")


def runs(folder: Annotated[Path, Parameter(help="where runs lie; an experiment or a comparison, too")] = RUNS) -> int:
    """List runs with their status and main metric, newest first."""
    from allmodes.cli import tables

    folder = at_home(folder)
    if not holds(folder.is_dir):
        if folder == RUNS:
            raise SpecError("there is no folder runs here: allmodes run makes it, or name the folder of your runs")
        raise SpecError(no_such_file(folder))
    found = list_runs(folder, print_warning)
    if not found:
        print_line(f"{folder}: no runs")
        return OK
    out.print(tables.runs_table([_row(one) for one in found]))
    return OK


def take_latest(run: str) -> str:
    """Replace `latest` by the newest run in `runs`, and say which that is; a folder of that name comes first.

    Raises SpecError where there is none.
    """
    if run != LATEST or holds(Path(run).exists):
        return run
    if (found := find_latest(RUNS)) is None:
        raise SpecError("latest: there is no run in the folder runs here: name the run's folder")
    print_note(f"latest is {near(found)}")
    return str(found)


def _row(one: Listed) -> list[str]:
    done = "" if one.iteration is None else f"{one.iteration:,}"
    of = "" if one.iterations is None or one.iteration == one.iterations else f" of {one.iterations:,}"
    metric = f"{one.metric} {number(one.value)}" if one.metric else ""
    changed = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.changed))
    what = " (comparison)" if one.is_study else ""
    return [f"{near(one.folder)}{what}", one.status, done + of, str(one.seeds), metric, changed]
