"""The command `runs`, and the word `latest` in the place of the folder of a run or study. They load no torch."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from allmodes.cli.console import OK, out, print_line, print_note, print_warning
from allmodes.runs.listing import LATEST, Listed, Wanted, find_latest, is_study, list_runs
from allmodes.specs.source import SpecError
from allmodes.system.no_such_file import holds, no_such_file
from allmodes.system.paths import at_home, near
from allmodes.text.numbers import number

RUNS = Path("runs")
NAMES = {"run": ("run", "run's"), "study": ("study", "study's"), "any": ("run or study", "run's or study's")}
"""What is looked for, and whose folder that is, in messages."""


def runs(
    folder: Annotated[Path, Parameter(help="where runs lie; an experiment, a comparison or latest, too")] = RUNS,
) -> int:
    """List runs with their status and main metric, newest first."""
    from allmodes.cli import tables

    folder = at_home(take_latest(str(folder), "any"))
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


def take_latest(reference: str, wanted: Wanted = "run") -> str:
    """Replace `latest` by the newest run or study in `runs`, and say which that is; a folder of that name comes first.

    Raises SpecError where there is none.
    """
    if reference != LATEST or holds(Path(reference).exists):
        return reference
    if (found := find_latest(RUNS, wanted)) is None:
        what, whose = NAMES[wanted]
        raise SpecError(f"latest: there is no {what} in the folder runs here: name the {whose} folder")
    print_note(f"latest is {'the study ' if is_study(found) else ''}{near(found)}")
    return str(found)


def _row(one: Listed) -> list[str]:
    done = "" if one.iteration is None else f"{one.iteration:,}"
    of = "" if one.iterations is None or one.iteration == one.iterations else f" of {one.iterations:,}"
    metric = f"{one.metric} {number(one.value)}" if one.metric else ""
    changed = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.changed))
    what = " (comparison)" if one.is_study else ""
    return [f"{near(one.folder)}{what}", one.status, done + of, str(one.seeds), metric, changed]
