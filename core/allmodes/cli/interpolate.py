"""The command `interpolate`: what a trained model generates on the way from one latent to another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from allmodes.cli.app import Checkpoint, Trained
from allmodes.cli.console import OK, print_line, print_warning
from allmodes.cli.python_objects import load_model
from allmodes.cli.runs import take_latest
from allmodes.system.paths import at_home, near


def interpolate(
    run: Trained,
    *,
    pairs: Annotated[int, Parameter(help="pairs of latents, each with a way from one to the other")] = 4,
    steps: Annotated[int, Parameter(help="items on each way, both ends included")] = 9,
    seed: Annotated[int, Parameter(help="of the latents")] = 0,
    how: Annotated[
        Literal["spherical", "linear"] | None,
        Parameter(help="on an arc or a straight line; default: the arc for a Gaussian latent, else the line"),
    ] = None,
    to: Annotated[
        Path | None,
        Parameter(
            name=("--out", "-o"),
            help="a new file .png, .npz, or .gif, .webp, .mp4 of all steps; default: a new interpolation.png",
        ),
    ] = None,
    checkpoint: Checkpoint = None,
) -> int:
    """Draw the items between pairs of latents: images in a grid, points as ways over the data, or a moving picture."""
    from allmodes.cli import samples
    from allmodes.experiments.interpolation import check_file, check_size, interpolate_pairs

    file = check_file(samples.free_file(Path("interpolation.png")) if to is None else at_home(to))
    check_size(pairs, steps)
    model = load_model(take_latest(run), checkpoint, f".interpolate(a, b, {steps})")
    made = interpolate_pairs(model, pairs, steps, seed, how)
    made.write(file)
    if made.missing:
        print_warning(f"{made.missing}: samples of the model are drawn behind the ways instead")
    print_line(f"{pairs} {made.how} ways of {steps} items between latents of {near(model.folder)} are in {near(file)}")
    return OK
