"""Ways between latents as files: read back, and compared with what the model generates."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from allmodes import Experiment, load_run
from allmodes.cli import main as cli_main
from allmodes.experiments.interpolation import interpolate_pairs
from tiny import SPEC

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on points."""
    return Experiment.from_spec(SPEC, folder=tmp_path_factory.mktemp("runs"), track=False).run().folder


@pytest.fixture(scope="module")
def pictured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on images of 8 x 8 pixels."""
    evaluation = {"samples": 64, "metrics": ["wasserstein"], "figure": False}
    spec = {**SPEC, "data": {"kind": "digits"}, "prior": {"kind": "uniform", "dim": 4}, "evaluation": evaluation}
    return Experiment.from_spec(spec, folder=tmp_path_factory.mktemp("runs"), track=False).run().folder


def execute(*arguments: object) -> int:
    return cli_main.execute([str(argument) for argument in ("interpolate", *arguments)])


def test_arrays_are_what_the_model_generates(folder: Path, tmp_path: Path, capsys: Capture) -> None:
    to = tmp_path / "new" / "ways.npz"
    assert execute(folder, "--pairs", 3, "--steps", 5, "--seed", 7, "--out", to) == 0
    run = folder / "seed-3"
    assert capsys.readouterr().out == f"3 spherical ways of 5 items between latents of {run} are in {to}\n"
    model = load_run(folder)
    ends = model.latent(6, seed=7).z
    with np.load(to, allow_pickle=False) as file:
        np.testing.assert_array_equal(file["samples"], model.interpolate(ends[:3], ends[3:], 5))
        np.testing.assert_array_equal(file["latents"][:, 4], ends[3:])


def test_images_stand_in_a_row_for_each_way(pictured: Path, tmp_path: Path, capsys: Capture) -> None:
    to = tmp_path / "ways.png"
    assert execute(pictured, "--pairs", 2, "--steps", 3, "--out", to) == 0
    assert capsys.readouterr().out.startswith("2 linear ways of 3 items")
    model = load_run(pictured)
    ends = model.latent(4).z
    items = model.interpolate(ends[:2], ends[2:], 3)
    pixels = torch.from_numpy(np.asarray(Image.open(to)).copy())
    assert pixels.shape == (2 * 72 - 8, 3 * 72 - 8, 3)
    for row, column in ((0, 0), (1, 2)):
        cell = pixels[row * 72 : row * 72 + 64, column * 72 : column * 72 + 64, 0]
        expected = ((items[row, column, 0].clamp(-1, 1) / 2 + 0.5) * 255).round().byte()
        assert torch.equal(cell[::8, ::8], expected)
        assert torch.equal(cell[7::8, 7::8], expected)


@pytest.mark.parametrize("ending", [".gif", ".webp"])
def test_a_moving_picture_has_a_frame_for_each_step(ending: str, pictured: Path, tmp_path: Path) -> None:
    made = interpolate_pairs(load_run(pictured), pairs=3, steps=4)
    with Image.open(made.write(tmp_path / f"ways{ending}")) as film:
        assert (film.n_frames, film.size) == (4, (136, 136))  # type: ignore[attr-defined]


def test_points_are_joined_to_lines_over_the_data(folder: Path, tmp_path: Path) -> None:
    made = interpolate_pairs(load_run(folder), pairs=2, steps=3)
    made.items = torch.tensor([[[-1.0, 1.0], [0.0, 1.0], [1.0, 1.0]], [[-1.0, -1.0], [0.0, -1.0], [1.0, -1.0]]])
    with Image.open(made.write(tmp_path / "ways.png")) as picture:
        pixels = torch.from_numpy(np.asarray(picture.convert("RGB")).copy()).float()
    blue, orange = ((pixels[..., 2] - pixels[..., 0] > 60), (pixels[..., 0] - pixels[..., 2] > 60))
    rows = [float(colour.nonzero()[:, 0].float().mean()) for colour in (blue, orange)]
    assert made.missing == ""
    assert rows[0] < 225 < 290 < rows[1]  # y = 1 above, y = -1 below
    assert all(int(colour.any(0).sum()) > 80 for colour in (blue, orange))  # from one side to the other
    with Image.open(made.write(tmp_path / "ways.gif")) as film:
        assert film.n_frames == 3  # type: ignore[attr-defined]


def test_without_its_data_a_models_samples_are_drawn_behind(tmp_path: Path, capsys: Capture) -> None:
    table = tmp_path / "x.csv"
    table.write_text("\n".join(["a,b", *(f"{i % 7},{i % 5}" for i in range(100))]))
    evaluation = {"samples": 64, "metrics": ["wasserstein"], "figure": False}
    spec = {**SPEC, "data": {"kind": "csv", "path": str(table)}, "evaluation": evaluation}
    folder = Experiment.from_spec(spec, folder=tmp_path / "runs", track=False).run().folder
    table.unlink()
    assert execute(folder, "--out", tmp_path / "ways.png") == 0
    captured = capsys.readouterr()
    assert "its data cannot be read (" in captured.err
    assert "samples of the model are drawn behind the ways instead" in captured.err.replace("\n", " ")
    assert (tmp_path / "ways.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--pairs", "0"], "--pairs 0: from 1 to 64 pairs of latents"),
        (["--steps", "1"], "--steps 1: from 2 to 120 items on each way, both ends included"),
        (["--out", "x.avi"], "--out x.avi: the file must end in .png, .gif, .webp, .mp4 or .npz"),
        (["--out", "mine.png"], "--out mine.png: already exists, and nothing is overwritten: choose another"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    arguments: list[str], problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.png").write_text("mine")
    assert execute("run-that-is-not-read", *arguments) == 2
    assert capsys.readouterr().err == f"error: {problem}\n"
    assert Path("mine.png").read_text() == "mine"


def test_without_a_file_the_first_free_name_is_taken(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert [execute(folder, "--pairs", 1, "--steps", 2) for _ in range(2)] == [0, 0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["interpolation-2.png", "interpolation.png"]
