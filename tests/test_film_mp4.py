"""Films as MP4: what ffmpeg is asked for, what is said without it, and, slowly, what the real one makes of frames."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from allmodes import SpecError
from allmodes.cli import main as cli_main
from allmodes.experiments.film import make_film
from allmodes.experiments.frames import EVEN, encode_frames

COLOURS = ((200, 0, 0), (0, 200, 0), (0, 0, 200))
FAKE = """#!/bin/sh
echo "$@" > "{asked}"
ls *.png | wc -l >> "{asked}"
{end}
"""


def frames() -> list[Image.Image]:
    """Three frames of 31 x 17 pixels, each of one colour."""
    return [Image.new("RGB", (31, 17), colour) for colour in COLOURS]


def install(folder: Path, end: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a false ffmpeg first on the PATH; returns the file to which it writes what it was asked."""
    (program := folder / "ffmpeg").write_text(FAKE.format(asked=folder / "asked", end=end))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return folder / "asked"


def test_ffmpeg_gets_every_frame_and_the_last_one_longer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = install(tmp_path, "printf film > film.mp4", monkeypatch)
    assert encode_frames(frames(), ".mp4", 250) == b"film"
    words, pictures = asked.read_text().splitlines()
    assert words == (
        f"-nostdin -loglevel error -framerate 4 -i %06d.png -vf {EVEN} -pix_fmt yuv420p -movflags +faststart film.mp4"
    )
    assert int(pictures) == 3 + 5  # the last one for six times 250 ms


@pytest.mark.parametrize(
    ("end", "why"),
    [
        ("echo first >&2; echo 'Unknown encoder' >&2; exit 8", "(exit code 8): Unknown encoder"),
        ("exit 0", "(exit code 0): it said nothing"),
    ],
)
def test_what_ffmpeg_says_when_it_fails_is_said(
    tmp_path: Path, end: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, end, monkeypatch)
    with pytest.raises(SpecError) as error:
        encode_frames(frames(), ".mp4", 250)
    assert str(error.value) == f"ffmpeg made no .mp4 {why}: write a .gif or .webp"


def test_without_ffmpeg_an_mp4_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    message = ".mp4 is made by ffmpeg, which is not on the PATH: install it, or write a .gif or .webp"
    with pytest.raises(SpecError) as error:
        make_film(tmp_path / "no-run", tmp_path / "x.mp4")
    assert str(error.value) == message
    assert cli_main.execute(["interpolate", "no-run", "--out", str(tmp_path / "x.mp4")]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_the_frames_of_a_real_mp4_have_their_colours(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(encode_frames(frames(), ".mp4", 500))
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-i", "film.mp4", "%02d.png"]
    subprocess.run(command, cwd=tmp_path, check=True)
    shown = [np.asarray(Image.open(path), float) for path in sorted(tmp_path.glob("*.png"))]
    assert [one.shape for one in shown] == [(18, 32, 3)] * 5  # even numbers of pixels; the last frame for 1,500 ms
    for one, colour in zip(shown, [*COLOURS, COLOURS[-1], COLOURS[-1]], strict=True):
        assert abs(one[2:14, 2:28].mean((0, 1)) - colour).max() < 12
