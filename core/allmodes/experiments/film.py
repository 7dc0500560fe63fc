"""A film of a training: the pictures of its evaluations, or samples of its checkpoints, one after another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from allmodes.experiments.frames import MOVING, check_moving, encode_frames, read_frames
from allmodes.figures.draw import draw_samples
from allmodes.models.reading import load_run
from allmodes.registry.registry import Registry, installed
from allmodes.runs.listing import find_latest
from allmodes.runs.run_folder import RunFolder
from allmodes.specs.source import SpecError
from allmodes.system.durable import replace
from allmodes.system.no_such_file import holds, no_such_file
from allmodes.system.paths import near, place
from allmodes.system.torch_settings import plain_torch

Source = Literal["auto", "pictures", "checkpoints"]

FRAMES, SAMPLES = 120, 1000
"""Frames of a film at most, and points that are drawn of a checkpoint."""


@dataclass(frozen=True)
class Film:
    """A film that was written: its file, where its frames come from, and the iteration of each."""

    path: Path
    source: Source
    iterations: tuple[int, ...]


@plain_torch()
def make_film(
    run: str | Path,
    to: str | Path,
    source: Source = "auto",
    frames_per_second: float = 6.0,
    registry: Registry | None = None,
) -> Film:
    """Write a film of a run's training to a new GIF, WebP or MP4; of an experiment's folder, of its first seed.

    Frames from `pictures` are those that evaluations drew, whose latents are drawn anew each time. Frames from
    `checkpoints` show what becomes of the same latents, one frame for each checkpoint that was kept. `auto` takes the
    pictures if there are two. A film has at most 120 frames, evenly chosen, and is at most 800 pixels wide.

    Raises SpecError where there is nothing to show, the file exists or has another ending, or an MP4 is asked for and
    the system's ffmpeg is missing or fails.
    """
    file = place(to)
    _check(file, frames_per_second)
    folder = _find_run(run)
    pictures = {int(path.stem[8:]): path for path in sorted(folder.figures.glob("samples-[0-9]*.png"))}
    saved = sorted(int(path.name) for path in folder.checkpoints)
    chosen = _choose(folder, source, len(pictures), len(saved))
    iterations = _thin(list(pictures) if chosen == "pictures" else saved)
    with TemporaryDirectory() as drawn:
        paths = (
            (pictures[iteration] for iteration in iterations)
            if chosen == "pictures"
            else _draw(folder.path, iterations, Path(drawn), registry or installed())
        )
        replace(file, encode_frames(list(read_frames(paths)), file.suffix, 1000 / frames_per_second))
    return Film(file, chosen, tuple(iterations))


def _check(file: Path, frames_per_second: float) -> None:
    if file.suffix not in MOVING:
        raise SpecError(f"--out {near(file)}: the file of a film ends in {', '.join(MOVING[:-1])} or {MOVING[-1]}")
    if file.exists():
        raise SpecError(f"--out {near(file)}: already exists, and nothing is overwritten: choose another")
    check_moving(file.suffix)
    if not 0.1 <= frames_per_second <= 50:
        raise SpecError(f"--fps {frames_per_second:g}: from 0.1 to 50 frames in a second")


def _find_run(run: str | Path) -> RunFolder:
    path = place(run)
    if not holds(path.exists):
        raise SpecError(no_such_file(near(path)))
    if not (runs := RunFolder(path).runs):
        raise SpecError(f"{near(path)} holds no run: give {_advise(path)}")
    return runs[0]


def _advise(folder: Path) -> str:
    """Which folder to give instead of one that holds no run itself: one within, if there is any."""
    if within := find_latest(folder):
        return f"a run's folder, such as {near(RunFolder(within).runs[0].path)}"
    return "the folder of one, as `allmodes runs` lists them"


def _choose(folder: RunFolder, source: Source, pictures: int, saved: int) -> Source:
    chosen: Source = ("pictures" if pictures > 1 else "checkpoints") if source == "auto" else source
    if (pictures if chosen == "pictures" else saved) < 2:
        raise SpecError(
            f"{near(folder.path)} has {pictures} pictures and {saved} checkpoints, and a film needs two of either: "
            "evaluate more often (evaluation.every), or keep more checkpoints (training.checkpoints.keep)"
        )
    return chosen


def _thin(iterations: Sequence[int]) -> list[int]:
    """Choose frames evenly, the first and the last among them."""
    last = len(iterations) - 1
    places = range(last + 1) if last < FRAMES else [round(i * last / (FRAMES - 1)) for i in range(FRAMES)]
    return [iterations[place_of] for place_of in places]


def _draw(run: Path, iterations: Sequence[int], folder: Path, registry: Registry) -> Iterator[Path]:
    """Draw the same latents through each checkpoint."""
    data = None
    for iteration in iterations:
        model = load_run(run, registry, str(iteration))
        data = data or model.spec.data.build()
        title = f"{model.spec.name}  iteration {iteration:,}"
        yield draw_samples(model.draw(SAMPLES), data, folder / f"{iteration}.png", title)
