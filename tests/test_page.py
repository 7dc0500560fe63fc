"""The report as a page: whole, escaped, without anything from outside; and films of trainings."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from allmodes import Experiment, SpecError, compare, make_film, report
from allmodes.cli import main as cli_main
from allmodes.data import TensorData
from allmodes.experiments import film
from allmodes.runs.run import RunError
from allmodes.runs.run_folder import RunFolder
from allmodes.studies.galleries import Gallery
from allmodes.studies.page.pictures import picture_samples
from allmodes.studies.page.settings import differences
from allmodes.studies.page.write import BYTES, PICTURED, write_page
from allmodes.studies.report import load_comparison
from allmodes.system.paths import near
from one_process import in_one_process
from tiny import SPEC

HOSTILE = "<script>alert('x')</script> \"><img src=http://evil.example/x.png onerror=1> & $\\frac \u202e"
VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """A page that was read: its tags, its texts, and whether each tag was closed in its place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison of a finished method of a hostile description, and one that diverges."""
    place, broken = tmp_path_factory.mktemp("page"), {"kind": "sgd", "lr": 1e30}
    changes: dict[str, dict[str, Any]] = {
        "plain": {"description": HOSTILE},
        "broken": {"training": {**SPEC["training"], "optimizer": broken}},
    }
    for name, change in changes.items():
        (place / f"{name}.json").write_text(json.dumps({**SPEC, "name": name, **change}))
    specs = [str(place / f"{name}.json") for name in changes]
    with in_one_process():
        compare(specs, seeds=[0, 1], folder=place / "out", track=False, figures=False)
    report(place / "out", labels={"plain": HOSTILE})
    return place / "out"


def test_a_page_is_whole_and_takes_nothing_from_outside(study: Path) -> None:
    text = (study / "report.html").read_text()
    page = Page(text)
    assert page.open == []
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "embed", "base", "form"}
    for tag, attributes in page.tags:
        assert not {name for name in attributes if name.startswith("on") or name in ("href", "style")}
        assert tag != "img" or str(attributes["src"]).startswith("data:image/")
    assert "default-src 'none'" in next(a["content"] or "" for t, a in page.tags if a.get("http-equiv"))
    assert not re.search(r"url\(|@import", text)


def test_a_page_shows_every_method_and_what_is_hostile_as_text(study: Path) -> None:
    page = Page((study / "report.html").read_text())
    shown = HOSTILE.replace("\u202e", "\\u202e")
    assert page.texts.count(shown) >= 3  # the label in the table, the heading of the samples, the description
    assert any(text.startswith("broken/seed-0: failed before it was saved: DivergenceError") for text in page.texts)
    assert "\u202e" not in "".join(page.texts)


def test_a_page_has_the_numbers_of_the_table_and_the_settings_that_differ(study: Path) -> None:
    page = Page((study / "report.html").read_text())
    lines = (study / "table.md").read_text().splitlines()
    row = next(line for line in lines if line.startswith("| real data"))
    cells = [cell.strip(" *") for cell in row.split("|")[1:-1]]
    assert [cell for cell in cells if cell and cell not in page.texts] == []
    assert "training.optimizer.lr" in page.texts
    assert "1e+30" in page.texts


def test_a_page_of_one_run_is_written_beside_it_and_nothing_else(study: Path) -> None:
    before = {path.name for path in (study / "plain" / "seed-0").iterdir()}
    assert cli_main.execute(["report", str(study / "plain" / "seed-0")]) == 0
    assert {path.name for path in (study / "plain" / "seed-0").iterdir()} - before == {"report.html"}
    page = Page((study / "plain" / "seed-0" / "report.html").read_text())
    assert "plain/seed-0" in page.texts
    assert "plain/seed-1" not in page.texts
    assert any(attributes.get("alt") == "Curves: train/generator/non_saturating" for _, attributes in page.tags)


def test_a_page_that_cannot_be_written_is_an_error_and_the_old_one_stays(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (study / "report.html").read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("allmodes.studies.page.write.replace_text", fail)
    with (
        pytest.warns(UserWarning, match=r"^no report\.html: OSError: \[Errno 28\] No space left on device$"),
        pytest.raises(RunError, match=r"out: report\.html was not written$"),
    ):
        report(study, figures=False)
    assert (study / "report.html").read_bytes() == before


def test_images_of_a_page_come_after_real_ones(study: Path) -> None:
    images = torch.rand(64, 1, 8, 8) * 2 - 1
    gallery = Gallery(TensorData(images), {"plain": images}, {"plain": "modes 8"})
    real, mine = picture_samples(load_comparison(study), gallery)
    assert (real.title, mine.note, mine.is_pixels) == ("real data", "modes 8", True)


def test_a_page_is_bounded_and_says_what_it_leaves_out(study: Path) -> None:
    points = torch.rand(4, 1, 8, 8)
    many = {f"m{i}": points for i in range(PICTURED + 5)}
    text = write_page(load_comparison(study), [Gallery(TensorData(points), many, dict.fromkeys(many, ""))]).read_text()
    assert text.count("data:image/png") == PICTURED
    assert "Samples of methods after m38 are left out, lest the page grow too large." in text
    assert len(text) < 2 * BYTES


def test_settings_that_differ_are_named_and_those_of_components_too() -> None:
    from allmodes.registry.registry import installed
    from allmodes.specs import loading

    specs = [loading.parse({**SPEC, "name": name, "losses": losses}, installed()) for name, losses in (
        ("a", [{"kind": "non_saturating"}]),
        ("b", [{"kind": "non_saturating"}, {"kind": "r1", "weight": 3.0}]),
    )]  # fmt: skip
    found = differences(specs)
    assert found == {"losses.r1.kind": ["-", "r1"], "losses.r1.weight": ["-", "3.0"]}  # and none of its defaults


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 20 iterations with four evaluations, a picture of each, and four checkpoints."""
    training = {**SPEC["training"], "checkpoints": {"every": 5, "keep": 10}}
    spec = {**SPEC, "training": training, "evaluation": {"every": 5, "samples": 64, "metrics": ["modes"]}}
    return Experiment.from_spec(spec, folder=tmp_path_factory.mktemp("film"), track=False).run([3]).folder


