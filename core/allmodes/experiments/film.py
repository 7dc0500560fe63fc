"""A film of a training: the pictures of its evaluations, or samples of its checkpoints, one after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

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

if TYPE_CHECKING:
    from PIL.Image import Image

Source = Literal["auto", "pictures", "checkpoints"]

FRAMES, WIDTH, COLOURS = 120, 800, 128
"""Frames of a film at most, pixels that a frame is wide at most, and colours of a frame."""
SAMPLES, HOLD = 1000, 1500
"""Points that are drawn of a checkpoint, and milliseconds that the last frame stays."""
ENDINGS = (".gif", ".webp")


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
    """Write a film of a run's training to a new GIF or WebP; of an experiment's folder, of its first seed.

    Frames from `pictures` are those that evaluations drew, whose latents are drawn anew each time. Frames from
    `checkpoints` show what becomes of the same latents, one frame for each checkpoint that was kept. `auto` takes the
    pictures if there are two. A film has at most 120 frames, evenly chosen, and is at most 800 pixels wide.

    Raises SpecError where there is nothing to show, or the file exists or has another ending.
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
    if file.suffix not in ENDINGS:
        raise SpecError(f"--out {near(file)}: the file of a film ends in {' or '.join(ENDINGS)}")
    if file.exists():
        raise SpecError(f"--out {near(file)}: already exists, and nothing is overwritten: choose another")
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


def read_frames(pictures: Iterable[Path | BytesIO]) -> Iterator[Image]:
    """Read pictures as frames of one size, that of the first, at most 800 pixels wide."""
    from PIL import Image, ImageOps

    size = None
    for one in pictures:
        with Image.open(one) as picture:
            frame = picture.convert("RGB")
        share = min(1.0, WIDTH / frame.width)
        size = size or (round(share * frame.width), round(share * frame.height))
        yield frame if frame.size == size else ImageOps.pad(frame, size, color="white")


def encode_frames(frames: Sequence[Image], ending: str, milliseconds: float) -> bytes:
    """A GIF or WebP of frames, each shown for some milliseconds and the last one longer, again and again."""
    film, is_gif = BytesIO(), ending == ".gif"
    kept = [frame.quantize(COLOURS) for frame in frames] if is_gif else list(frames)
    duration = [*[round(milliseconds)] * (len(kept) - 1), max(HOLD, round(milliseconds))]
    kept[0].save(film, ending[1:], save_all=True, append_images=kept[1:], duration=duration, loop=0)
    return film.getvalue()
