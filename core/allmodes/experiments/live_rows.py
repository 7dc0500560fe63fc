"""Runs in training as a notebook shows them: a table with a bar for each, and curves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from allmodes.text import curves, html
from allmodes.text.html import Html

CURVES = 3
"""Metrics whose curves are shown; the table of results has all."""


@dataclass
class LiveRow:
    """A run in training: how far it is, and what was measured so far, by metric."""

    name: str
    total: int
    iteration: int = 0
    status: str = "waits"
    fields: dict[str, str] = field(default_factory=dict)
    measured: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def measure(self, iteration: int, numbers: Mapping[str, float]) -> None:
        """Add what an evaluation measured."""
        for metric, value in numbers.items():
            points = self.measured.setdefault(metric, [])
            points.append((iteration, value))
            curves.thin(points)

    @property
    def place(self) -> str:
        """How far the run is: `1,200/8,000`."""
        return f"{self.iteration:,}/{self.total:,}"

    def text(self) -> str:
        """The row as plain text."""
        return "  ".join((self.name, self.place, *self.fields.values(), self.status))


def rows_table(rows: Iterable[LiveRow]) -> Html:
    """Tabulate runs: a bar, and what is known of each."""
    rows = list(rows)
    fields = list(dict.fromkeys(name for row in rows for name in row.fields))
    cells = (
        (row.name, html.bar(row.iteration / row.total), row.place, *(row.fields.get(name, "") for name in fields))
        for row in rows
    )
    lines = ((*each, row.status) for each, row in zip(cells, rows, strict=True))
    return html.table(("run", "", "iteration", *fields, ""), lines, html_columns=(1,))


def metric_curves(rows: Iterable[LiveRow]) -> list[Html]:
    """Draw the first metrics, each with a curve for every run."""
    rows = list(rows)
    metrics = list(dict.fromkeys(name for row in rows for name in row.measured))[:CURVES]
    return [curves.draw(name, {row.name: row.measured.get(name, ()) for row in rows}) for name in metrics]
