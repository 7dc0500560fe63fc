"""Writing the page: gathers what it shows, within bounds, and lays it out by the template."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from allmodes.specs import loading
from allmodes.studies import statistics
from allmodes.studies.comparison import Comparison, Group, Row
from allmodes.studies.page import facts
from allmodes.studies.page.pictures import Picture, picture_curves, picture_samples
from allmodes.studies.page.settings import differences
from allmodes.studies.sheets import Sheet, make_sheets
from allmodes.system.durable import replace_text
from allmodes.text.printable import lines

if TYPE_CHECKING:
    from allmodes.studies.galleries import Gallery

FILE, TEMPLATE = "report.html", "page.html.jinja"
PICTURED, CURVES, WHOLE = 40, 12, 60
"""Methods of which samples are shown, numbers of which curves are, and methods of which whole specs are."""
BYTES = 12_000_000
"""Size of all pictures of samples together."""


Rows: TypeAlias = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Part:
    """What the page shows of a group of methods."""

    sheet: Sheet
    pictures: Sequence[Picture] = ()
    about_pictures: str = ""
    baseline: str = ""
    tests: Mapping[str, Rows] = field(default_factory=dict)


def write_page(comparison: Comparison, galleries: Sequence[Gallery | None] = (), with_curves: bool = True) -> Path:
    """Write `report.html` to a comparison's folder; returns the file.

    Args:
        comparison: What is shown.
        galleries: Samples for each of its groups, or none at all.
        with_curves: Whether curves are drawn.
    """
    page = _gather(comparison, galleries, with_curves)
    return replace_text(comparison.folder / FILE, _lay_out(page))


def _lay_out(page: Mapping[str, Any]) -> str:
    """Lay out the page. Every text is escaped, and characters that are invisible are spelled out."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(
        loader=loader, autoescape=True, finalize=_plain, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(TEMPLATE).render(page=page)


def _gather(comparison: Comparison, galleries: Sequence[Gallery | None], with_curves: bool) -> dict[str, Any]:
    """Gather what the template shows, by the names that it has there."""
    entries, left_out = comparison.study.entries, list[str]()
    shown = galleries or [None] * len(comparison.groups)
    sheets = make_sheets(comparison)
    parts = [_part(comparison, *each, left_out) for each in zip(comparison.groups, sheets, shown, strict=True)]
    if len(entries) > WHOLE:
        left_out.append(
            f"Whole specs of {len(entries) - WHOLE} methods are left out: they are in the methods' folders."
        )
    return {
        "title": comparison.study.name,
        "state": facts.describe_state(comparison),
        "command": comparison.study.command,
        "groups": parts,
        "tests_header": [name or "verdict" for name in statistics.HEADER],
        "curves": list(picture_curves(comparison, _drawn(comparison, sheets))) if with_curves else [],
        "unfinished": [*comparison.unfinished, *(f"{name}: not begun" for name in comparison.waiting)],
        "warnings": facts.list_warnings(comparison),
        "settings": differences([entry.spec for entry in entries[:WHOLE]]),
        "specs": [
            {
                "name": entry.name,
                "label": comparison.label(entry.name),
                "description": entry.spec.description,
                "text": loading.dump(entry.spec),
            }
            for entry in entries[:WHOLE]
        ],
        "runs": facts.list_runs(comparison),
        "trained_with": facts.trained_with(comparison),
        "made_with": facts.made_with(),
        "left_out": left_out,
    }


def _part(comparison: Comparison, group: Group, sheet: Sheet, gallery: Gallery | None, left_out: list[str]) -> Part:
    pictures = _within_bounds(picture_samples(comparison, gallery), left_out) if gallery else []
    baseline = statistics.baseline_of(group, comparison.against)
    have_seeds = any(len(row.finished) > 1 for row in group.rows)
    tests = dict(_tests(comparison, group, sheet, baseline)) if have_seeds else {}
    are_images = any(picture.is_pixels for picture in pictures)
    truth = "beside real images" if are_images else "over the true modes or real items"
    about = f"Of the first finished seed of each method, {truth}."
    return Part(sheet, pictures, about, comparison.label(baseline.method) if baseline else "no method", tests)


def _tests(comparison: Comparison, group: Group, sheet: Sheet, baseline: Row | None) -> Iterator[tuple[str, Rows]]:
    for column in sheet.columns:
        if not column.is_cost and (found := statistics.lines(group, column.name, baseline)):
            rows = [statistics.cells(line, column.key.unit) for line in found]
            yield column.heading, [[comparison.label(name), *others] for name, *others in rows]


def _within_bounds(pictures: Iterable[Picture], left_out: list[str]) -> list[Picture]:
    """Keep pictures up to a number and a size; what is left out is said."""
    kept, size = list[Picture](), 0
    for picture in pictures:
        size += len(picture.source)
        if len(kept) == PICTURED or size > BYTES:
            left_out.append(f"Samples of methods after {kept[-1].title} are left out, lest the page grow too large.")
            break
        kept.append(picture)
    return kept


def _drawn(comparison: Comparison, sheets: Sequence[Sheet]) -> list[str]:
    """The numbers of which curves are drawn: those of the tables that have a good direction or count modes.

    Of a single method, its losses, too.
    """
    columns = [column for sheet in sheets for column in sheet.columns if column.key.better or column.key.counts]
    losses = facts.list_losses(comparison) if len(comparison.study.entries) == 1 else []
    return list(dict.fromkeys([*(column.name for column in columns), *losses]))[:CURVES]


def _plain(value: Any) -> Any:
    """Spell out invisible characters of a text, but its line breaks."""
    return "\n".join(lines(value)) if type(value) is str else value
