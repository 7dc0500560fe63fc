"""Moving pictures: frames of one size, and the file of them: a GIF, a WebP, or an MP4 by the system's ffmpeg."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from allmodes.specs.source import SpecError
from allmodes.text.printable import printable

if TYPE_CHECKING:
    from PIL.Image import Image

WIDTH, COLOURS, HOLD = 800, 128, 1500
"""Pixels that a frame is wide at most, colours of a GIF's frame, and milliseconds that the last frame stays."""
MOVING = (".gif", ".webp", ".mp4")
"""Endings of moving pictures."""
MP4 = ".mp4"
EVEN = "pad=ceil(iw/2)*2:ceil(ih/2)*2:color=white"
"""The filter for players of MP4, whose pixels share colours two by two."""


def check_moving(ending: str) -> None:
    """Raise SpecError where this machine cannot make moving pictures of this ending."""
    if ending == MP4 and shutil.which("ffmpeg") is None:
        raise SpecError(f"{MP4} is made by ffmpeg, which is not on the PATH: install it, or write a .gif or .webp")


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
    """A moving picture of frames, each shown for some milliseconds and the last one longer.

    GIF and WebP begin again at their end; of an MP4 the player decides that. Raises SpecError where ffmpeg fails.
    """
    if ending == MP4:
        return _encode_mp4(frames, milliseconds)
    film, is_gif = BytesIO(), ending == ".gif"
    kept = [frame.quantize(COLOURS) for frame in frames] if is_gif else list(frames)
    duration = [*[round(milliseconds)] * (len(kept) - 1), max(HOLD, round(milliseconds))]
    kept[0].save(film, ending[1:], save_all=True, append_images=kept[1:], duration=duration, loop=0)
    return film.getvalue()


def _encode_mp4(frames: Sequence[Image], milliseconds: float) -> bytes:
    """By the coder that the system's ffmpeg takes for MP4; the last frame is repeated, as all last equally long."""
    again = max(0, round(HOLD / milliseconds) - 1)
    with TemporaryDirectory() as folder:
        for place, frame in enumerate([*frames, *[frames[-1]] * again]):
            frame.save(Path(folder) / f"{place:06}.png", compress_level=1)
        _run_ffmpeg(Path(folder), ("-framerate", f"{1000 / milliseconds:g}", "-i", "%06d.png", "-vf", EVEN))
        return (Path(folder) / "film.mp4").read_bytes()


def _run_ffmpeg(folder: Path, words: Sequence[str]) -> None:
    """Run ffmpeg in a folder. Colours are halved, as browsers and slides want, and the index stands first."""
    check_moving(MP4)
    output = ("-pix_fmt", "yuv420p", "-movflags", "+faststart", "film.mp4")
    done = subprocess.run(  # noqa: S603, no shell, and our own words
        [shutil.which("ffmpeg") or "ffmpeg", "-nostdin", "-loglevel", "error", *words, *output],
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode or not (folder / "film.mp4").is_file():
        said = printable((done.stderr.strip().splitlines() or ["it said nothing"])[-1])
        raise SpecError(f"ffmpeg made no {MP4} (exit code {done.returncode}): {said}: write a .gif or .webp")
