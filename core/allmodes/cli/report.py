"""The command `report`: tables, figures and a page of what was trained before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from allmodes.cli.app import Columns, Labels
from allmodes.cli.completing import trained
from allmodes.cli.console import OK, out, print_line, print_note
from allmodes.cli.runs import take_latest
from allmodes.specs.loading import SpecError
from allmodes.studies import tables
from allmodes.studies.choices import parse_labels
from allmodes.studies.report import report as write
from allmodes.studies.stored import is_comparison
from allmodes.system.durable import replace_text
from allmodes.system.paths import at_home, near

MADE = "made by `allmodes report`, which writes it anew"
FIRST = {".tex": f"% {MADE}\n", ".md": f"<!-- {MADE} -->\n\n", ".csv": ""}


def report(
    folder: Annotated[
        str, Parameter(help="the folder of a comparison, an experiment or a run, or latest", completer=trained)
    ],
    *,
    labels: Labels = None,
    columns: Columns = None,
    baseline: Annotated[str, Parameter(help="what statistics compare with; default: as before")] = "",
    latex: Annotated[Path | None, Parameter(help="write the table to this file, too")] = None,
    markdown: Annotated[Path | None, Parameter(help="write the table to this file, too")] = None,
    csv: Annotated[Path | None, Parameter(help="write means and standard errors to this file, too")] = None,
    figures: Annotated[bool, Parameter(help="draw samples and curves")] = True,
) -> int:
    """Make tables, figures and a page of a comparison or a run again, finished or not. Trains nothing."""
    wanted = {".tex": latex, ".md": markdown, ".csv": csv}
    files = {ending: at_home(file) for ending, file in wanted.items() if file is not None}
    for ending, file in files.items():
        _check(file, ending)
    found = write(
        take_latest(folder, "any"),
        labels=parse_labels(labels or ()),
        columns=columns or (),
        baseline=baseline,
        figures=figures,
    )
    for table in tables.terminal(found, out.width):
        out.print(table)
    for line in [*found.unfinished, *(f"{name}: not begun" for name in found.waiting)]:
        print_note(line)
    makers = {".tex": tables.latex, ".md": tables.markdown, ".csv": tables.wide_csv}
    for ending, file in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        print_line(f"table    {near(replace_text(file, FIRST[ending] + makers[ending](found)))}")
    if is_comparison(found.study):
        print_line(f"folder   {near(found.folder)}")
    print_line(f"page     {near(found.folder / 'report.html')}")
    return OK


def _check(file: Path, ending: str) -> None:
    """Check the file of a table before anything is made. Raises SpecError where it is somebody else's."""
    if file.is_dir():
        raise SpecError(f"{file}: is a folder: name a file, such as {file / f'table{ending}'}")
    if file.exists() and not file.read_text(errors="replace").startswith(FIRST[ending].strip() or "data,method,label,"):
        raise SpecError(f"{file}: already exists, and no `allmodes report` made it: choose another name")
