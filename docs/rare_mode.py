"""The figure of the README: the share of a rare mode over the iterations, every seed of two experiments.

S="--set evaluation.every=250 --set evaluation.samples=20000 --set evaluation.figure=false --no-tracking"
M="evaluation.metrics=[modes, {kind: share, label: 100}]"
allmodes run bourgan/circle $S --set "$M" --set name=circle-bourgan
allmodes run bourgan/circle $S --set "$M" --set name=circle-gan \
    --set 'prior={kind: gaussian, dim: 55}' --set 'losses=[{kind: non_saturating}]'
python docs/rare_mode.py runs/circle-bourgan-* runs/circle-gan-*
"""

import sys
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from allmodes import load_run
from allmodes.runs.journal import read

PICTURE = Path(__file__).parent / "images" / "rare-mode.png"
INK, TRUE = "#333333", "#888888"
NAMES = ("BourGAN", "the same networks, Gaussian latent, no distance loss")
COLOURS = ("#0b6e99", "#c2571a")
KEY = "eval/share_100"


def main() -> None:
    """Draw samples and curves of the two experiments whose folders are named on the command line."""
    experiments = [Path(folder) for folder in sys.argv[1:]]
    figure = Figure(figsize=(11, 3.7), dpi=110, layout="constrained")
    *squares, curves = figure.subplots(1, 3, width_ratios=(1, 1, 1.7))
    for axes, folder, name, colour in zip(squares, experiments, ("BourGAN", "GAN"), COLOURS, strict=True):
        draw_samples(axes, folder, f"{name}, seed 0, at the end", colour)
    for folder, name, colour in zip(experiments, NAMES, COLOURS, strict=True):
        draw_shares(curves, folder, name, colour)
    explain(curves)
    figure.savefig(PICTURE)


def draw_samples(axes: Axes, folder: Path, title: str, colour: str) -> None:
    """2,500 samples of an experiment's first seed."""
    x, y = load_run(folder).sample(2500).T.tolist()
    axes.scatter(x, y, s=2, color=colour, linewidths=0)
    axes.set_title(title, fontsize=9, color=INK)
    axes.set(aspect="equal", xlim=(-2.4, 2.4), ylim=(-2.4, 2.4), xticks=[], yticks=[])
    axes.spines[:].set_color(TRUE)


def draw_shares(axes: Axes, folder: Path, name: str, colour: str) -> None:
    """One line for each seed."""
    for i, log in enumerate(sorted(folder.glob("seed-*/metrics.jsonl"))):
        points = [(line["iteration"], 100 * line[KEY]) for line in read(log) if KEY in line]
        axes.plot(*zip(*points, strict=True), color=colour, linewidth=1, label=None if i else name)


def explain(axes: Axes) -> None:
    """What the lines are."""
    axes.axhline(100 * 3 / 103, color=TRUE, linewidth=1, linestyle="--", label="data")
    axes.set_xlabel("iteration", fontsize=9, color=INK)
    axes.set_title("samples in the mode at the centre, % (every seed)", fontsize=9, color=INK)
    axes.tick_params(labelsize=8, labelcolor=INK)
    axes.legend(fontsize=8, labelcolor=INK, frameon=False, loc="upper left")
    axes.set_ylim(0, 1.5 * max(axes.get_ylim()[1], 3))


if __name__ == "__main__":
    main()