@pytest.mark.parametrize(("ending", "source"), [(".gif", "pictures"), (".webp", "pictures"), (".gif", "checkpoints")])
def test_a_film_has_a_frame_for_each_evaluation_or_checkpoint(
    filmed: Path, tmp_path: Path, ending: str, source: film.Source
) -> None:
    made = make_film(filmed, tmp_path / f"film{ending}", source)
    assert (made.source, made.iterations) == (source, (5, 10, 15, 20))
    with Image.open(made.path) as moving:
        assert moving.n_frames == 4  # type: ignore[attr-defined]
        assert moving.size == (550, 550)


def test_a_film_of_pictures_shows_them_in_their_order(filmed: Path, tmp_path: Path) -> None:
    made = make_film(filmed, tmp_path / "film.gif")
    pictures = sorted(RunFolder(filmed).of_seed(3).figures.glob("samples-*.png"))
    with Image.open(made.path) as moving:
        for i, picture in enumerate(pictures):
            moving.seek(i)
            expected, seen = (
                np.asarray(one.convert("RGB").resize((55, 55)), float) for one in (Image.open(picture), moving)
            )
            assert abs(expected - seen).mean() < 3


def test_a_long_film_keeps_its_first_and_last_frames() -> None:
    chosen = film._thin(list(range(1000)))
    assert (chosen[0], chosen[-1], len(set(chosen))) == (0, 999, film.FRAMES)
    assert film._thin([3, 4]) == [3, 4]


def test_what_cannot_be_filmed_is_said(study: Path, filmed: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.gif").write_text("mine")
    for run, to, message in (
        (study / "plain", "x.gif", r"has 0 pictures and 1 checkpoints, and a film needs two of either: evaluate more"),
        (filmed, "mine.gif", r"mine\.gif: already exists, and nothing is overwritten: choose another$"),
        (filmed, "x.avi", r"x\.avi: the file of a film ends in \.gif, \.webp or \.mp4$"),
        (tmp_path, "x.gif", r"holds no run: give the folder of one, as `allmodes runs` lists them$"),
        (tmp_path / "none", "x.gif", r"no such file or folder"),
    ):
        with pytest.raises(SpecError, match=message):
            make_film(run, tmp_path / to)
    assert (tmp_path / "mine.gif").read_text() == "mine"


def test_a_study_is_not_filmed_and_a_run_in_it_is_named(study: Path, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as error:
        make_film(study, tmp_path / "x.gif")
    told, advised = str(error.value).split(" such as ")
    assert told == f"{near(study)} holds no run: give a run's folder,"
    assert Path(advised).parent.parent == Path(near(study))
    assert RunFolder(Path(advised)).results.is_file()


def test_the_command_film_writes_a_new_file(filmed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli_main.execute(["film", str(filmed), "--out", str(tmp_path / "a.gif"), "--fps", "10"]) == 0
    assert "4 frames, from iteration 5 to 20, of pictures: " in capsys.readouterr().out
