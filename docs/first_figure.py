"""The first figure of the README: what every method of the study keeps of all its data, beside samplers without a game.

python docs/first_figure.py      # draws the evidence of allmodes-study
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from pathlib import Path
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.figure import Figure

import allmodes_study
from allmodes.studies.evidence import Evidence

PAGE = Path(allmodes_study.__file__).parent / "evidence" / "honest.json"
PICTURE = Path(__file__).parent / "images" / "every-mode.png"
INK, PALE = "#333333", "#ffffff"
BESIDE = ("bootstrap", "mixture by EM")
BUDGET, QUALITY, MODES = "images", "high_quality", "modes"


@dataclass(frozen=True)
class Row:
    """A method, or a sampler without a game, with its mean numbers by data and metric."""

    name: str
    numbers: Mapping[str, Mapping[str, float]]

    def quality(self, data: str) -> float:
        """The share of samples of high quality; not a number where the row was not measured on the data."""
        return self.numbers.get(data, {}).get(QUALITY, nan)

    def modes(self, data: str) -> str:
        """How many modes, and no more digits than they need."""
        return f"{self.numbers[data][MODES]:.3g}" if data in self.numbers else ""

    @property
    def mean(self) -> float:
        """The mean share over the data."""
        return fmean(one[QUALITY] for one in self.numbers.values())


def main() -> None:
    """Draw a row for each method, the best on top, and a column for each set of data."""
    evidence = Evidence.model_validate_json(PAGE.read_text("utf-8"))
    rows = [*read_samplers(evidence), *sorted(read_methods(evidence), key=lambda row: -row.mean)]
    figure = Figure(figsize=(9.5, 0.27 * len(rows) + 1.1), dpi=120, layout="constrained")
    draw(figure.subplots(), evidence, rows)
    figure.savefig(PICTURE)


def read_samplers(evidence: Evidence) -> list[Row]:
    """Real data, and the samplers that need no training."""
    real = Row("real data", {name: tried.real for name, tried in evidence.data.items()})
    others = [Row(title, {name: one.references[title] for name, one in evidence.data.items()}) for title in BESIDE]
    return [real, *others]


def read_methods(evidence: Evidence) -> list[Row]:
    """The methods that the study compared."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for one in evidence.results:
        if one.budget == BUDGET and QUALITY in one.numbers:
            means = {key: number.mean for key, number in one.numbers.items()}
            found.setdefault(one.method, {})[one.data] = means
    return [Row(name, numbers) for name, numbers in found.items()]


def draw(axes: Axes, evidence: Evidence, rows: list[Row]) -> None:
    """Cells as dark as samples are good, with the share and the modes."""
    shares = [[row.quality(data) for data in evidence.data] for row in rows]
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
    for y, row in enumerate(rows):
        for x, data in enumerate(evidence.data):
            if (share := row.quality(data)) == share:
                text = f"{100 * share:.0f} %   {row.modes(data)}"
                axes.text(x, y, text, ha="center", va="center", fontsize=8, color=PALE if share > 0.6 else INK)
    axes.axhline(len(BESIDE) + 0.5, color=INK, lw=1)
    axes.set_yticks(range(len(rows)), [row.name for row in rows], fontsize=8, color=INK)
    axes.set_xticks(range(len(evidence.data)), [describe(evidence, name) for name in evidence.data], fontsize=8)
    axes.tick_params(length=0, labelbottom=False, labeltop=True)
    axes.spines[:].set_visible(False)


def describe(evidence: Evidence, name: str) -> str:
    """The data, their modes and dimensions."""
    traits = evidence.data[name].traits
    return f"{name}\n{traits.modes} modes, {traits.dims}-D"


if __name__ == "__main__":
    main()
