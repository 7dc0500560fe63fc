"""The first figure of the README: every method of the study at equal budgets, beside samplers without a game.

python docs/first_figure.py      # draws the evidence of allmodes-study
"""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

import allmodes_study
from allmodes.studies.evidence import Evidence, Number, Result

PAGE = Path(allmodes_study.__file__).parent / "evidence" / "honest.json"
PICTURE = Path(__file__).parent / "images" / "every-mode.png"
INK, METHOD, REAL = "#333333", "#0b6e99", "#888888"
BESIDE = {"bootstrap": "#c2571a", "mixture by EM": "#7a4b9d"}
DATA = ("grid", "ten")
BUDGET, KEY = "images", "high_quality"


def main() -> None:
    """Draw the share of high quality, and the modes, of all methods on two data sets."""
    evidence = Evidence.model_validate_json(PAGE.read_text("utf-8"))
    figure = Figure(figsize=(11, 6.2), dpi=110, layout="constrained")
    for axes, data in zip(figure.subplots(1, len(DATA)), DATA, strict=True):
        draw_methods(axes, evidence, data)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    figure.savefig(PICTURE)


def draw_methods(axes: Axes, evidence: Evidence, name: str) -> None:
    """A row for each method, the best on top, and a line for each sampler without a game."""
    tried = evidence.data[name]
    found = [one for one in evidence.ranking(name, BUDGET) if KEY in one.numbers]
    rows = sorted(found, key=lambda one: one.numbers[KEY].mean)
    axes.axvline(100 * tried.real[KEY], color=REAL, lw=4, alpha=0.4, label="real data")
    for title, colour in BESIDE.items():
        axes.axvline(100 * tried.references[title][KEY], color=colour, lw=1.2, ls="--", label=f"{title}, no game")
    for y, one in enumerate(rows):
        draw_method(axes, y, one.numbers[KEY])
    axes.set_yticks(range(len(rows)), [describe(one, tried.traits.modes) for one in rows], fontsize=8, color=INK)
    axes.set_xlabel("samples of high quality, %", color=INK)
    axes.set_title(tried.description, fontsize=10, color=INK)
    axes.spines[["top", "right"]].set_visible(False)


def draw_method(axes: Axes, y: int, number: Number) -> None:
    """The mean over the seeds and its interval."""
    ends = (number.mean if number.low is None else number.low, number.mean if number.high is None else number.high)
    axes.plot([100 * end for end in ends], [y, y], color=METHOD, lw=2)
    axes.plot([100 * number.mean], [y], "o", ms=4, color=METHOD, label="mean of ten seeds" if y == 0 else None)


def describe(one: Result, modes: int | None) -> str:
    """The method, and its mean number of modes."""
    mean = one.numbers["modes"].mean
    return f"{one.method}  {mean:.3g} of {modes}"


if __name__ == "__main__":
    main()
