"""The command `film`: a training as a moving picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from allmodes.cli.completing import trained
from allmodes.cli.console import OK, print_line
from allmodes.cli.runs import take_latest
from allmodes.system.paths import at_home, near


def film(
    run: Annotated[
        str, Parameter(help="a run's folder (of an experiment: its first seed), or latest", completer=trained)
    ],
    *,
    to: Annotated[
        Path | None, Parameter(name=("--out", "-o"), help="a new file .gif, .webp or .mp4; default: a new film.gif")
    ] = None,
    frames: Annotated[
        Literal["auto", "pictures", "checkpoints"],
        Parameter(help="pictures of the evaluations, or the same latents through each checkpoint"),
    ] = "auto",
    fps: Annotated[float, Parameter(help="frames in a second")] = 6.0,
) -> int:
    """Make a film of a training: the pictures of its evaluations, or its checkpoints, one after another."""
    from allmodes.cli import samples
    from allmodes.experiments.film import make_film

    made = make_film(take_latest(run), samples.free_file(Path("film.gif")) if to is None else at_home(to), frames, fps)
    first, last = made.iterations[0], made.iterations[-1]
    print_line(
        f"{len(made.iterations)} frames, from iteration {first:,} to {last:,}, of {made.source}: {near(made.path)}"
    )
    return OK
